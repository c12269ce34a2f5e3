// How many edges of each relation there are.
// @columns relation, edges
// @cost 0.14 ms embedded (p95 0.20 ms)
MATCH ()-[r]->()
RETURN type(r) AS relation, count(*) AS edges
ORDER BY edges DESC, relation
