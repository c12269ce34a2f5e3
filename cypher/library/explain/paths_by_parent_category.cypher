// What a person bought in the categories beside a product's: another part of the same whole.
// @param user: text
// @param item: text
// @columns bought, title, category, whole
// @cost 0.33 ms embedded (p95 0.38 ms), 1.9 ms Neo4j (p95 6.0 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:IN_CATEGORY]->(c:Category)-[:PART_OF]->(w:Category)
WITH c.key AS own, w.key AS whole
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:IN_CATEGORY]->(d:Category)-[:PART_OF]->(v:Category)
WHERE v.key = whole AND b.key <> $item AND d.key <> own
RETURN b.key AS bought, b.title AS title, d.key AS category, whole
ORDER BY bought, category
