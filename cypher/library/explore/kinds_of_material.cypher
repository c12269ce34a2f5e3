// The materials that are a kind of another, and how many products are made of each.
// @param material: text
// @param limit: integer = 20
// @columns material, name, products
// @cost 0.17 ms embedded (p95 0.24 ms)
MATCH (parent:Material {key: $material})<-[:KIND_OF]-(m:Material)
OPTIONAL MATCH (m)<-[:MADE_OF]-(p:Product)
RETURN m.key AS material, m.name AS name, count(p) AS products
ORDER BY products DESC, material LIMIT $limit
