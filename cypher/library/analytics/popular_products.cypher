// The products that most people bought.
// @param limit: integer = 20
// @columns item, title, people, purchases
// @cost 2.6 s embedded (p95 2.6 s), 6.4 s Neo4j (p95 6.4 s)
MATCH (p:Product)<-[r:BOUGHT]-(:User)
RETURN p.key AS item, p.title AS title, count(r) AS people, sum(r.count) AS purchases
ORDER BY people DESC, purchases DESC, item LIMIT $limit
