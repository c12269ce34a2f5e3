// Products whose title holds some words, in any case.
// @param text: text
// @param limit: integer = 20
// @columns item, title, price_low
// @cost 37 ms embedded
MATCH (p:Product)
WHERE toLower(p.title) CONTAINS toLower($text)
RETURN p.key AS item, p.title AS title, p.price_low AS price_low
ORDER BY item LIMIT $limit
