// Products whose text says the nearest to a product's (by cosine), through the index of the vectors that `clew graph sync --with-model` writes.
// @param item: text
// @param limit: integer = 20
// @columns other, title, likeness
// @cost 9.1 ms Neo4j (p95 13 ms)
// @needs vectors
MATCH (p:Product {key: $item}) WHERE p.embedding IS NOT NULL
CALL db.index.vector.queryNodes('clew_embeddings', $limit + 1, p.embedding) YIELD node, score
WITH p, node, score WHERE node <> p
RETURN node.key AS other, node.title AS title, 2 * score - 1 AS likeness
ORDER BY likeness DESC, other LIMIT $limit
