// The materials that are a kind of another, and how many products are made of each.
// @param material: text
// @param limit: integer = 20
// @columns material, name, products
// @cost 0.50 ms embedded (p95 0.65 ms), 3.2 ms Neo4j (p95 11 ms)
MATCH (parent:Material {key: $material})<-[:KIND_OF]-(m:Material)
OPTIONAL MATCH (m)<-[:MADE_OF]-(p:Product)
RETURN m.key AS material, m.name AS name, count(p) AS products
ORDER BY products DESC, material LIMIT $limit
