// Products without any brand.
// @param limit: integer = 20
// @columns item, title
// @cost 230 ms embedded
MATCH (p:Product)
OPTIONAL MATCH (p)-[r:HAS_BRAND]->(:Brand)
WITH p, count(r) AS facts
WHERE facts = 0
RETURN p.key AS item, p.title AS title
ORDER BY item LIMIT $limit
