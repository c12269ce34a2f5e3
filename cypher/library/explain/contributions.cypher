// Every path of a score with what it adds; clew explain USER ITEM --cypher fills in the model's numbers, one weight an edge.
// @param user: text
// @param item: text
// @param history: list = []
// @param own: list = []
// @param had: list = []
// @param near: list = []
// @param found: list = []
// @param buyers: integer = 0
// @param shrink: number = 3.0
// @columns relation, bought, title, via, name, contribution
// @cost 26 ms embedded (p95 374 ms), 105 ms Neo4j (p95 105 ms)
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:HAS_BRAND]->(x:Brand)
UNWIND $own AS own
WITH x, own WHERE own.relation = 'HAS_BRAND' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:HAS_BRAND]->(y:Brand)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = 'HAS_BRAND' AND had.key = b.key AND had.entity = x.key
RETURN 'HAS_BRAND' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:MADE_OF]->(x:Material)
UNWIND $own AS own
WITH x, own WHERE own.relation = 'MADE_OF' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:MADE_OF]->(y:Material)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = 'MADE_OF' AND had.key = b.key AND had.entity = x.key
RETURN 'MADE_OF' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:IN_CATEGORY]->(x:Category)
UNWIND $own AS own
WITH x, own WHERE own.relation = 'IN_CATEGORY' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:IN_CATEGORY]->(y:Category)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = 'IN_CATEGORY' AND had.key = b.key AND had.entity = x.key
RETURN 'IN_CATEGORY' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:HAS_COLOR]->(x:Color)
UNWIND $own AS own
WITH x, own WHERE own.relation = 'HAS_COLOR' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:HAS_COLOR]->(y:Color)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = 'HAS_COLOR' AND had.key = b.key AND had.entity = x.key
RETURN 'HAS_COLOR' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:HAS_SIZE]->(x:Size)
UNWIND $own AS own
WITH x, own WHERE own.relation = 'HAS_SIZE' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:HAS_SIZE]->(y:Size)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = 'HAS_SIZE' AND had.key = b.key AND had.entity = x.key
RETURN 'HAS_SIZE' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution
UNION ALL
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:IN_PRICE_BAND]->(x:PriceBand)
UNWIND $own AS own
WITH x, own WHERE own.relation = 'IN_PRICE_BAND' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:IN_PRICE_BAND]->(y:PriceBand)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = 'IN_PRICE_BAND' AND had.key = b.key AND had.entity = x.key
RETURN 'IN_PRICE_BAND' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution
UNION ALL
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)
MATCH (i:Product {key: $item})<-[:BOUGHT]-(o:User)
MATCH (o)-[:BOUGHT]->(b)
WHERE b.key <> $item
WITH DISTINCT b, o
MATCH (o)-[:BOUGHT]->(p:Product)
WITH b, o, count(p) AS products
WITH b, sum(1.0 / sqrt(products)) AS people
MATCH (b)<-[:BOUGHT]-(x:User)
WITH b, people, count(x) AS buyers
UNWIND $history AS h
WITH b, people, buyers, h WHERE h.key = b.key AND h.both <> 0
RETURN 'CO_BOUGHT' AS relation, b.key AS bought, b.title AS title, null AS via, null AS name,
       h.both * people / sqrt((buyers + $shrink) * ($buyers + $shrink)) AS contribution
UNION ALL
UNWIND $near AS n
MATCH (k:Product {key: n.key})<-[:BOUGHT]-(o:User)
MATCH (o)-[:BOUGHT]->(b:Product)
MATCH (u:User {key: $user})-[:BOUGHT]->(b)
WHERE b.key <> k.key
WITH DISTINCT b, k, o, n.weight AS near
MATCH (o)-[:BOUGHT]->(p:Product)
WITH b, k, near, o, count(p) AS products
WITH b, k, near, sum(1.0 / sqrt(products)) AS people
MATCH (b)<-[:BOUGHT]-(x:User)
WITH b, k, near, people, count(x) AS buyers
MATCH (k)<-[:BOUGHT]-(z:User)
WITH b, k, near, people, buyers, count(z) AS others
UNWIND $history AS h
WITH b, k, near, people, buyers, others, h WHERE h.key = b.key AND h.bridge <> 0
UNWIND h.met AS met
WITH b, k, near, people, buyers, others, h, met WHERE met = k.key
RETURN 'CO_BOUGHT' AS relation, b.key AS bought, b.title AS title, k.key AS via, k.title AS name,
       h.bridge * near * people / sqrt((buyers + $shrink) * (others + $shrink)) AS contribution
UNION ALL
UNWIND $found AS edge
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product {key: edge.key})
RETURN edge.relation AS relation, b.key AS bought, b.title AS title, null AS via, null AS name, edge.weight AS contribution
