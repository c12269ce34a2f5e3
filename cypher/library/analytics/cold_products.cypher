// Products that nobody bought yet.
// @param limit: integer = 20
// @columns item, title
// @cost 342 ms embedded (p95 356 ms), 914 ms Neo4j (p95 914 ms)
MATCH (p:Product)
OPTIONAL MATCH (p)<-[r:BOUGHT]-(:User)
WITH p, count(r) AS people
WHERE people = 0
RETURN p.key AS item, p.title AS title
ORDER BY item LIMIT $limit
