// Products whose title holds some words, in any case.
// @param text: text
// @param limit: integer = 20
// @columns item, title, price_low
// @cost 52 ms embedded (p95 60 ms), 51 ms Neo4j (p95 111 ms)
MATCH (p:Product)
WHERE toLower(p.title) CONTAINS toLower($text)
RETURN p.key AS item, p.title AS title, p.price_low AS price_low
ORDER BY item LIMIT $limit
