// How many facts each extractor stated, and how sure it was.
// @columns relation, extractor, facts, mean_confidence
// @cost 504 ms embedded (p95 504 ms), 532 ms Neo4j (p95 532 ms)
MATCH (:Product)-[r:HAS_BRAND]->(:Brand)
RETURN 'HAS_BRAND' AS relation, r.extractor AS extractor, count(*) AS facts, avg(r.confidence) AS mean_confidence
ORDER BY extractor
UNION ALL
MATCH (:Product)-[r:MADE_OF]->(:Material)
RETURN 'MADE_OF' AS relation, r.extractor AS extractor, count(*) AS facts, avg(r.confidence) AS mean_confidence
ORDER BY extractor
UNION ALL
MATCH (:Product)-[r:IN_CATEGORY]->(:Category)
RETURN 'IN_CATEGORY' AS relation, r.extractor AS extractor, count(*) AS facts, avg(r.confidence) AS mean_confidence
ORDER BY extractor
UNION ALL
MATCH (:Product)-[r:HAS_COLOR]->(:Color)
RETURN 'HAS_COLOR' AS relation, r.extractor AS extractor, count(*) AS facts, avg(r.confidence) AS mean_confidence
ORDER BY extractor
UNION ALL
MATCH (:Product)-[r:HAS_SIZE]->(:Size)
RETURN 'HAS_SIZE' AS relation, r.extractor AS extractor, count(*) AS facts, avg(r.confidence) AS mean_confidence
ORDER BY extractor
UNION ALL
MATCH (:Product)-[r:IN_PRICE_BAND]->(:PriceBand)
RETURN 'IN_PRICE_BAND' AS relation, r.extractor AS extractor, count(*) AS facts, avg(r.confidence) AS mean_confidence
ORDER BY extractor
