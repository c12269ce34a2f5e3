// Products without a price.
// @param limit: integer = 20
// @columns item, title
// @cost 44 ms embedded (p95 80 ms), 24 ms Neo4j (p95 33 ms)
MATCH (p:Product)
WHERE p.price_low IS NULL AND p.price_high IS NULL
RETURN p.key AS item, p.title AS title
ORDER BY item LIMIT $limit
