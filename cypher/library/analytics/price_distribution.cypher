// Prices by currency.
// @columns currency, products, lowest, mean, highest
// @cost 34 ms embedded (p95 38 ms), 49 ms Neo4j (p95 71 ms)
MATCH (p:Product)
WHERE p.price_low IS NOT NULL
RETURN p.currency AS currency, count(*) AS products, min(p.price_low) AS lowest, avg(p.price_low) AS mean, max(p.price_low) AS highest
ORDER BY products DESC, currency
