"""Models on disk: whole or not at all, equal for equal input, never over another graph, and opened without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest

from kg.config import FitSettings, TrainConfig
from kg.errors import StateError, UnknownKeyError
from kg.model import Product
from kg.ontology import Rel
from kg.snapshot_io import save_snapshot
from kg.testing import stated
from recommend import bundle
from recommend.bundle import load
from recommend.new_product import new_product
from recommend.testing import DAY, MATERIALS, Shop, planted_material
from recommend.train import check_without, estimate, train

WORDS = TrainConfig(text_encoder=("words",))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    snapshot, materials = planted_material()
    shop = Shop(tmp_path_factory.mktemp("shop"), snapshot)
    return shop, train(shop, WORDS), materials


def copy_of(planted, tmp_path):
    import shutil

    shutil.copytree(planted[0].path, tmp_path / "copy")
    return Shop(tmp_path / "copy", planted[0].given)


def test_only_the_material_predicts_and_the_explanation_names_it(planted):
    """The planted shop is solved: new products of the person's material come first, because of the material."""
    shop, _, materials = planted
    scorer = load(shop)
    right, named = 0, 0
    for user_row in range(scorer.snapshot.n_users):
        scores = scorer.score(scorer.user_profile(user_row))
        best = int(np.argmax(np.where(scorer.seen, -np.inf, scores)))
        right += materials[best] == MATERIALS[user_row % 5]
        paths = scorer.parts(scorer.user_profile(user_row), best).paths
        by_relation: dict[str, float] = {}
        for path in paths:
            by_relation[str(path.relation)] = by_relation.get(str(path.relation), 0) + path.contribution
        named += max(by_relation, key=by_relation.__getitem__) == Rel.MADE_OF
    assert right >= 0.9 * scorer.snapshot.n_users
    assert named >= 0.8 * scorer.snapshot.n_users


def test_a_new_product_finds_the_people_of_its_material(planted):
    scorer = load(planted[0])
    met = new_product(scorer, Product("new", "a thing never named"), [stated("new", "MADE_OF", "wool")])
    best = np.argsort(-met.users.scores)[:10]
    assert {int(user) % 5 for user in best} == {MATERIALS.index("wool")}
    strongest = max(met.users.parts(int(best[0])).paths, key=lambda path: path.contribution)
    assert strongest.relation == Rel.MADE_OF


def test_opening_gives_the_same_scores_and_parts(planted):
    from recommend.fit import fit
    from recommend.texts import snapshot_texts
    from recommend.training import Training

    shop, made, _ = planted
    scorer = load(shop)
    fresh = fit(Training(shop.given, snapshot_texts(shop.given), config=WORDS)).scorer
    profile = scorer.user_profile(4)
    assert scorer.score(profile) == pytest.approx(fresh.score(profile), abs=1e-9)
    ours, theirs = scorer.parts(profile, 90), fresh.parts(profile, 90)
    assert [(path.view, path.hops) for path in ours.paths] == [(path.view, path.hops) for path in theirs.paths]
    assert ours.score == pytest.approx(theirs.score, abs=1e-9)
    assert scorer.digest == made.digest


def test_the_same_seed_gives_the_same_bytes(planted, tmp_path):
    shop, made, _ = planted
    other = Shop(tmp_path, shop.given)
    again = train(other, WORDS)
    assert again.digest == made.digest
    for file in sorted((shop.models / made.name).rglob("*")):
        if file.is_file():
            twin = other.models / made.name / file.relative_to(shop.models / made.name)
            assert twin.read_bytes() == file.read_bytes(), file.name


def test_a_model_of_another_graph_is_refused(planted):
    shop, _, _ = planted
    grown = Shop(shop.path, shop.given.upto(50 * DAY))
    with pytest.raises(StateError, match="was trained on the graph") as error:
        load(grown)
    assert "clew train" in error.value.hint


def test_no_model(tmp_path, planted):
    with pytest.raises(StateError, match="no model") as error:
        load(Shop(tmp_path, planted[0].given))
    assert "clew train" in error.value.hint


def test_a_damaged_model_is_refused(planted, tmp_path):
    shop = copy_of(planted, tmp_path)
    folder = shop.models / planted[1].name
    arrays = (folder / "views.safetensors").read_bytes()
    (folder / "views.safetensors").write_bytes(arrays[: len(arrays) // 2])
    with pytest.raises(StateError, match="cut short"):
        load(shop)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(StateError, match="damaged"):
        load(shop)
    (folder / "manifest.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(StateError, match="an older version"):
        load(shop)
    (folder / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StateError, match="newer version"):
        load(shop)
    (shop.models / "current.json").write_text("[]")
    with pytest.raises(StateError, match=r"current\.json is damaged"):
        load(shop)


def test_switching_undoing_and_pruning(planted, tmp_path):
    shop = copy_of(planted, tmp_path)
    first = planted[1].name
    second = train(shop, WORDS.model_copy(update={"without": ("gnn",)})).name
    assert [one.name for one in bundle.bundles(shop.models) if one.current] == [second]
    assert bundle.use(shop.models, first[:6]) == first
    assert bundle.undo(shop.models) == second and bundle.undo(shop.models) == first
    with pytest.raises(StateError, match="No model answered before"):
        bundle.undo(shop.models)
    with pytest.raises(UnknownKeyError, match="no model 'zzz'"):
        bundle.use(shop.models, "zzz")
    (shop.models / "left.123.tmp").mkdir()
    assert bundle.prune(shop.models, keep=0) == [second]
    assert sorted(path.name for path in shop.models.iterdir()) == sorted([first, "current.json"])


def test_a_view_left_out_is_not_there_and_an_unknown_one_is_refused(planted, tmp_path):
    shop = copy_of(planted, tmp_path)
    train(shop, WORDS.model_copy(update={"without": ("gnn", "brand")}))
    assert {"gnn", "brand"}.isdisjoint(load(shop).views)
    with pytest.raises(UnknownKeyError, match="no part of the model 'bramd'"):
        check_without(["bramd"], shop.given)


def test_the_estimate_grows_with_the_shop(planted):
    small, _ = planted_material(n_items=40, n_new=5)
    assert estimate(small, WORDS).seconds < estimate(planted[0].given, WORDS).seconds
    assert estimate(planted[0].given, WORDS.model_copy(update={"without": ("gnn",)})).mb < estimate(planted[0].given, WORDS).mb
    twice = WORDS.model_copy(update={"settings": FitSettings(gnn_towers=2)})
    assert estimate(planted[0].given, WORDS).seconds < estimate(planted[0].given, twice).seconds


def test_an_empty_graph_is_refused(tmp_path):
    from kg.testing import snapshot_of

    with pytest.raises(StateError, match="no product"):
        train(Shop(tmp_path, snapshot_of({})), WORDS)


OPEN = """
import sys
from kg.snapshot_io import open_snapshot
from kg.workspace import Workspace
from pathlib import Path
from recommend.bundle import load
from recommend.query import query
class Shop(Workspace):
    def snapshot(self):
        return open_snapshot(Path(sys.argv[2]), sys.argv[3])
scorer = load(Shop(sys.argv[1]))
profile = scorer.user_profile(0)
best = int(scorer.score(profile).argmax())
assert scorer.parts(profile, best).paths
query(scorer, "old hat")
print(sorted(name for name in ("torch", "torch_geometric", "spacy", "sklearn", "transformers") if name in sys.modules))
"""


def test_answers_need_neither_torch_nor_spacy_nor_scikit_learn(planted, tmp_path):
    shop, _, _ = planted
    save_snapshot(shop.given, tmp_path / "snapshot")
    arguments = [str(shop.path), str(tmp_path / "snapshot"), shop.given.digest]
    done = subprocess.run([sys.executable, "-c", OPEN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("part", ["co_bought", "co_bought_similar", "similar", "similar_wide", "ease", "material"])
def test_a_model_without_any_one_part_answers_with_exact_parts(planted, tmp_path, part):
    shop = copy_of(planted, tmp_path)
    train(shop, WORDS.model_copy(update={"without": ("gnn", part)}))
    scorer = load(shop)
    assert part not in scorer.views
    profile = scorer.user_profile(0)
    scores = scorer.score(profile)
    best = int(np.argmax(scores))
    assert scorer.parts(profile, best).score == pytest.approx(scores[best], abs=1e-9)


@pytest.mark.parametrize("shrink", [3.0, 20.0])
def test_what_people_in_common_were_counted_with_is_known_after_loading(tmp_path, shrink):
    shop = Shop(tmp_path, planted_material(40, 8, 20)[0])
    train(shop, TrainConfig(text_encoder=("words",), without=("gnn", "ease"), settings=FitSettings(shrink=shrink)))
    views = load(shop).views
    assert views["co_bought"].shrink == views["co_bought_similar"].bought.shrink == shrink
