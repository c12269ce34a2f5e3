// Products by the words of their titles, best first, through the full-text index (words in Lucene's query language: wooden AND train~).
// @param text: text
// @param limit: integer = 20
// @columns item, title, score
// @cost 80 ms Neo4j (p95 95 ms)
// @needs fulltext
CALL db.index.fulltext.queryNodes('clew_titles', $text) YIELD node, score
RETURN node.key AS item, node.title AS title, score
ORDER BY score DESC, item LIMIT $limit
