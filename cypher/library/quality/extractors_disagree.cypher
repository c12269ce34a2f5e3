// Products to which two extractors give different brands.
// @param limit: integer = 20
// @columns item, title, brand, extractor, other_brand, other_extractor
// @cost 240 ms embedded (p95 257 ms), 674 ms Neo4j (p95 674 ms)
MATCH (p:Product)-[r:HAS_BRAND]->(b:Brand)
WITH p, r, b
MATCH (p)-[s:HAS_BRAND]->(c:Brand)
WHERE b.key < c.key AND r.extractor <> s.extractor
RETURN p.key AS item, p.title AS title, b.key AS brand, r.extractor AS extractor, c.key AS other_brand, s.extractor AS other_extractor
ORDER BY item, brand, other_brand LIMIT $limit
