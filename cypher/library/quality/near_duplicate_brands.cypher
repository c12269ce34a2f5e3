// Brands that may be one: proposed by the likeness of their names, never joined by themselves.
// @param limit: integer = 20
// @columns brand, name, other, other_name, score
// @cost 0.72 ms embedded (p95 1.2 ms), 1.8 ms Neo4j (p95 4.3 ms)
MATCH (a:Brand)-[s:SAME_AS]->(b:Brand)
RETURN a.key AS brand, a.name AS name, b.key AS other, b.name AS other_name, s.confidence AS score
ORDER BY score DESC, brand, other LIMIT $limit
