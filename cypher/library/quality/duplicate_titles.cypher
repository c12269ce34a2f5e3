// Titles that several products share.
// @param limit: integer = 20
// @columns title, products, items
// @cost 406 ms embedded (p95 413 ms), 181 ms Neo4j (p95 292 ms)
MATCH (p:Product)
WITH p ORDER BY p.key
WITH p.title AS title, count(p) AS products, collect(p.key) AS items
WHERE products > 1
RETURN title, products, items
ORDER BY products DESC, title LIMIT $limit
