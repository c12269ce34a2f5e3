// Products that cost many times what their category (of at least so many products) costs on average.
// @param times: number = 5
// @param least: integer = 5
// @param limit: integer = 20
// @columns item, title, category, price, mean_price
// @cost 234 ms embedded (p95 249 ms), 128 ms Neo4j (p95 131 ms)
MATCH (c:Category)<-[:IN_CATEGORY]-(p:Product)
WHERE p.price_low IS NOT NULL
WITH c, avg(p.price_low) AS mean_price, count(p) AS products
WHERE products >= $least
MATCH (c)<-[:IN_CATEGORY]-(p:Product)
WHERE p.price_low > $times * mean_price
RETURN p.key AS item, p.title AS title, c.key AS category, p.price_low AS price, mean_price
ORDER BY price DESC, item LIMIT $limit
