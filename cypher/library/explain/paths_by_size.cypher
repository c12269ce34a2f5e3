// Why a product fits a person by its size: what they bought that has the same, with the strength of the weaker fact.
// @param user: text
// @param item: text
// @columns bought, title, entity, name, strength
// @cost 0.34 ms embedded (p95 0.37 ms), 2.0 ms Neo4j (p95 8.9 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[r:HAS_SIZE]->(x:Size)
WITH x.key AS entity, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:HAS_SIZE]->(y:Size)
WHERE y.key = entity AND b.key <> $item
RETURN b.key AS bought, b.title AS title, entity, y.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
ORDER BY strength DESC, bought, entity
