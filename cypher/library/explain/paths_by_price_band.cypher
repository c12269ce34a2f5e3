// Why a product fits a person by its price band: what they bought that has the same, with the strength of the weaker fact.
// @param user: text
// @param item: text
// @columns bought, title, entity, name, strength
// @cost 0.52 ms embedded (p95 1.1 ms), 5.2 ms Neo4j (p95 16 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[r:IN_PRICE_BAND]->(x:PriceBand)
WITH x.key AS entity, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:IN_PRICE_BAND]->(y:PriceBand)
WHERE y.key = entity AND b.key <> $item
RETURN b.key AS bought, b.title AS title, entity, y.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
ORDER BY strength DESC, bought, entity
