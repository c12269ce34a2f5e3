// The brands whose products were bought most.
// @param limit: integer = 20
// @columns brand, name, products, purchases
// @cost 7.3 s embedded
MATCH (p:Product)<-[r:BOUGHT]-(:User)
WITH p, sum(r.count) AS bought
MATCH (p)-[:HAS_BRAND]->(b:Brand)
RETURN b.key AS brand, b.name AS name, count(p) AS products, sum(bought) AS purchases
ORDER BY purchases DESC, brand LIMIT $limit
