// What a person bought, the latest first.
// @param user: text
// @param limit: integer = 20
// @columns item, title, count, first, last
// @cost 0.94 ms embedded (p95 2.2 ms), 5.1 ms Neo4j (p95 13 ms)
MATCH (u:User {key: $user})-[r:BOUGHT]->(p:Product)
RETURN p.key AS item, p.title AS title, r.count AS count, r.first AS first, r.last AS last
ORDER BY last DESC, item LIMIT $limit
