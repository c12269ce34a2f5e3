// What would change if a product's brand were wrong: people who would lose every path by brand to it.
// @param item: text
// @param limit: integer = 20
// @columns user, products
// @cost 4.2 ms embedded (p95 24 ms), 15 ms Neo4j (p95 43 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:HAS_BRAND]->(x:Brand)
WITH i, x
MATCH (x)<-[:HAS_BRAND]-(p:Product)<-[:BOUGHT]-(u:User)
WHERE p <> i
RETURN u.key AS user, count(DISTINCT p) AS products
ORDER BY products DESC, user LIMIT $limit
