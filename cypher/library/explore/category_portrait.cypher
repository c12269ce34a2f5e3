// A category in figures: its products, their prices, who bought them.
// @param category: text
// @columns category, name, products, lowest_price, mean_price, highest_price, buyers, purchases
// @cost 123 ms embedded (p95 782 ms), 26 ms Neo4j (p95 227 ms)
MATCH (x:Category {key: $category})
OPTIONAL MATCH (x)<-[:IN_CATEGORY]-(p:Product)
WITH x, count(p) AS products, min(p.price_low) AS lowest_price, avg(p.price_low) AS mean_price, max(p.price_high) AS highest_price
OPTIONAL MATCH (x)<-[:IN_CATEGORY]-(:Product)<-[b:BOUGHT]-(u:User)
RETURN x.key AS category, x.name AS name, products, lowest_price, mean_price, highest_price, count(DISTINCT u) AS buyers,
       coalesce(sum(b.count), 0) AS purchases
