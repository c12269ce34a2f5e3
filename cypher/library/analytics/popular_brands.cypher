// The brands whose products were bought most.
// @param limit: integer = 20
// @columns brand, name, products, purchases
// @cost 2.7 s embedded (p95 2.7 s), 2.7 s Neo4j (p95 2.7 s)
MATCH (p:Product)-[:HAS_BRAND]->(b:Brand)
MATCH (p)<-[r:BOUGHT]-(:User)
RETURN b.key AS brand, b.name AS name, count(DISTINCT p) AS products, sum(r.count) AS purchases
ORDER BY purchases DESC, brand LIMIT $limit
