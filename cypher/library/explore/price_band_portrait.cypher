// A price band in figures: its products, their prices, who bought them.
// @param price_band: text
// @columns price_band, name, products, lowest_price, mean_price, highest_price, buyers, purchases
// @cost 11 ms embedded (p95 78 ms), 16 ms Neo4j (p95 76 ms)
MATCH (x:PriceBand {key: $price_band})
OPTIONAL MATCH (x)<-[:IN_PRICE_BAND]-(p:Product)
WITH x, count(p) AS products, min(p.price_low) AS lowest_price, avg(p.price_low) AS mean_price, max(p.price_high) AS highest_price
OPTIONAL MATCH (x)<-[:IN_PRICE_BAND]-(:Product)<-[b:BOUGHT]-(u:User)
RETURN x.key AS price_band, x.name AS name, products, lowest_price, mean_price, highest_price, count(DISTINCT u) AS buyers,
       coalesce(sum(b.count), 0) AS purchases
