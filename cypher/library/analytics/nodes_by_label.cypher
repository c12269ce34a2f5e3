// How many nodes of each label there are.
// @columns label, nodes
MATCH (n)
RETURN labels(n)[0] AS label, count(*) AS nodes
ORDER BY nodes DESC, label
