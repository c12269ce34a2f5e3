// Products with more than one brand: at most one can be right.
// @param limit: integer = 20
// @columns item, title, brands, keys
// @cost 887 ms embedded (p95 887 ms), 170 ms Neo4j (p95 272 ms)
MATCH (p:Product)-[:HAS_BRAND]->(b:Brand)
WITH p, b ORDER BY b.key
WITH p, count(b) AS brands, collect(b.key) AS keys
WHERE brands > 1
RETURN p.key AS item, p.title AS title, brands, keys
ORDER BY brands DESC, item LIMIT $limit
