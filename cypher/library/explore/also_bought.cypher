// Products that buyers of a product bought too.
// @param item: text
// @param limit: integer = 20
// @columns other, title, people
// @cost 29 ms embedded (p95 435 ms), 19 ms Neo4j (p95 141 ms)
MATCH (p:Product {key: $item})
WITH p
MATCH (p)<-[:BOUGHT]-(u:User)-[:BOUGHT]->(o:Product)
WHERE o <> p
RETURN o.key AS other, o.title AS title, count(DISTINCT u) AS people
ORDER BY people DESC, other LIMIT $limit
