"""Shops and models that are wrong, tiny, lopsided or too much: each is answered, or refused with a sentence that says what to do."""

import json
import math

import numpy as np
import pytest
import scipy.sparse as sp

import recommend.fit
from kg.config import TrainConfig
from kg.errors import StateError
from kg.testing import snapshot_of, stated
from recommend.bundle import load
from recommend.service import Recommender
from recommend.testing import DAY, Shop, planted_material
from recommend.train import train
from recommend.views import co_bought as views_co_bought
from recommend.views.co_bought import co_bought

WORDS = TrainConfig(text_encoder=("words",))
QUICK = TrainConfig(text_encoder=("words",), without=("gnn",))


def asked(shop: Shop, user: str = "u0", **settings):
    return Recommender(load(shop)).recommend(user=user, **settings)


TITLES = {f"p{n:02}": f"{'red' if n % 2 else 'blue'} {'hat' if n % 3 else 'lamp'} {n}" for n in range(20)}


def events_of(users: int, each: int = 4) -> list[tuple[str, str, int]]:
    return [(f"u{u}", f"p{(u * 3 + n) % 15:02}", (u + n) * DAY) for u in range(users) for n in range(each)]


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(lambda: snapshot_of(TITLES, (), events_of(1)), id="one user"),
        pytest.param(lambda: snapshot_of({"p00": "hat"}, (), [("u0", "p00", 0)]), id="one product"),
        pytest.param(lambda: snapshot_of(TITLES, (), events_of(12)), id="no attributes at all"),
        pytest.param(lambda: snapshot_of(TITLES, [stated(key, "HAS_BRAND", "acme") for key in TITLES], events_of(12)), id="all equal"),
        pytest.param(lambda: snapshot_of(dict.fromkeys(TITLES, "hat"), (), events_of(12)), id="one title"),
        pytest.param(lambda: snapshot_of({key: key for key in TITLES}, (), events_of(12)), id="no text"),
    ],
)
def test_shops_that_hardly_say_anything_are_answered(graph, tmp_path):
    shop = Shop(tmp_path, graph())
    train(shop, WORDS)
    answer = asked(shop, repeat="yes", k=5)
    assert answer.items and all(math.isfinite(item.explanation.score) for item in answer.items)
    scorer = load(shop)
    profile = scorer.user_profile(0)
    scores = scorer.score(profile)
    for row in range(scorer.n_items):
        assert scorer.parts(profile, row).score == pytest.approx(scores[row], abs=1e-9)


def test_a_user_with_a_hundred_thousand_events(tmp_path):
    """One reseller bought everything many times over: nobody else's list is about that, and the reseller is answered."""
    snapshot, materials = planted_material()
    keys = list(snapshot.items)
    rest = [(f"u{u:03}", keys[row], 0) for u, row in zip(snapshot.events.user_rows, snapshot.events.item_rows, strict=True)]
    many = [("reseller", keys[n % 80], n % 900 * DAY) for n in range(100_000)]
    titles = {key: f"{snapshot.title(row)} no {row}" for row, key in enumerate(keys)}
    facts = [stated(key, "MADE_OF", material) for key, material in zip(keys, materials, strict=True)]
    shop = Shop(tmp_path, snapshot_of(titles, facts, [*rest, *many]))
    assert int((shop.given.events.user_rows == shop.given.users.row("reseller")).sum()) == 100_000
    train(shop, QUICK)
    assert len(asked(shop, "reseller", k=10).items) == 10  # the twenty that are left
    wanted = materials[keys.index(rest[0][1])]
    found = [materials[keys.index(item.item_key)] for item in asked(shop, rest[0][0], k=10).items]
    assert found.count(wanted) >= 5


def test_pairs_of_a_person_who_had_everything_are_left_out(monkeypatch):
    """A hundred thousand products of one person would be five billion pairs; below the limit everybody counts."""
    snapshot, _ = planted_material()
    many = sp.csr_array(np.ones((1, snapshot.n_items), np.float32))
    both = sp.csr_array(sp.vstack([snapshot.interactions, many], format="csr"))
    whole = co_bought(both)
    monkeypatch.setattr(views_co_bought, "CROWD", snapshot.n_items)
    without = co_bought(both)
    assert whole.nnz == snapshot.n_items * (snapshot.n_items - 1)
    assert without.nnz == co_bought(snapshot.interactions).nnz < whole.nnz


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("shop"), snapshot_of(TITLES, (), events_of(12)))
    train(shop, QUICK)
    return shop


def test_weights_that_are_not_finite_are_refused(trained):
    file = next(trained.models.glob("*/manifest.json"))
    whole = file.read_text()
    manifest = json.loads(whole)
    for branch in manifest["weights"]["branches"].values():
        branch["newness"] = float("nan")
    try:
        file.write_text(json.dumps(manifest))
        with pytest.raises(StateError, match="A fusion weight is not finite") as caught:
            load(trained)
        assert "clew train" in caught.value.hint
    finally:
        file.write_text(whole)


def test_a_catalogue_that_grew_since_the_fit_is_refused(trained):
    grown = Shop(trained.path, snapshot_of({**TITLES, "p99": "green hat"}, (), events_of(12)))
    with pytest.raises(StateError, match="The model was trained on the graph") as caught:
        load(grown)
    assert "clew train" in caught.value.hint


def test_a_training_that_was_stopped_goes_on(tmp_path, monkeypatch):
    """Interrupted in the middle of the GNN: the lock is free, the model in use stays, the next run ends where it would have."""
    snapshot, _ = planted_material()
    whole = train(Shop(tmp_path / "whole", snapshot), WORDS)
    shop = Shop(tmp_path / "stopped", snapshot)
    first = train(shop, QUICK)
    import gnn.train

    loss, calls = gnn.train.history_softmax, []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return loss(*arguments)

    monkeypatch.setattr(gnn.train, "history_softmax", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(shop, WORDS)
    assert load(shop).digest == first.digest
    assert list((shop.cache / "text").rglob("gnn-*.json"))
    again = len(calls)
    assert train(shop, WORDS).digest == whole.digest
    second = len(calls) - again
    calls.clear()
    monkeypatch.setattr(gnn.train, "history_softmax", lambda *arguments: calls.append(1) or loss(*arguments))
    train(Shop(tmp_path / "counted", snapshot), WORDS)
    assert second < len(calls)


@pytest.mark.parametrize(
    ("error", "without", "hint"),
    [
        (MemoryError(), (), "clew train --without ease,gnn."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), ("ease",), "clew train --without ease,gnn."),
        (MemoryError(), ("ease", "gnn"), "clew train --text-encoder words."),
    ],
)
def test_out_of_memory_says_what_to_lower(error, without, hint, tmp_path, monkeypatch):
    shop = Shop(tmp_path, snapshot_of(TITLES, (), events_of(12)))

    def too_much(*_: object) -> None:
        raise error

    monkeypatch.setattr(recommend.fit, "fit", too_much)
    with pytest.raises(StateError, match=r"Training ran out of memory; about \d+ MB are needed for 20 products") as caught:
        train(shop, TrainConfig(without=without))
    assert caught.value.hint.endswith(hint)


def test_another_fault_of_torch_is_not_taken_for_a_lack_of_memory(tmp_path, monkeypatch):
    shop = Shop(tmp_path, snapshot_of(TITLES, (), events_of(12)))

    def broken(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(recommend.fit, "fit", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        train(shop, WORDS)
