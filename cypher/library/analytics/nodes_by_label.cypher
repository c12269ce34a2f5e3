// How many nodes of each label there are; the node by which a server remembers what it holds is not one of them.
// @columns label, nodes
// @cost 54 ms embedded (p95 64 ms), 32 ms Neo4j (p95 108 ms)
MATCH (n)
WITH labels(n)[0] AS label, count(*) AS nodes
WHERE label <> 'ClewState'
RETURN label, nodes
ORDER BY nodes DESC, label
