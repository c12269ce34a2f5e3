// What if a product had one more entity: what a person bought that has it, so that each would lead there.
// @param user: text
// @param item: text
// @param entity: text
// @columns relation, bought, title, name, strength
// @cost 0.98 ms embedded (p95 2.3 ms), 7.5 ms Neo4j (p95 27 ms)
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[r:HAS_BRAND]->(x:Brand {key: $entity})
WHERE b.key <> $item
RETURN 'HAS_BRAND' AS relation, b.key AS bought, b.title AS title, x.name AS name, r.confidence AS strength
UNION ALL
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[r:MADE_OF]->(x:Material {key: $entity})
WHERE b.key <> $item
RETURN 'MADE_OF' AS relation, b.key AS bought, b.title AS title, x.name AS name, r.confidence AS strength
UNION ALL
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[r:IN_CATEGORY]->(x:Category {key: $entity})
WHERE b.key <> $item
RETURN 'IN_CATEGORY' AS relation, b.key AS bought, b.title AS title, x.name AS name, r.confidence AS strength
UNION ALL
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[r:HAS_COLOR]->(x:Color {key: $entity})
WHERE b.key <> $item
RETURN 'HAS_COLOR' AS relation, b.key AS bought, b.title AS title, x.name AS name, r.confidence AS strength
UNION ALL
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[r:HAS_SIZE]->(x:Size {key: $entity})
WHERE b.key <> $item
RETURN 'HAS_SIZE' AS relation, b.key AS bought, b.title AS title, x.name AS name, r.confidence AS strength
UNION ALL
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[r:IN_PRICE_BAND]->(x:PriceBand {key: $entity})
WHERE b.key <> $item
RETURN 'IN_PRICE_BAND' AS relation, b.key AS bought, b.title AS title, x.name AS name, r.confidence AS strength
