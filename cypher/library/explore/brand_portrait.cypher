// A brand in figures: its products, their prices, who bought them.
// @param brand: text
// @columns brand, name, products, lowest_price, mean_price, highest_price, buyers, purchases
// @cost 26 ms embedded (p95 346 ms), 21 ms Neo4j (p95 294 ms)
MATCH (x:Brand {key: $brand})
OPTIONAL MATCH (x)<-[:HAS_BRAND]-(p:Product)
WITH x, count(p) AS products, min(p.price_low) AS lowest_price, avg(p.price_low) AS mean_price, max(p.price_high) AS highest_price
OPTIONAL MATCH (x)<-[:HAS_BRAND]-(:Product)<-[b:BOUGHT]-(u:User)
RETURN x.key AS brand, x.name AS name, products, lowest_price, mean_price, highest_price, count(DISTINCT u) AS buyers,
       coalesce(sum(b.count), 0) AS purchases
