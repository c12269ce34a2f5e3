// A material in figures: its products, their prices, who bought them.
// @param material: text
// @columns material, name, products, lowest_price, mean_price, highest_price, buyers, purchases
// @cost 310 ms embedded (p95 878 ms), 330 ms Neo4j (p95 423 ms)
MATCH (x:Material {key: $material})
OPTIONAL MATCH (x)<-[:MADE_OF]-(p:Product)
WITH x, count(p) AS products, min(p.price_low) AS lowest_price, avg(p.price_low) AS mean_price, max(p.price_high) AS highest_price
OPTIONAL MATCH (x)<-[:MADE_OF]-(:Product)<-[b:BOUGHT]-(u:User)
RETURN x.key AS material, x.name AS name, products, lowest_price, mean_price, highest_price, count(DISTINCT u) AS buyers,
       coalesce(sum(b.count), 0) AS purchases
