// Who bought a product, the latest first.
// @param item: text
// @param limit: integer = 20
// @columns user, count, first, last
// @cost 0.75 ms embedded (p95 6.2 ms), 4.7 ms Neo4j (p95 9.6 ms)
MATCH (p:Product {key: $item})
WITH p
MATCH (p)<-[r:BOUGHT]-(u:User)
RETURN u.key AS user, r.count AS count, r.first AS first, r.last AS last
ORDER BY last DESC, user LIMIT $limit
