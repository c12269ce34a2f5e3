// What a person bought that is made of a material of the same kind as a product's (cotton and linen are natural fibres).
// @param user: text
// @param item: text
// @columns bought, title, material, kind
// @cost 0.31 ms embedded (p95 0.34 ms), 2.4 ms Neo4j (p95 5.0 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:MADE_OF]->(m:Material)-[:KIND_OF]->(k:Material)
WITH m.key AS own, k.key AS kind
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:MADE_OF]->(n:Material)-[:KIND_OF]->(l:Material)
WHERE l.key = kind AND b.key <> $item AND n.key <> own
RETURN b.key AS bought, b.title AS title, n.key AS material, kind
ORDER BY bought, material
