// Products without any brand.
// @param limit: integer = 20
// @columns item, title
// @cost 496 ms embedded (p95 637 ms), 344 ms Neo4j (p95 360 ms)
MATCH (p:Product)
OPTIONAL MATCH (p)-[r:HAS_BRAND]->(:Brand)
WITH p, count(r) AS facts
WHERE facts = 0
RETURN p.key AS item, p.title AS title
ORDER BY item LIMIT $limit
