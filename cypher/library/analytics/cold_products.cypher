// Products that nobody bought yet.
// @param limit: integer = 20
// @columns item, title
// @cost 249 ms embedded (p95 249 ms)
MATCH (p:Product)
OPTIONAL MATCH (p)<-[r:BOUGHT]-(:User)
WITH p, count(r) AS people
WHERE people = 0
RETURN p.key AS item, p.title AS title
ORDER BY item LIMIT $limit
