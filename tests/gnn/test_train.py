from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import gnn.train
import gnn.validation
from gnn.batches import Batches
from gnn.config import GnnConfig
from gnn.device import choose_device
from gnn.embeddings import EmbeddingTable
from gnn.encoder import Inputs, Tower
from gnn.features import TextFeatures, text_features
from gnn.losses import history_softmax
from gnn.tensors import entity_idf, events_of_hetero, item_edges, row_weights, to_hetero
from gnn.testing import QUICK, random_features, random_shop
from gnn.text import text_encoder
from gnn.train import fit
from gnn.validation import Validation
from kg.errors import EngineError, InputError, StateError
from kg.testing import snapshot_of, stated


def planted_shop(n_users: int = 60):
    """Only the material tells who wants what: half of the people buy oak, half buy steel; titles and brands say nothing."""
    random = np.random.default_rng(0)
    materials = ["oak", "steel"]
    items = {f"p{i:02}": f"item number {i}" for i in range(40)}
    facts = [stated(key, "MADE_OF", materials[place % 2]) for place, key in enumerate(items)]
    facts += [stated(key, "HAS_BRAND", f"brand {random.integers(4)}") for key in items]
    sold = [key for place, key in enumerate(items) if place < 30]
    events = sorted({(f"u{user:02}", sold[2 * random.integers(15) + user % 2]) for user in range(n_users) for _ in range(5)})
    return snapshot_of(items, facts, events, timed=False)


def test_planted_material_is_found_for_products_nobody_bought() -> None:
    shop = planted_shop()
    config = GnnConfig(dim=16, steps=60, people=64, warmup=5)
    table = fit(shop, np.zeros((shop.n_items, 3), np.float32), config)
    scores = shop.interactions @ table.source_vectors() @ table.target_vectors().T
    cold = np.flatnonzero(~table.known)
    made_of = shop.fact_matrix("MADE_OF").toarray()
    likes = shop.interactions @ made_of
    agrees = (likes @ made_of[cold].T) > 0
    worst = np.where(agrees, scores[:, cold], np.inf).min(1)
    assert (worst > np.where(agrees, -np.inf, scores[:, cold]).max(1)).mean() >= 0.95, "each person's material comes first"


def test_same_seed_same_bytes_other_seed_others() -> None:
    shop, features = random_shop(1), random_features(1, 20)
    first, second = fit(shop, features, QUICK), fit(shop, features, QUICK)
    assert first.digest == second.digest
    assert fit(shop, features, GnnConfig(**{**QUICK.to_dict(), "seed": 1})).digest != first.digest


def test_many_threads_give_the_same_bytes_as_one() -> None:
    shop = planted_shop(1500)  # enough rows a step that torch shares them out among threads
    features, config = random_features(1, shop.n_items), GnnConfig(dim=32, steps=4, warmup=1, people=1500)
    before, digests = torch.get_num_threads(), []
    try:
        for threads in (1, 4, 4):
            torch.set_num_threads(threads)
            digests.append(fit(shop, features, config).digest)
    finally:
        torch.set_num_threads(before)
    assert len(set(digests)) == 1
    assert not torch.are_deterministic_algorithms_enabled(), "what else a process does with torch is as it was"


def test_table_round_trip_and_damage(tmp_path) -> None:
    shop = random_shop(2)
    table = fit(shop, random_features(2, shop.n_items), QUICK)
    table.save(tmp_path)
    again = EmbeddingTable.load(tmp_path)
    assert again.digest == table.digest and again.settings["steps"] == QUICK.steps
    np.testing.assert_array_equal(again.source_vectors(), table.source_vectors())
    assert again.known.dtype == np.bool_ and (again.known == table.known).all()
    again.require(shop.digest)
    with pytest.raises(StateError, match="belong to the graph"):
        again.require("sha256:" + "0" * 64)
    data = tmp_path / "embeddings.safetensors"
    data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(StateError, match="cut short"):
        EmbeddingTable.load(tmp_path)
    (tmp_path / "embeddings.json").write_text("{")
    with pytest.raises(StateError, match="damaged"):
        EmbeddingTable.load(tmp_path)
    (tmp_path / "embeddings.json").write_text('{"format": 99}')
    with pytest.raises(StateError, match="newer version"):
        EmbeddingTable.load(tmp_path)
    with pytest.raises(StateError, match="no embeddings"):
        EmbeddingTable.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("titles", "facts", "events"),
    [
        ({"a": "one product"}, [], []),
        ({"a": "one product"}, [stated("a", "HAS_BRAND", "x")], [("u", "a")]),
        ({"a": "first", "b": "second"}, [], []),
        ({"a": "first", "b": "second"}, [], [("u", "a"), ("v", "b")]),
        ({"a": "first", "b": "second"}, [stated("a", "HAS_BRAND", "x"), stated("b", "HAS_BRAND", "x")], [("u", "a"), ("u", "b")]),
        ({"a": "first", "b": "second", "c": "third"}, [], [("u", "a"), ("u", "b"), ("v", "b"), ("v", "c")]),
        ({"a": "🧸", "b": "🎈"}, [], [("u", "a"), ("u", "b")]),
    ],
    ids=["one product", "one bought", "no events", "one each", "all equal attributes", "no entities", "no words"],
)
def test_small_shops_do_not_crash(titles, facts, events) -> None:
    shop = snapshot_of(titles, facts, events, timed=False)
    encoder = text_encoder("words", shop.titles())
    table = fit(shop, text_features(encoder, shop.titles()), QUICK)
    for vectors in (table.source_vectors(), table.target_vectors()):
        assert vectors.shape == (len(titles), QUICK.dim) and np.isfinite(vectors).all()


def test_a_shop_to_learn_nothing_from_says_so() -> None:
    notes = []

    class Listener:
        def stage(self, name, total=None):
            raise AssertionError("nothing is trained")

        def note(self, message: str) -> None:
            notes.append(message)

    shop = snapshot_of({"a": "first", "b": "second"})
    table = fit(shop, np.eye(2, dtype=np.float32), QUICK, Listener())
    assert table.settings["steps"] == 0 and not table.known.any()
    assert notes == ["Nobody has two products, so the GNN is not trained; products are alike as far as their texts are."]


def test_bad_features_are_refused() -> None:
    shop = random_shop(3)
    with pytest.raises(InputError, match="not finite, first in row 4"):
        features = np.ones((shop.n_items, 2), np.float32)
        features[4, 1] = np.nan
        fit(shop, features, QUICK)
    with pytest.raises(StateError, match="features of 3 products"):
        fit(shop, np.ones((3, 2), np.float32), QUICK)


def test_divergence_is_refused() -> None:
    shop = random_shop(3)
    with pytest.raises(StateError, match="diverged"):
        fit(shop, random_features(3, shop.n_items), GnnConfig(**{**QUICK.to_dict(), "temperature": 1e-40}))


def test_a_device_that_is_not_there_is_refused() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="no device 'cuda'"):
            choose_device("cuda")
    with pytest.raises(EngineError, match="no device 'cuda:99'"):
        choose_device("cuda:99")
    for name in ("gpu", "cuda:first", "cpu:", "cpu:01", "cuda:٣"):
        with pytest.raises(InputError, match="is no device"):
            choose_device(name)
    assert choose_device("cpu") == torch.device("cpu")


def test_resumes_where_it_stopped(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, features = random_shop(4), random_features(4, 20)
    whole = fit(shop, features, QUICK)
    calls = []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return history_softmax(*args)

    monkeypatch.setattr(gnn.train, "history_softmax", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(shop, features, QUICK, checkpoint=tmp_path)
    assert list(tmp_path.glob("gnn-*.json"))
    calls.extend([1] * 100)
    before = len(calls)
    resumed = fit(shop, features, QUICK, checkpoint=tmp_path)
    assert len(calls) - before == QUICK.steps - 8, "steps that were kept are not done again"
    np.testing.assert_allclose(resumed.source_vectors(), whole.source_vectors(), atol=1e-6)
    assert not list(tmp_path.iterdir()), "a finished fit leaves nothing"


def test_stops_early_and_keeps_the_best_step() -> None:
    shop = random_shop(5)
    random = np.random.default_rng(5)
    valid = Validation(random.integers(0, shop.n_users, 30).astype(np.int32), random.integers(0, shop.n_items, 30).astype(np.int32))
    config = GnnConfig(**{**QUICK.to_dict(), "steps": 400, "check_every": 2, "patience": 2})
    table = fit(shop, random_features(5, shop.n_items), config, valid=valid)
    assert table.settings["steps"] < 400
    assert table.settings["best_step"] <= table.settings["steps"]
    source, target = (v.astype(np.float32) for v in (table.source_vectors(), table.target_vectors()))
    parts = valid.parts(shop)
    assert np.mean([part.ndcg(source, target) for part in parts.values()]) == pytest.approx(table.settings["valid"], abs=1e-6)


def test_a_plan_is_left_where_an_earlier_fit_was_best() -> None:
    shop, ends = planted_shop(), []
    for stop_at in (0, 7, 99):
        table = fit(shop, np.zeros((shop.n_items, 3), np.float32), GnnConfig(dim=8, steps=12, people=64, warmup=5, stop_at=stop_at))
        ends.append(table.settings["steps"])
    assert ends == [12, 7, 12]


def test_a_crowded_relation_is_left_to_its_view() -> None:
    shop = planted_shop()
    table = fit(shop, np.zeros((shop.n_items, 3), np.float32), GnnConfig(dim=8, steps=2, people=64, crowd=0.5))
    assert table.relations == ()
    assert fit(shop, np.zeros((shop.n_items, 3), np.float32), GnnConfig(dim=8, steps=2, people=64)).relations == ("HAS_BRAND", "MADE_OF")


def test_best_step_survives_an_interruption(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, features = random_shop(5), random_features(5, 20)
    valid = Validation(np.arange(shop.n_users, dtype=np.int32), np.full(shop.n_users, 18, np.int32))
    whole = fit(shop, features, QUICK, valid=valid)
    calls = []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return history_softmax(*args)

    monkeypatch.setattr(gnn.train, "history_softmax", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(shop, features, QUICK, valid=valid, checkpoint=tmp_path)
    resumed = fit(shop, features, QUICK, valid=valid, checkpoint=tmp_path)
    assert resumed.settings["best_step"] == whole.settings["best_step"]
    np.testing.assert_allclose(resumed.source_vectors(), whole.source_vectors(), atol=1e-6)


def test_steps_grow_with_the_number_of_people() -> None:
    assert GnnConfig().planned_steps(600) == 60
    assert 170 <= GnnConfig().planned_steps(22_000) <= 190
    assert GnnConfig().planned_steps(0) == 40 and GnnConfig().planned_steps(10**7) == 200
    assert GnnConfig(steps=7).planned_steps(600) == 7


def test_ndcg_by_hand() -> None:
    shop = snapshot_of({k: k for k in "abcd"}, [], [("u", "a")], timed=False)
    valid = Validation(np.array([0], np.int32), np.array([2], np.int32))
    part = valid.parts(shop)["cold"]  # candidates b, c, d
    source = np.ones((4, 1), np.float32)
    target = np.array([[9.0], [3.0], [2.0], [1.0]], np.float32)
    assert part.ndcg(source, target) == pytest.approx(1 / np.log2(3))


def test_loss_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 0.0], [0.5, 0.0, -1.0, 2.0]])
    people, columns = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 3])
    seen = torch.tensor([[0, 0, 1, 1], [0, 1, 3, 0]])  # person 0 has 0 and 1; person 1 has 3 (hidden) and 0 (shown)
    found = history_softmax(logits, logits[people, columns], people, seen)

    def one(target, others):
        return -np.log(np.exp(target) / (np.exp(target) + np.exp(others).sum()))

    by_hand = ((one(1.0, np.array([3.0, 0.0])) + one(2.0, np.array([3.0, 0.0]))) / 2 + one(2.0, np.array([0.0, -1.0]))) / 2
    assert float(found) == pytest.approx(by_hand, abs=1e-6)


def test_batches_split_every_history_in_two() -> None:
    shop = random_shop(6, n_items=40, n_users=30)
    rows = shop.interactions[np.flatnonzero(np.diff(shop.interactions.indptr) >= 2)]
    batches = Batches(rows, GnnConfig(people=8, target_share=0.3))
    seen_people = 0
    for step in range(6):
        batch = batches.draw(step)
        again = batches.draw(step)
        assert (batch.target_columns == again.target_columns).all() and (batch.inputs != again.inputs).nnz == 0
        hidden = np.bincount(batch.target_people, minlength=8)
        shown = np.diff(batch.inputs.indptr)
        assert (hidden >= 1).all() and (shown >= 1).all()
        assert len(batch.seen[0]) == hidden.sum() + shown.sum()
        seen_people += len(hidden)
    assert seen_people == 48


def test_sampled_softmax_holds_all_targets() -> None:
    shop = random_shop(6, n_items=40, n_users=30)
    rows = shop.interactions[np.flatnonzero(np.diff(shop.interactions.indptr) >= 2)]
    batch = Batches(rows, GnnConfig(people=8, candidates=5)).draw(0)
    assert (batch.target_columns >= 0).all() and len(batch.columns) < 40
    table = fit(shop, random_features(6, 40), GnnConfig(**{**QUICK.to_dict(), "candidates": 5}))
    assert np.isfinite(table.source_vectors()).all()


def test_a_sampled_step_is_that_of_all_products() -> None:
    """Products that a step neither shows nor asks for are not embedded; its loss and its gradients are as if they were."""
    shop = random_shop(6, n_items=40, n_users=30)
    config = GnnConfig(
        **{**QUICK.to_dict(), "candidates": 5, "people": 4, "logits": "float32", "identity_dropout": 0.0, "word_dropout": 0.0}
    )
    encoder = text_encoder("words", ["oak table", "steel chair", "oak bed", "red lamp"] * 10)
    features = text_features(encoder, ["oak table", "steel chair", "oak bed", "red lamp"] * 10)
    relations = tuple(shop.facts())
    edges = item_edges(shop, relations, entity_idf(shop, relations))
    known = np.flatnonzero(shop.item_event_counts > 0)
    inputs = Inputs.of(features, edges, len(relations), shop.n_entities, known, torch.device("cpu"))
    tower = Tower(inputs, shop.n_entities, config, torch.Generator().manual_seed(1))
    histories = sp.csr_array(shop.interactions[:, known])
    histories = histories[np.flatnonzero(np.diff(histories.indptr) >= 2)]
    batch = Batches(histories, config).draw(0)
    assert len(batch.columns) < len(known) and len(np.unique(batch.inputs.indices)) < len(known), "else nothing is left out"

    def told(loss: torch.Tensor) -> tuple[float, list[np.ndarray]]:
        tower.zero_grad(set_to_none=True)
        loss.backward()
        return float(loss.detach()), [p.grad.numpy().copy() for p in tower.parameters() if p.grad is not None]

    random = torch.Generator()
    q, v = tower.source(inputs, random), tower.target(inputs, random)
    people = torch.nn.functional.normalize(torch.from_numpy(batch.inputs.toarray()) @ q, dim=1) / config.temperature
    columns, who = torch.from_numpy(batch.columns), torch.from_numpy(batch.target_people)
    wanted = (people[who] * v[columns][torch.from_numpy(batch.target_columns)]).sum(1)
    whole = told(history_softmax(people @ v[columns].T, wanted, who, torch.from_numpy(batch.seen)))
    sampled = told(gnn.train._loss(tower, inputs, batch, config, random))
    assert sampled[0] == pytest.approx(whole[0], abs=1e-6)
    assert len(sampled[1]) == len(whole[1]) > 4
    for one, other in zip(sampled[1], whole[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_look_at_many_candidates_is_one_at_fewer_people() -> None:
    shop = snapshot_of({f"p{i:02}": "x" for i in range(40)}, [], [(f"u{i:04}", f"p{i % 20:02}") for i in range(1200)], timed=False)
    valid = Validation(np.arange(1200, dtype=np.int32), np.full(1200, 30, np.int32))
    assert len(np.unique(valid.parts(shop)["cold"].history.indices)) == 20 and valid.parts(shop)["cold"].history.shape[0] == 1200
    assert gnn.validation.most_people(2000, 100_000) == 600
    assert gnn.validation.most_people(2000, 20_000) == 2000 and gnn.validation.most_people(2000, 10_000_000) == 500


def test_a_long_history_is_sampled() -> None:
    shop = snapshot_of({f"p{i:03}": "x" for i in range(300)}, [], [("u", f"p{i:03}") for i in range(300)], timed=False)
    batch = Batches(shop.interactions, GnnConfig(max_history=50)).draw(0)
    assert len(batch.target_people) == 15 and batch.inputs.nnz == 35


def test_products_order_and_names_do_not_matter() -> None:
    """The same shop with keys that sort the other way round gives the same untrained likenesses."""
    titles = {"a": "red lipstick", "b": "red nail polish", "c": "oak table"}
    features = {"a": [1.0, 0.0], "b": [0.8, 0.6], "c": [0.0, 1.0]}
    renamed = {"c": "a", "b": "b", "a": "c"}
    first = fit(snapshot_of(titles), np.array([features[k] for k in "abc"], np.float32), QUICK)
    second = fit(snapshot_of({renamed[k]: v for k, v in titles.items()}), np.array([features[k] for k in "cba"], np.float32), QUICK)
    one, other = (t.source_vectors() @ t.target_vectors().T for t in (first, second))
    np.testing.assert_allclose(one, other[::-1, ::-1], atol=1e-6)


def test_hetero_data_and_back() -> None:
    shop = random_shop(7)
    data = to_hetero(shop, np.ones((shop.n_items, 2), np.float32))
    assert data.validate()
    assert data["Product"].x.shape == (shop.n_items, 2)
    edges = shop.edges["MADE_OF"]
    assert (data["Product", "MADE_OF", "Entity"].edge_index.numpy() == np.stack([edges.source_rows, edges.target_rows])).all()
    log, again = shop.events, events_of_hetero(data, shop)
    assert (again.user_rows == log.user_rows).all() and (again.item_rows == log.item_rows).all() and (again.times == log.times).all()


def test_row_weights_have_length_one_or_zero() -> None:
    weights = row_weights(np.array([0, 2, 2, 3]), np.array([3.0, 4.0, 0.0], np.float32))
    np.testing.assert_allclose(weights, [0.6, 0.8, 0.0])


def test_no_torch_where_answers_are_served() -> None:
    code = (
        "import sys; import gnn.embeddings, gnn.inductive, gnn.decompose, gnn.config, gnn.features, gnn.text; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": -1}, "steps is -1"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"device": "gpu"}, "'gpu' is no device"),
        ({"target_share": 1.0}, "target_share is 1.0"),
        ({"stepss": 3}, "no setting 'stepss'"),
        ({"steps": "many"}, "steps is 'many'"),
        ({"steps": True}, "steps is True"),
    ],
)
def test_settings_are_checked(values, message) -> None:
    with pytest.raises(InputError, match=message):
        GnnConfig.of(values)


def test_a_misspelt_setting_names_the_nearest() -> None:
    with pytest.raises(InputError) as error:
        GnnConfig.of({"temprature": 0.1})
    assert error.value.hint == "Did you mean temperature?"
    assert GnnConfig.of({"learning_rate": 1}).learning_rate == 1


def test_features_of_words_and_vectors() -> None:
    texts = ["red lipstick", "red nail polish", "oak table"]
    encoder = text_encoder("words", texts)
    named = text_features(encoder, texts)
    assert named.dense.shape == (3, 0) and named.words.shape == (3, len(encoder.index)) and named.digest == encoder.digest
    plain = text_features(encoder, texts, learn_words=False)
    np.testing.assert_array_equal(plain.dense, encoder.encode(texts))
    with pytest.raises(StateError, match="do not fit"):
        TextFeatures(named.dense, named.words[:2], named.word_basis, "")
