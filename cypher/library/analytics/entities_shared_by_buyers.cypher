// What the buyers of a product like besides: brands of their other purchases.
// @param item: text
// @param limit: integer = 20
// @columns brand, name, people
// @cost 45 ms embedded (p95 385 ms), 57 ms Neo4j (p95 491 ms)
MATCH (p:Product {key: $item})
WITH p
MATCH (p)<-[:BOUGHT]-(u:User)-[:BOUGHT]->(o:Product)-[:HAS_BRAND]->(b:Brand)
WHERE o <> p
RETURN b.key AS brand, b.name AS name, count(DISTINCT u) AS people
ORDER BY people DESC, brand LIMIT $limit
