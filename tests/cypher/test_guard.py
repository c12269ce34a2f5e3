"""The guard lets questions through and nothing else."""

from __future__ import annotations

import random

import pytest

from cypher.guard import MAX_CHARACTERS, MAX_DEPTH, MAX_TOKENS, RefusedError, guard

QUESTIONS = [
    "MATCH (n:Product) RETURN n LIMIT 5",
    "match (n) return n",
    "MATCH (a)-->(b) OPTIONAL MATCH (b)<--(c:`Odd Label`)--(d) RETURN a.set, b {.key, .title}",
    "MATCH p=(u:User {key: 'u1'})-[:BOUGHT*1..3]->(x) WHERE NOT x.title STARTS WITH \"a\" RETURN p ORDER BY x.key DESC SKIP 1 LIMIT $limit",
    "UNWIND [1, 2.5, .5, 1e3] AS x WITH x, x * 2 AS y WHERE y > 1 RETURN CASE WHEN x > 1 THEN 'a' ELSE 'b' END AS c",
    "RETURN [z IN range(1, 3) WHERE z <> 2 | z + 1] AS l, {a: 1, set: 2, create: 3} AS m",
    "MATCH (a) RETURN a.key AS k UNION ALL MATCH (b:Brand) RETURN b.name AS k;",
    "WITH 1 AS x RETURN x /* a remark; DELETE */ // another",
    "MATCH (n) WHERE EXISTS { MATCH (n)-[:BOUGHT]->(m) } RETURN count(*) AS n",
    "MATCH (n) WHERE n.load = 1 AND n:Set RETURN n.delete, n.`drop`",
    "MATCH (n) RETURN coalesce(n.title, n.name) =~ '(?i).*lego.*', toLower(n.key), size(n.name)",
    "MATCH p = shortestPath((a:User {key: $user})-[*..4]-(b:Product)) RETURN length(p), nodes(p), relationships(p)",
    "RETURN {m: toUpper('x'), n: [{d:date('2024-02-29')}]} AS m",
    "MATCH (n) WHERE n.x IS NOT NULL AND n.y IN ['a', 'b'] XOR true RETURN DISTINCT n.x",
]

HOSTILE = [
    # writing
    "CREATE (n:Product {key: 'x'})",
    "MATCH (n) CREATE (m)",
    "MATCH (n) SET n.x = 1",
    "MATCH (n) SET n:Label",
    "MATCH (n) SET n += {a: 1}",
    "MATCH (n) REMOVE n.x",
    "MATCH (n) DELETE n",
    "MATCH (n) DETACH DELETE n",
    "MATCH (n) NODETACH DELETE n",
    "MERGE (n:Product {key: 'x'})",
    "MATCH (n) MERGE (m) ON CREATE SET m.x = 1",
    "MATCH (n) FOREACH (x IN [1] | SET n.x = x)",
    "INSERT (n:Product)",
    "MATCH (n) WITH n LIMIT 1 CREATE (m)",
    "UNWIND [1] AS x CREATE (m {x: x})",
    "MATCH (n) RETURN n UNION MATCH (m) DELETE m RETURN m",
    # the same in disguise
    "match (n) cReAtE (m)",
    "MATCH (n)CREATE(m)",
    "MATCH (n) DETACH/**/DELETE n",
    "MATCH (n)/*x*/SET/*y*/n.x=1",
    "MATCH (n)\nSET\nn.x = 1",
    "MATCH (n) \u017fET n.x = 1",
    "MATCH (n) \uff33\uff25\uff34 n.x = 1",
    "MATCH (n) S\u200bET n.x = 1",
    "MATCH (n) \u0421REATE (m)",
    "MATCH (n) \\u0053ET n.x = 1",
    "MATCH (n) \\U00000053ET n.x = 1",
    "RETURN '\\u0027}) CREATE (m) //'",
    "RETURN 1 AS x \\u0043REATE (n)",
    "MATCH (n) // remark\rCREATE (m)\nSET n.x = 1 RETURN n",
    "MATCH (n) /* a */ /* b */ CREATE (m)",
    "MATCH (n) RETURN n\x00CREATE (m)",
    "MATCH (n) WHERE true CREATE (m)",
    "MATCH (n) RETURN null SET n.x = 1",
    "RETURN CASE WHEN true THEN 1 END CREATE (m)",
    # several statements
    "MATCH (n) RETURN n; MATCH (m) RETURN m",
    "RETURN 1; CREATE (n)",
    "RETURN 1;; RETURN 2",
    "; RETURN 1",
    "RETURN 1; // x\nRETURN 2",
    # files and network
    "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "MATCH (n) LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "LOAD CSV WITH HEADERS FROM 'http://x/' AS l RETURN l",
    "WITH 1 AS x LOAD CSV FROM '/etc/passwd' AS l RETURN l",
    "LOAD FROM '/etc/passwd' RETURN *",
    "COPY (MATCH (n) RETURN n) TO 'x.csv'",
    "COPY Product FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x' AS y",
    "INSTALL httpfs",
    "MATCH (n) RETURN n FORMAT CSV",
    "MATCH (n) RETURN n INTO '/tmp/f'",
    "RETURN file()",
    "RETURN linenumber()",
    "RETURN read_csv('/etc/passwd')",
    "RETURN apoc.load.json('file:///etc/passwd')",
    "RETURN apoc.text.join(['a'], ',')",
    "RETURN `apoc.load.json`('x')",
    "RETURN apoc . load . json ('x')",
    "RETURN genai.vector.encode('x')",
    # procedures and administration
    "CALL db.labels()",
    "CALL db.labels() YIELD label RETURN label",
    "MATCH (n) CALL { WITH n DELETE n }",
    "MATCH (n) CALL (n) { SET n.x = 1 } RETURN n",
    "CALL apoc.cypher.runWrite('CREATE (n)', {})",
    "CALL dbms.security.listUsers()",
    "CALL { MATCH (n) RETURN n } IN TRANSACTIONS",
    "SHOW USERS",
    "SHOW INDEXES",
    "DROP INDEX x",
    "CREATE INDEX FOR (n:Product) ON (n.key)",
    "CREATE CONSTRAINT FOR (n:P) REQUIRE n.x IS UNIQUE",
    "ALTER USER neo4j SET PASSWORD 'x'",
    "CREATE USER x SET PASSWORD 'y'",
    "GRANT ROLE admin TO x",
    "STOP DATABASE neo4j",
    "USE system SHOW USERS",
    "USE neo4j MATCH (n) RETURN n",
    "EXPLAIN MATCH (n) RETURN n",
    "PROFILE MATCH (n) RETURN n",
    "BEGIN TRANSACTION",
    "TERMINATE TRANSACTIONS 'x'",
    "PRAGMA x",
    "USING PERIODIC COMMIT LOAD CSV FROM 'x' AS l RETURN l",
    "FOR VALID_TIME AS OF date('2020-01-01') MATCH (n) RETURN n",
    "CYPHER runtime=parallel MATCH (n) RETURN n",
    # clauses that no list has
    "MATCH (n) FILTER n.x RETURN n",
    "MATCH (n) LET x = 1 RETURN x",
    "MATCH (n) FINISH",
    "RETURN true FINISH",
    "MATCH (n) RETURN COUNT { MATCH (m) }",
    "MATCH (n) RETURN COLLECT { MATCH (m) RETURN m }",
    "FROM x MATCH (n) RETURN n",
    "MATCH (n) NEXT RETURN n",
    "TABLE x",
    # broken and oversized
    "",
    "   ",
    "// only a remark",
    "RETURN 'open",
    'RETURN "open',
    "RETURN `open",
    "RETURN (1",
    "RETURN 1)",
    "RETURN [1}",
    "RETURN 'a' 'b'",
    "RETURN 1 2",
    "MATCH (n) RETURN n.`a``b`",
    "RETURN `" + "x" * 100 + "`",
    "RETURN '\\q'",
    "RETURN @x",
    "RETURN #",
    "RETURN $clew_text_0, 'x'",
    "RETURN '" + "x" * MAX_CHARACTERS + "'",
    "RETURN " + "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
    "RETURN " + "1+" * MAX_TOKENS + "1",
    "MATCH (n) RETURN n " + "x" * 10_000_000,
]


@pytest.mark.parametrize("query", QUESTIONS)
def test_a_question_may_be_asked(query: str) -> None:
    assert guard(query).text


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: query[:40].encode("unicode_escape").decode())
def test_anything_else_is_refused(query: str) -> None:
    with pytest.raises(RefusedError) as refused:
        guard(query)
    assert refused.value.message


def test_there_are_enough_hostile_queries() -> None:
    assert len(set(HOSTILE)) >= 80


def test_strings_become_parameters_and_remarks_go() -> None:
    found = guard("MATCH (n {key: 'it\\'s'}) // who\nWHERE n.x = \"a\\nb\" RETURN n.key = 'c', $own")
    assert found.text == "MATCH (n {key: $clew_text_0}) WHERE n.x = $clew_text_1 RETURN n.key = $clew_text_2, $own"
    assert found.parameters == {"clew_text_0": "it's", "clew_text_1": "a\nb", "clew_text_2": "c"}
    assert found.wanted == {"own"}
    assert found.shown("n.key = $clew_text_2") == "n.key = 'c'"


def test_a_remark_cannot_hide_an_end() -> None:
    assert guard("RETURN 1 AS x /* ' */ // ' \n ").text == "RETURN 1 AS x"


def test_no_mutation_of_a_hostile_query_writes() -> None:
    """What the guard lets through holds no word of writing outside names: shuffles, cuts and joins of hostile queries."""
    rng = random.Random(7)
    pool = [query for query in HOSTILE if 0 < len(query) < 200] + QUESTIONS
    words = {"CREATE", "MERGE", "SET", "DELETE", "REMOVE", "LOAD", "CALL", "FOREACH", "DROP", "COPY", "EXPORT"}
    passed = 0
    for _ in range(5_000):
        first, second = rng.choice(pool), rng.choice(pool)
        cut = rng.randrange(len(first) + 1), rng.randrange(len(second) + 1)
        query = first[: cut[0]] + rng.choice(["", " ", "\n", "/**/", "'", "`"]) + second[cut[1] :]
        try:
            found = guard(query)
        except RefusedError:
            continue
        passed += 1
        text = found.text
        assert ";" not in text
        assert "'" not in text and '"' not in text
        for place, word in enumerate(pieces := text.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()):
            if word.upper() in words:
                assert place + 1 < len(pieces) and pieces[place - 1][-1:] in ":.{,", f"{word} got through in {text!r}"
    assert passed > 50
