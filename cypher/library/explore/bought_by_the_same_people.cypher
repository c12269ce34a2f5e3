// Who bought what a person bought: products that the same people bought besides, by how many of them.
// @param user: text
// @param limit: integer = 20
// @columns item, title, people
MATCH (u:User {key: $user})-[:BOUGHT]->(:Product)<-[:BOUGHT]-(other:User)
WHERE other <> u
WITH DISTINCT u, other
MATCH (other)-[:BOUGHT]->(p:Product)
WITH u, p, count(DISTINCT other) AS people
OPTIONAL MATCH (u)-[own:BOUGHT]->(p)
WITH p, people, own
WHERE own IS NULL
RETURN p.key AS item, p.title AS title, people
ORDER BY people DESC, item LIMIT $limit
