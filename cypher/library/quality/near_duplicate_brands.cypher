// Brands whose names differ in spaces, hyphens, dots or apostrophes only.
// @param limit: integer = 20
// @columns name, brands, keys
// @cost 11 ms embedded
MATCH (b:Brand)
WITH replace(replace(replace(replace(toLower(b.name), ' ', ''), '-', ''), '.', ''), "'", '') AS name, b
ORDER BY b.key
WITH name, count(b) AS brands, collect(b.key) AS keys
WHERE brands > 1
RETURN name, brands, keys
ORDER BY brands DESC, name LIMIT $limit
