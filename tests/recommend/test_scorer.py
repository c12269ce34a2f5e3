"""The identity of docs/identity.md: a score is the sum of its parts, on random graphs, for every kind of question."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.model import Product
from kg.ontology import Rel
from kg.testing import snapshot_of, stated
from recommend import search
from recommend.history import History
from recommend.ledger import Ledger
from recommend.new_product import new_product
from recommend.profile import Branch, Profile, Recency
from recommend.query import query
from recommend.scorer import Scorer, TextVectors
from recommend.search import Search
from recommend.testing import random_table
from recommend.texts import snapshot_texts
from recommend.views.base import NEW_ROW
from recommend.views.build import Likeness, build_views
from recommend.views.popular import popularity
from recommend.weights import BranchWeights, QueryWeights, Weights
from recommend.words import CatalogueWords

WORDS = ("red", "cotton", "shirt", "steel", "bowl", "lamp", "old", "silk")
ENTITIES = (
    ("MADE_OF", "cotton"),
    ("MADE_OF", "steel"),
    ("HAS_BRAND", "acme"),
    ("HAS_BRAND", "bolt"),
    ("IN_CATEGORY", "hats"),
    ("WORN_BY", "all"),
)


@st.composite
def graphs(draw):
    n_items = draw(st.integers(2, 9))
    keys = [f"p{place}" for place in range(n_items)]
    titles = {key: " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))) for key in keys}
    facts = [stated(key, *entity) for key in keys for entity in ENTITIES if draw(st.booleans())]
    facts += [stated(a, "ALSO_BOUGHT", b) for a in keys for b in keys if a != b and draw(st.integers(0, 4)) == 0]
    pairs = draw(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(keys[: max(1, n_items - 2)]), st.integers(0, 50)), max_size=25))
    return snapshot_of(titles, facts, [(f"u{user}", key, time * 86_400) for user, key, time in pairs])


def scorer_of(snapshot, seed):
    random = np.random.default_rng(seed)
    words = CatalogueWords.fit(snapshot_texts(snapshot))
    vectors = random.normal(size=(snapshot.n_items, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    views = build_views(snapshot, Likeness.build(words, vectors), random_table(snapshot, words, random, towers=1 + seed % 2))
    names = [view.name for view in views]

    def weights():
        return BranchWeights(
            dict(zip(names, random.normal(size=len(names)), strict=True)),
            dict(zip(names, random.random(len(names)), strict=True)),
            *random.normal(size=2),
        )

    chosen = Weights({Branch.KNOWN: weights(), Branch.FEW_EVENTS: weights()}, QueryWeights(*random.random(3)), Recency(100.0, 3.0))
    text = TextVectors(vectors, lambda one: np.array([len(one), 1.0, -1.0], np.float32))
    return Scorer(snapshot, views, popularity(snapshot.interactions), chosen, words, text)


def same(parts, score):
    return abs(parts.score - score) <= 1e-9 * max(1.0, abs(score))


RANDOM = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RANDOM
@given(graphs(), st.integers(0, 1000))
def test_a_persons_score_is_the_sum_of_its_parts(snapshot, seed):
    scorer = scorer_of(snapshot, seed)
    for user_row in range(snapshot.n_users):
        profile = scorer.user_profile(user_row)
        scores = scorer.score(profile)
        for item_row in range(snapshot.n_items):
            parts = scorer.parts(profile, item_row)
            assert same(parts, scores[item_row])
            for path in parts.paths:
                assert path.history_row in profile.item_rows
                assert path.hops[-1].kind == "item" and path.hops[-1].row == item_row


@RANDOM
@given(graphs(), st.integers(0, 1000))
def test_paths_exist_in_the_graph(snapshot, seed):
    scorer = scorer_of(snapshot, seed)
    profile = Profile(Branch.SESSION, np.array([0], np.int32), np.ones(1, np.float32))
    had = snapshot.interactions.toarray() > 0
    for item_row in range(snapshot.n_items):
        for path in scorer.parts(profile, item_row).paths:
            start = path.history_row
            for hop in path.hops:
                if hop.edge == Rel.CO_BOUGHT:
                    assert hop.derived and hop.count == (had[:, start] & had[:, hop.row]).sum() > 0
                elif hop.edge == Rel.SIMILAR_TEXT:
                    for term in hop.words:
                        assert set(term.split()) <= set(snapshot.title(start).split()) & set(snapshot.title(hop.row).split())
                elif not hop.derived:
                    ends = (start, hop.row) if hop.direction == "out" else (hop.row, start)
                    assert snapshot.edges[hop.edge].find(*ends) is not None
                start = hop.row


@RANDOM
@given(graphs(), st.integers(0, 1000))
def test_a_product_as_question(snapshot, seed):
    scorer = scorer_of(snapshot, seed)
    profile = scorer.similar(0)
    scores = scorer.score(profile)
    for item_row in range(snapshot.n_items):
        parts = scorer.parts(profile, item_row)
        assert same(parts, scores[item_row])
        assert all(path.history_row is None for path in parts.paths)


@RANDOM
@given(graphs(), st.integers(0, 1000), st.lists(st.sampled_from((*WORDS, "acme", "zzz")), min_size=1, max_size=5))
def test_words_as_question(snapshot, seed, words):
    scorer = scorer_of(snapshot, seed)
    scored = query(scorer, " ".join(words))
    for item_row in range(snapshot.n_items):
        parts = scored.parts(item_row)
        assert same(parts, scored.scores[item_row])
        assert all(path.hops[0].edge == Rel.MATCHES for path in parts.paths)


@RANDOM
@given(graphs(), st.integers(0, 1000), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.sets(st.sampled_from(ENTITIES)))
def test_a_product_that_the_graph_does_not_have(snapshot, seed, words, entities):
    scorer = scorer_of(snapshot, seed)
    met = new_product(scorer, Product("new", " ".join(words)), [stated("new", *entity) for entity in sorted(entities)])
    for user_row in range(snapshot.n_users):
        parts = met.users.parts(user_row)
        assert same(parts, met.users.scores[user_row])
        assert all(path.hops[-1].row == NEW_ROW for path in parts.paths)
    for item_row in range(snapshot.n_items):
        assert same(met.similar.parts(item_row), met.similar.scores[item_row])


@RANDOM
@given(graphs(), st.integers(0, 1000))
def test_blocks_score_as_single_profiles_do(snapshot, seed):
    from recommend.rankers.learned import scores_of

    scorer = scorer_of(snapshot, seed)
    block = scores_of(scorer, snapshot.events, snapshot.n_users)
    for user_row in range(snapshot.n_users):
        assert np.allclose(block[user_row], scorer.score(scorer.user_profile(user_row)), atol=1e-4)


def test_many_products_keep_the_best_exact():
    random = np.random.default_rng(0)
    titles = {f"p{place:04}": " ".join(random.choice(WORDS, 3)) for place in range(1500)}
    events = [(f"u{place % 40}", f"p{random.integers(0, 1400):04}", place) for place in range(800)]
    snapshot = snapshot_of(titles, [stated(key, "MADE_OF", "cotton") for key in list(titles)[::3]], events)
    scorer = scorer_of(snapshot, 1)
    profile = scorer.user_profile(3)
    scores = scorer.score(profile)
    for item_row in np.argsort(-scores)[:200]:
        assert same(scorer.parts(profile, int(item_row)), scores[item_row])
    worst = max(abs(scorer.parts(profile, int(row)).score - scores[row]) for row in np.argsort(scores)[:50])
    assert worst < 1e-4


def test_nobody_and_nothing_fall_back_to_popularity():
    snapshot = snapshot_of({"a": "red shirt", "b": "steel bowl"}, [], [("u", "a", 1)])
    scorer = scorer_of(snapshot, 0)
    empty = Profile(Branch.NEW_USER, np.empty(0, np.int32), np.empty(0, np.float32))
    assert scorer.score(empty).tolist() == scorer.popularity.tolist() == [1.0, 0.0]
    assert scorer.parts(empty, 0).popularity == 1.0
    scored = query(scorer, "qqqq zzzz")
    assert scored.fallback and scored.scores.tolist() == [1.0, 0.0] and scored.parts(0).score == 1.0


def test_a_branch_without_weights_is_refused():
    from kg.errors import StateError

    with pytest.raises(StateError, match="no weights for the branch"):
        Weights({}).branch(Branch.KNOWN)
    with pytest.raises(StateError, match="not finite"):
        BranchWeights({"gnn": float("nan")}, {})


@RANDOM
@given(graphs(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 4))
def test_a_search_by_bounds_finds_what_scoring_all_finds(snapshot, seed, few, n):
    scorer = scorer_of(snapshot, seed)
    random = np.random.default_rng(seed)
    profiles = [scorer.user_profile(row) for row in range(snapshot.n_users)]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HEAD", "LARGEST", "_RUN", "_SAMPLE"):  # so few that the bounds have to hold
            patch.setattr(search, name, few)
        patch.setattr(search, "FEW", 0 if seed % 3 else 100)  # bounds, or all products
        patch.setattr(search, "_SHARE", 1 if seed % 2 else 2)
        looking = Search(scorer)
        for profile in (*profiles, scorer.similar(0), scorer.session_profile([0, snapshot.n_items - 1])):
            allowed = random.random(snapshot.n_items) < 0.8
            rows, scores = looking.best(History(profile), allowed, n)
            whole = scorer.score(profile)
            assert scores == pytest.approx(whole[rows], rel=1e-9, abs=1e-9)
            assert allowed[rows].all() and len(rows) >= min(n, int(allowed.sum()))
            assert scores[:n] == pytest.approx(np.sort(whole[allowed])[::-1][:n], rel=1e-9, abs=1e-9)


def test_a_search_looks_whole_at_few_of_many_products():
    random = np.random.default_rng(3)
    snapshot = snapshot_of({f"p{place:04d}": " ".join(random.choice(WORDS, 3)) for place in range(3000)}, [], [("u", "p0001", 1)])
    scorer = scorer_of(snapshot, 2)
    profile = scorer.user_profile(0)
    whole, everything = scorer.score(profile), np.ones(3000, bool)
    everything[1] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "FEW", 0)
        rows, scores = Search(scorer).best(History(profile), everything, 10)
    assert 10 <= len(rows) < 300
    assert scores[:10] == pytest.approx(np.sort(whole[everything])[::-1][:10], rel=1e-9)
    every = list(Search(scorer).best_first(History(profile), everything, 1))
    assert sorted(every) == np.flatnonzero(everything).tolist()
    assert (np.diff(whole[every]) < 1e-4).all()


@RANDOM
@given(graphs(), st.integers(0, 1000))
def test_the_columns_of_a_list_say_what_the_parts_say(snapshot, seed):
    scorer = scorer_of(snapshot, seed)
    rows = np.random.default_rng(seed).permutation(snapshot.n_items).astype(np.int32)
    profiles = [scorer.user_profile(user_row) for user_row in range(snapshot.n_users)]
    for profile in (*profiles, scorer.similar(0), scorer.session_profile([0, snapshot.n_items - 1])):
        ledger = Ledger(scorer, History(profile), rows)
        for slot, row in enumerate(rows.tolist()):
            ours, theirs = ledger.parts(slot), scorer.parts(profile, row)
            for name in ("text", "popularity", "latent", "baseline"):
                assert abs(getattr(ours, name) - getattr(theirs, name)) <= 1e-9
            assert _by_path(ours) == pytest.approx(_by_path(theirs), abs=1e-12)


def _by_path(parts):
    found = {}
    for path in parts.paths:
        key = (path.view, str(path.relation), path.history_row, path.hops)
        found[key] = found.get(key, 0.0) + path.contribution
    return {key: value for key, value in found.items() if abs(value) > 1e-12}
