// Whom a product would reach: people who bought others of its brand, material or category, by how many.
// @param item: text
// @param limit: integer = 20
// @columns relation, user, products
// @cost 157 ms embedded (p95 224 ms), 62 ms Neo4j (p95 327 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:HAS_BRAND]->(x:Brand)
WITH i, x
MATCH (x)<-[:HAS_BRAND]-(p:Product)<-[:BOUGHT]-(u:User)
WHERE p <> i
RETURN 'HAS_BRAND' AS relation, u.key AS user, count(DISTINCT p) AS products
ORDER BY products DESC, user LIMIT $limit
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:MADE_OF]->(x:Material)
WITH i, x
MATCH (x)<-[:MADE_OF]-(p:Product)<-[:BOUGHT]-(u:User)
WHERE p <> i
RETURN 'MADE_OF' AS relation, u.key AS user, count(DISTINCT p) AS products
ORDER BY products DESC, user LIMIT $limit
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:IN_CATEGORY]->(x:Category)
WITH i, x
MATCH (x)<-[:IN_CATEGORY]-(p:Product)<-[:BOUGHT]-(u:User)
WHERE p <> i
RETURN 'IN_CATEGORY' AS relation, u.key AS user, count(DISTINCT p) AS products
ORDER BY products DESC, user LIMIT $limit
