"""Protocol files: read as written, refused when misspelt, and never with a leak."""

from pathlib import Path

import numpy as np
import pytest

from kg.errors import InputError
from recommend.protocol import Protocol
from recommend.tasks import load_benchmark

HEAD = """
name = "tiny"
k = [2]
extractor = "columns"
[catalogue]
path = "items.csv"
columns = { item = "item", title = "title", brand = "brand" }
[events]
columns = { user = "user", item = "item", order = "pos" }
train = "train.csv"
"""
TEST = """
[[test]]
name = "new"
events = "test.csv"
candidates = "unseen"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text("item,title,brand\na,red hat,acme\nb,blue hat,acme\nc,red lamp,\nd,moon,\n7,  ,bolt\n")
    (tmp_path / "train.csv").write_text("user,item,pos\nu,a,0\nu,b,1\nv,b,0\n")
    (tmp_path / "test.csv").write_text("user,item,pos\nu,c,2\nv,d,1\nstranger,c,0\n")
    (tmp_path / "cold.csv").write_text("user,item,pos,part\nx,a,0,reveal\nx,b,1,reveal\nx,c,2,target\ny,b,0,reveal\ny,d,1,target\n")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "protocol.toml"
    path.write_text(text)
    return path


def load(folder: Path, text: str):
    return load_benchmark(Protocol.load(write(folder, text)))


def keys(benchmark, matrix, row):
    return [benchmark.snapshot.items.key(item) for item in matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]]


def test_train_alone_is_the_graph_and_test_its_targets(folder):
    benchmark = load(folder, HEAD + TEST)
    (task,) = benchmark.test
    assert len(benchmark.snapshot.events) == 3 and list(benchmark.snapshot.items) == ["7", "a", "b", "c", "d"]
    assert task.keys == ("u", "v") and task.skipped == 1
    assert [keys(benchmark, task.targets, row) for row in (0, 1)] == [["c"], ["d"]]
    assert [keys(benchmark, task.masked, row) for row in (0, 1)] == [["a", "b"], ["b"]]
    assert task.candidates.tolist() == [True, False, False, True, True]


def test_a_product_without_a_title_counts_and_goes_by_its_key(folder):
    benchmark = load(folder, HEAD + TEST)
    assert benchmark.snapshot.title(0) == "7" and benchmark.texts[0] == "bolt" and benchmark.texts[1] == "red hat acme"
    assert load(folder, HEAD.replace("k = [2]", 'k = [2]\nmetrics = ["ndcg_pub@1"]') + TEST).test[0].metrics == ("ndcg_pub@1",)
    titles = load(folder, HEAD.replace("k = [2]", "k = [2]\ntext = []") + TEST)
    assert titles.texts[:2] == ["", "red hat"]


def test_without_a_catalogue_the_products_are_those_of_the_events(folder):
    start, end = HEAD.index("[catalogue]"), HEAD.index("[events]")
    benchmark = load(folder, HEAD[:start] + HEAD[end:] + TEST.replace("unseen", "all"))
    assert list(benchmark.snapshot.items) == ["a", "b", "c", "d"] and set(benchmark.texts) == {""}
    assert keys(benchmark, benchmark.test[0].targets, 0) == ["c"]


def test_all_paths_start_at_the_data_folder(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "p.toml"
    elsewhere.write_text(HEAD + TEST)
    assert Protocol.load(elsewhere, folder).catalogue.files[0].path == str(folder / "items.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("candidates", "candidate"), "unknown key 'candidate'.*"),
        (("train = ", "trian = "), "unknown key 'trian'"),
        (('name = "new"', 'name = "new"\nmetrics = ["ndgc@5"]'), "no metric 'ndgc@5'"),
        (("k = [2]", "k = [0]"), "k must be 1 or more"),
        (('events = "test.csv"', ""), "'new' names no events"),
    ],
)
def test_a_misspelt_or_empty_protocol_is_refused(folder, change, message):
    with pytest.raises(InputError, match=message):
        Protocol.load(write(folder, (HEAD + TEST).replace(*change)))


def test_the_nearest_key_is_named(folder):
    with pytest.raises(InputError) as error:
        Protocol.load(write(folder, (HEAD + TEST).replace("candidates", "candidate")))
    assert "candidates" in error.value.hint


def test_a_leak_is_refused(folder):
    (folder / "test.csv").write_text("user,item,pos\nu,a,2\n")
    with pytest.raises(InputError, match="event of u and a is also in train"):
        load(folder, HEAD + TEST)


def test_an_event_of_an_unknown_product_is_refused(folder):
    (folder / "train.csv").write_text("user,item,pos\nu,zzz,2\n")
    with pytest.raises(InputError, match=r"cannot be taken; .*train\.csv, line 2"):
        load(folder, HEAD + TEST)


def test_a_file_of_candidates(folder):
    (folder / "some.csv").write_text("item\nc\n")
    benchmark = load(folder, HEAD + TEST.replace('"unseen"', '"some.csv"'))
    assert benchmark.test[0].keys == ("u",)
    (folder / "some.csv").write_text("product\nc\n")
    with pytest.raises(InputError, match="no column item"):
        load(folder, HEAD + TEST.replace('"unseen"', '"some.csv"'))
    (folder / "some.csv").write_text("item\nzzz\n")
    with pytest.raises(InputError, match="does not have"):
        load(folder, HEAD + TEST.replace('"unseen"', '"some.csv"'))


def test_users_in_every_file(folder):
    (folder / "more.csv").write_text("user,item,pos\nv,c,2\n")
    text = HEAD + TEST.replace('"test.csv"', '["test.csv", "more.csv"]')
    assert load(folder, text).test[0].keys == ("u", "v")
    assert load(folder, text + 'users = "in_every_file"\n').test[0].keys == ("v",)


def test_new_people_show_their_last_products(folder):
    part = """
[[test]]
name = "one"
reveal = { events = "cold.csv", where = { part = "reveal" }, last = 1 }
events = { path = "cold.csv", where = { part = "target" } }
"""
    (task,) = load(folder, HEAD + part).test
    benchmark = load(folder, HEAD + part)
    assert task.keys == ("x", "y") and task.skipped == 0
    assert [benchmark.snapshot.items.key(row) for row in task.history.item_rows] == ["b", "b"]
    assert keys(benchmark, task.masked, 0) == ["a", "b"]
    (whole,) = load(folder, HEAD + part.replace(", last = 1", "")).test
    assert len(whole.history) == 3


def test_profile_and_exclude_files(folder):
    (folder / "valid.csv").write_text("user,item,pos\nu,d,5\n")
    benchmark = load(folder, HEAD + TEST + 'profile = "valid.csv"\n')
    assert [benchmark.snapshot.items.key(row) for row in benchmark.test[0].history.item_rows] == ["a", "b", "d", "b"]
    benchmark = load(folder, HEAD + TEST + 'exclude = "valid.csv"\n')
    assert len(benchmark.test[0].history) == 3 and keys(benchmark, benchmark.test[0].masked, 0) == ["a", "b", "d"]


TIMED = (
    HEAD.replace('order = "pos"', 'time = "day"').replace('train = "train.csv"', 'path = "log.csv"')
    + """
[split]
time = "2022-01-31"
[[test]]
name = "all"
"""
)


def test_a_gap_hides_what_came_just_before_the_targets(folder):
    (folder / "train.csv").write_text("user,item,pos\nu,a,0\nu,b,1\nu,d,2\nv,b,0\nw,a,0\nw,d,1\n")
    (folder / "test.csv").write_text("user,item,pos\nu,c,3\nv,d,1\nw,b,2\nw,c,3\n")
    (task,) = load(folder, HEAD + TEST.replace("unseen", "all") + "gap = true\n").test
    assert task.keys == ("u", "v", "w")
    places = {row: [task.history.item_rows[place] for place in np.flatnonzero(task.history.user_rows == row)] for row in range(3)}
    assert places == {0: [1, 2], 1: [2], 2: [1]}  # one event of v and of w stays
    benchmark = load(folder, HEAD + TEST.replace("unseen", "all") + "gap = true\n")
    assert [keys(benchmark, task.masked, row) for row in range(3)] == [["a", "b", "d"], ["b"], ["a", "d"]]


def test_a_cut_in_time(folder):
    (folder / "log.csv").write_text("user,item,day\nu,a,2022-01-01\nu,b,2022-01-31\nu,c,2022-02-01\nu,a,2022-03-01\nw,a,2022-02-02\n")
    benchmark = load(folder, TIMED)
    (task,) = benchmark.test
    assert len(benchmark.snapshot.events) == 2 and benchmark.snapshot.events.timed
    assert task.keys == ("u",) and keys(benchmark, task.targets, 0) == ["c"] and task.skipped == 1


def test_train_beyond_the_cut_is_refused(folder):
    (folder / "log.csv").write_text("user,item,day\nu,a,2022-01-01\nu,b,2022-02-03\n")
    (folder / "later.csv").write_text("user,item,day\nu,c,2022-03-01\n")
    text = TIMED.replace('path = "log.csv"', 'train = "log.csv"') + 'events = "later.csv"\n'
    with pytest.raises(InputError, match="after the cut 2022-01-31: u and b"):
        load(folder, text)


def test_a_cut_needs_times(folder):
    with pytest.raises(InputError, match="needs a time column"):
        load(folder, HEAD + '[split]\ntime = "2022-01-31"\n[[test]]\nname = "all"\n')


@pytest.mark.parametrize("name", ["open-ecommerce", "beauty-item-cold", "beauty-user-cold"])
def test_shipped_protocols_are_whole(name):
    Protocol.load(Path(__file__).parents[2] / "benchmarks" / "protocols" / f"{name}.toml")


def test_the_graph_is_that_of_an_ingest_price_bands_among_it(tmp_path):
    from extraction import FactExtractor, build_extractor, parse_price
    from kg.config import CatalogueSource, EventsSource
    from kg.ingest import ingest
    from kg.workspace import Workspace

    rows = [f"p{n:02},hat {n},acme,Shop > {'Hats' if n < 24 else 'Caps'},{n + 1}.50" for n in range(30)]
    (tmp_path / "items.csv").write_text("\n".join(["item,title,brand,category,price", *rows]) + "\n")
    (tmp_path / "train.csv").write_text("user,item,pos\nu,p00,0\nv,p29,0\n")
    (tmp_path / "test.csv").write_text("user,item,pos\nu,p01,1\n")
    columns = {"item": "item", "title": "title", "brand": "brand", "category": "category", "price": "price"}
    toml = "{ " + ", ".join(f'{role} = "{name}"' for role, name in columns.items()) + " }"
    benchmark = load(tmp_path, HEAD.replace('{ item = "item", title = "title", brand = "brand" }', toml) + TEST)

    workspace = Workspace(tmp_path / "shop")
    workspace.open(create=True)
    catalogue = CatalogueSource(path=str(tmp_path / "items.csv"), columns=columns)
    events = EventsSource(path=str(tmp_path / "train.csv"), columns={"user": "user", "item": "item", "order": "pos"})
    source = FactExtractor(build_extractor("columns", []))
    ingest(workspace, catalogue=catalogue, events=events, fact_source=source, price_parser=parse_price)
    graph, ours = workspace.snapshot(), benchmark.snapshot
    assert set(ours.edges) == set(graph.edges) and {"IN_PRICE_BAND", "PART_OF"} <= set(ours.edges)
    assert ours.entities.keys.equals(graph.entities.keys)
    for name, edges in graph.edges.items():
        assert ours.edges[name].source_rows.tolist() == edges.source_rows.tolist()
        assert ours.edges[name].target_rows.tolist() == edges.target_rows.tolist()
    assert len(ours.edges["IN_PRICE_BAND"]) == 30 and len(set(ours.edges["IN_PRICE_BAND"].target_rows[:24].tolist())) == 5
