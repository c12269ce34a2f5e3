// Prices by currency.
// @columns currency, products, lowest, mean, highest
// @cost 25 ms embedded (p95 25 ms)
MATCH (p:Product)
WHERE p.price_low IS NOT NULL
RETURN p.currency AS currency, count(*) AS products, min(p.price_low) AS lowest, avg(p.price_low) AS mean, max(p.price_low) AS highest
ORDER BY products DESC, currency
