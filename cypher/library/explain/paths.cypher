// Every explanation path between a person and a product, relation by relation.
// @param user: text
// @param item: text
// @columns relation, bought, title, via, name, strength
MATCH (i:Product {key: $item})-[r:HAS_BRAND]->(x:Brand)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:HAS_BRAND]->(x)
WHERE b <> i
RETURN 'HAS_BRAND' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
UNION ALL
MATCH (i:Product {key: $item})-[r:MADE_OF]->(x:Material)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:MADE_OF]->(x)
WHERE b <> i
RETURN 'MADE_OF' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
UNION ALL
MATCH (i:Product {key: $item})-[r:IN_CATEGORY]->(x:Category)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:IN_CATEGORY]->(x)
WHERE b <> i
RETURN 'IN_CATEGORY' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
UNION ALL
MATCH (i:Product {key: $item})-[r:HAS_COLOR]->(x:Color)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:HAS_COLOR]->(x)
WHERE b <> i
RETURN 'HAS_COLOR' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
UNION ALL
MATCH (i:Product {key: $item})-[r:HAS_SIZE]->(x:Size)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:HAS_SIZE]->(x)
WHERE b <> i
RETURN 'HAS_SIZE' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
UNION ALL
MATCH (i:Product {key: $item})-[r:IN_PRICE_BAND]->(x:PriceBand)
WITH i, x, r.confidence AS here
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[s:IN_PRICE_BAND]->(x)
WHERE b <> i
RETURN 'IN_PRICE_BAND' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       CASE WHEN here < s.confidence THEN here ELSE s.confidence END AS strength
UNION ALL
MATCH (i:Product {key: $item})<-[:BOUGHT]-(other:User)
WHERE other.key <> $user
WITH i, other
MATCH (other)-[:BOUGHT]->(b:Product)<-[:BOUGHT]-(u:User {key: $user})
WHERE b <> i
RETURN 'BOUGHT' AS relation, b.key AS bought, b.title AS title, null AS via, null AS name, 1.0 * count(DISTINCT other) AS strength
