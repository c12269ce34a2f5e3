// The facts that are believed least, with the words that state them.
// @param below: number = 0.7
// @param limit: integer = 20
// @columns relation, item, title, entity, name, confidence, extractor, text
// @cost 68 ms embedded (p95 71 ms), 180 ms Neo4j (p95 206 ms)
MATCH (p:Product)-[r:HAS_BRAND]->(x:Brand)
WHERE r.confidence < $below
RETURN 'HAS_BRAND' AS relation, p.key AS item, p.title AS title, x.key AS entity, x.name AS name, r.confidence AS confidence,
       r.extractor AS extractor, r.text AS text
ORDER BY confidence, item LIMIT $limit
UNION ALL
MATCH (p:Product)-[r:MADE_OF]->(x:Material)
WHERE r.confidence < $below
RETURN 'MADE_OF' AS relation, p.key AS item, p.title AS title, x.key AS entity, x.name AS name, r.confidence AS confidence,
       r.extractor AS extractor, r.text AS text
ORDER BY confidence, item LIMIT $limit
UNION ALL
MATCH (p:Product)-[r:IN_CATEGORY]->(x:Category)
WHERE r.confidence < $below
RETURN 'IN_CATEGORY' AS relation, p.key AS item, p.title AS title, x.key AS entity, x.name AS name, r.confidence AS confidence,
       r.extractor AS extractor, r.text AS text
ORDER BY confidence, item LIMIT $limit
UNION ALL
MATCH (p:Product)-[r:HAS_COLOR]->(x:Color)
WHERE r.confidence < $below
RETURN 'HAS_COLOR' AS relation, p.key AS item, p.title AS title, x.key AS entity, x.name AS name, r.confidence AS confidence,
       r.extractor AS extractor, r.text AS text
ORDER BY confidence, item LIMIT $limit
UNION ALL
MATCH (p:Product)-[r:HAS_SIZE]->(x:Size)
WHERE r.confidence < $below
RETURN 'HAS_SIZE' AS relation, p.key AS item, p.title AS title, x.key AS entity, x.name AS name, r.confidence AS confidence,
       r.extractor AS extractor, r.text AS text
ORDER BY confidence, item LIMIT $limit
