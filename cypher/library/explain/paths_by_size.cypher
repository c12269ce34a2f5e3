// Why a product fits a person by its size: what they bought that has the same, with the strength of the weaker fact.
// @param user: text
// @param item: text
// @columns bought, title, entity, name, strength
MATCH (i:Product {key: $item})-[r:HAS_SIZE]->(x:Size)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:HAS_SIZE]->(x)
WHERE b <> i
RETURN b.key AS bought, b.title AS title, x.key AS entity, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
ORDER BY strength DESC, bought, entity
