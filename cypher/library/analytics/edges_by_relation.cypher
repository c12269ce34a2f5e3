// How many edges of each relation there are.
// @columns relation, edges
MATCH ()-[r]->()
RETURN type(r) AS relation, count(*) AS edges
ORDER BY edges DESC, relation
