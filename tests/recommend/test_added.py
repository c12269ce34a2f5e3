"""One more event without a rebuild: every view that counts events says what it would say when built anew."""

import numpy as np
import pytest

from kg.errors import UnknownKeyError
from recommend.added import with_event
from recommend.changed import without_event
from recommend.testing import DAY, planted_material
from recommend.texts import snapshot_texts
from recommend.training import Training
from recommend.views.build import Likeness, build_views
from recommend.words import CatalogueWords

NOW = 400 * DAY


@pytest.fixture(scope="module", params=[3.0, 20.0], ids="shrink {:g}".format)
def trained(request):
    from kg.config import FitSettings, TrainConfig
    from recommend.fit import fit

    snapshot, _ = planted_material()
    config = TrainConfig(text_encoder=("words",), without=("gnn", "ease"), settings=FitSettings(shrink=request.param))
    return fit(Training(snapshot, snapshot_texts(snapshot), config=config)).scorer


@pytest.mark.parametrize(
    ("user_row", "item_row", "kind"),
    [(3, 0, None), (0, 41, None), (7, 95, None), (3, 0, "return"), (3, -1, "return"), (3, -1, "dislike")],  # 95: nobody had it
)
def test_one_more_event_is_what_a_rebuild_says(trained, user_row, item_row, kind):
    if item_row < 0:
        item_row = int(trained.snapshot.events.of_user(user_row).item_rows[0])
    added = with_event(trained, user_row, item_row, NOW, kind=kind)
    graph = added.snapshot
    words = CatalogueWords.fit(snapshot_texts(graph))
    shrink = trained.views["co_bought"].shrink
    built = build_views(graph, Likeness.build(words, None), None, frozenset({"gnn", "ease", "next_ease"}), shrink)
    rebuilt = {view.name: view for view in built}
    assert set(rebuilt) == set(added.views)
    assert {"co_bought", "co_bought_similar", "next_bought"} <= set(rebuilt)
    everyone = graph.interactions
    for name, view in rebuilt.items():
        np.testing.assert_allclose(added.views[name].block(everyone), view.block(everyone), atol=1e-6, err_msg=name)
    assert added.seen[item_row]
    profile = added.user_profile(user_row)
    assert item_row in profile.item_rows
    scores = added.score(profile)
    for row in range(0, added.n_items, 7):
        assert added.parts(profile, row).score == pytest.approx(scores[row], abs=1e-9)


def test_an_event_taken_out_again_leaves_the_people_in_common_that_were_counted(trained):
    """With the `shrink` of the training, whatever it was."""
    log, row = trained.snapshot.events, 3
    item_row = int(next(one for one in range(80) if one not in log.of_user(row).item_rows))
    back = without_event(with_event(trained, row, item_row, NOW), row, item_row)
    for name in ("co_bought", "co_bought_similar"):
        was, now = (scorer.views[name].block(trained.snapshot.interactions[[row]]) for scorer in (trained, back))
        np.testing.assert_allclose(now, was, atol=1e-6, err_msg=name)
    assert back.views["co_bought"].shrink == trained.views["co_bought"].shrink


def test_a_product_that_the_person_had_changes_no_people_in_common(trained):
    owned = int(trained.snapshot.events.of_user(3).item_rows[0])
    added = with_event(trained, 3, owned, NOW)
    assert added.views["co_bought"].matrix is trained.views["co_bought"].matrix
    assert len(added.snapshot.events) == len(trained.snapshot.events) + 1


def test_a_kind_that_the_graph_does_not_know(trained):
    with pytest.raises(UnknownKeyError, match="kind of event 'gift'"):
        with_event(trained, 0, 0, NOW, kind="gift")
