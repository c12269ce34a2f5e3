// Entities that no product has.
// @param limit: integer = 20
// @columns label, key, name
// @cost 14 ms embedded (p95 19 ms), 210 ms Neo4j (p95 260 ms)
MATCH (x:Brand)
OPTIONAL MATCH (x)<-[r:HAS_BRAND]-(:Product)
WITH x, count(r) AS facts
WHERE facts = 0
RETURN 'Brand' AS label, x.key AS key, x.name AS name
ORDER BY key LIMIT $limit
UNION ALL
MATCH (x:Material)
OPTIONAL MATCH (x)<-[r:MADE_OF]-(:Product)
WITH x, count(r) AS facts
WHERE facts = 0
RETURN 'Material' AS label, x.key AS key, x.name AS name
ORDER BY key LIMIT $limit
UNION ALL
MATCH (x:Category)
OPTIONAL MATCH (x)<-[r:IN_CATEGORY]-(:Product)
WITH x, count(r) AS facts
WHERE facts = 0
RETURN 'Category' AS label, x.key AS key, x.name AS name
ORDER BY key LIMIT $limit
UNION ALL
MATCH (x:Color)
OPTIONAL MATCH (x)<-[r:HAS_COLOR]-(:Product)
WITH x, count(r) AS facts
WHERE facts = 0
RETURN 'Color' AS label, x.key AS key, x.name AS name
ORDER BY key LIMIT $limit
UNION ALL
MATCH (x:Size)
OPTIONAL MATCH (x)<-[r:HAS_SIZE]-(:Product)
WITH x, count(r) AS facts
WHERE facts = 0
RETURN 'Size' AS label, x.key AS key, x.name AS name
ORDER BY key LIMIT $limit
UNION ALL
MATCH (x:PriceBand)
OPTIONAL MATCH (x)<-[r:IN_PRICE_BAND]-(:Product)
WITH x, count(r) AS facts
WHERE facts = 0
RETURN 'PriceBand' AS label, x.key AS key, x.name AS name
ORDER BY key LIMIT $limit
