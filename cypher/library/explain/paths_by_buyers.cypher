// Why a product fits a person by what others did: what they bought that buyers of the product bought too.
// @param user: text
// @param item: text
// @columns bought, title, people
// @cost 6.4 ms embedded (p95 162 ms), 16 ms Neo4j (p95 48 ms)
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)
WHERE b.key <> $item
MATCH (i:Product {key: $item})<-[:BOUGHT]-(other:User)
WHERE other.key <> $user
MATCH (b)<-[:BOUGHT]-(other)
RETURN b.key AS bought, b.title AS title, count(DISTINCT other) AS people
ORDER BY people DESC, bought
