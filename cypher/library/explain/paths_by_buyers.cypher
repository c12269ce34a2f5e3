// Why a product fits a person by what others did: what they bought that buyers of the product bought too.
// @param user: text
// @param item: text
// @columns bought, title, people
MATCH (i:Product {key: $item})<-[:BOUGHT]-(other:User)
WHERE other.key <> $user
WITH i, other
MATCH (other)-[:BOUGHT]->(b:Product)<-[:BOUGHT]-(u:User {key: $user})
WHERE b <> i
RETURN b.key AS bought, b.title AS title, count(DISTINCT other) AS people
ORDER BY people DESC, bought
