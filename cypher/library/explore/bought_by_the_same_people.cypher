// Who bought what a person bought: products that those who share most with the person bought besides, by how many of them.
// @param user: text
// @param nearest: integer = 100
// @param limit: integer = 20
// @columns item, title, people
// @cost 1.8 s embedded (p95 1.8 s), 852 ms Neo4j (p95 852 ms)
MATCH (u:User {key: $user})-[:BOUGHT]->(h:Product)<-[:BOUGHT]-(other:User)
WHERE other <> u
WITH u, other, count(DISTINCT h) AS shared
ORDER BY shared DESC, other.key LIMIT $nearest
MATCH (other)-[:BOUGHT]->(p:Product)
WITH u, p, count(DISTINCT other) AS people
OPTIONAL MATCH (u)-[own:BOUGHT]->(p)
WITH p, people, own
WHERE own IS NULL
RETURN p.key AS item, p.title AS title, people
ORDER BY people DESC, item LIMIT $limit
