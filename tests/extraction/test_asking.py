"""Which titles are worth a question."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.asking import choose, expected_gain
from extraction.llm_budget import NO_LIMIT, Budget, Prices
from extraction.llm_model import Usage
from kg.errors import InputError

NAN = float("nan")


def test_a_question_gains_what_the_model_is_surer_of() -> None:
    gain = expected_gain({"brand": [0.2, 0.95, NAN, 0.9], "size": [0.9, 0.5, 0.1, NAN]}, {"brand": 0.9, "size": 0.8}, {"size": 2.0})
    assert gain == pytest.approx([0.7, 0.6, 1.4, 0.0])


def test_the_least_sure_go_first_and_ties_to_the_earlier() -> None:
    choice = choose({"brand": [0.5, 0.1, 0.9, 0.5, 0.3]}, Budget(share=0.8), reliability=0.9)
    assert choice.rows.tolist() == [1, 4, 0, 3] and choice.gain == pytest.approx(0.8 + 0.6 + 0.4 + 0.4)
    assert choose({"brand": [0.95, 0.99]}, reliability=0.9).rows.tolist() == []
    assert choose({"brand": [0.5] * 10}, Budget(share=0.29)).rows.tolist() == [0, 1]
    assert choose({"brand": [0.5] * 3}, Budget(share=0.0)).rows.tolist() == []


def test_dear_titles_must_gain_more() -> None:
    costs = [Usage(1000, 0), Usage(100, 0), Usage(0, 0)]
    choice = choose({"brand": [0.1, 0.5, 0.89]}, Budget(tokens=1000), costs, reliability=0.9)
    assert choice.rows.tolist() == [2, 1] and choice.usage == Usage(100, 0), "what is answered already costs nothing"
    by_money = choose({"brand": [0.1, 0.5, 0.89]}, Budget(money=0.0011), costs, Prices(1.0, 1.0), reliability=0.9)
    assert by_money.rows.tolist() == [2, 1, 0]


slots = st.lists(st.tuples(st.floats(0, 1) | st.just(NAN), st.floats(0, 1), st.integers(0, 50)), min_size=1, max_size=8)


@settings(max_examples=60)
@given(slots, st.integers(0, 150))
def test_the_budget_is_kept_and_the_choice_is_close_to_the_best(rows: list[tuple[float, float, int]], limit: int) -> None:
    confidences = {"brand": [r[0] for r in rows], "size": [r[1] for r in rows]}
    costs = [Usage(r[2], 0) for r in rows]
    choice = choose(confidences, Budget(tokens=limit), costs)
    gain = expected_gain(confidences)
    assert choice.usage.tokens == sum(costs[i].tokens for i in choice.rows) <= limit
    assert len(set(choice.rows.tolist())) == len(choice.rows) and all(gain[i] > 0 for i in choice.rows)
    best = max(
        sum(gain[list(some)])
        for k in range(len(rows) + 1)
        for some in combinations(range(len(rows)), k)
        if sum(costs[i].tokens for i in some) <= limit
    )
    assert choice.gain >= best - gain.max() - 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 100), st.integers(0, 100))
def test_more_budget_never_gains_less(confidences: list[float], one: int, two: int) -> None:
    low, high = sorted((one, two))
    fewer, more = (choose({"brand": confidences}, Budget(share=share / 100)) for share in (low, high))
    assert more.rows[: len(fewer.rows)].tolist() == fewer.rows.tolist() and more.gain >= fewer.gain


def test_asking_by_confidence_sets_more_right_than_asking_at_random() -> None:
    """A shop with known truth: calibrated local confidences, a model that is right 9 times in 10."""
    rng = np.random.default_rng(3)
    sure = rng.beta(4, 1.5, 4000)
    local, model = rng.random(4000) < sure, rng.random(4000) < 0.9
    right = []
    for rows in (choose({"brand": sure}, Budget(share=0.4), reliability=0.9).rows, rng.permutation(4000)[:1600]):
        final = local.copy()
        final[rows] = model[rows]
        right.append(final.mean())
    assert right[0] > right[1] + 0.05 and right[0] > local.mean() + 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"a": [0.5], "b": [0.5, 0.5]}, NO_LIMIT), "one confidence per title"),
        (({"a": [[0.5]]}, NO_LIMIT), "one confidence per title"),
        (({}, NO_LIMIT), "one confidence per title"),
        (({"a": [1.5]}, NO_LIMIT), "probabilities of a do not lie between 0 and 1"),
        (({"a": [0.5]}, NO_LIMIT, None, None, 2.0), "probabilities of a do not lie"),
        (({"a": [0.5]}, Budget(tokens=5)), "needs what each title costs"),
        (({"a": [0.5]}, Budget(tokens=5), [Usage(), Usage()]), "There are 2 costs for 1 titles"),
        (({"a": [0.5]}, Budget(money=5.0), [Usage()]), "needs to know what tokens cost"),
    ],
)
def test_what_cannot_be_chosen_from(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose(*arguments)  # type: ignore[arg-type]


def test_a_slot_that_nobody_asks_for_draws_no_question() -> None:
    held = {"brand": [0.8, 0.8], "color": [0.1, 0.1]}
    gain = expected_gain(held, 0.9, {"color": [0.0, 1.0]})
    assert gain.tolist() == pytest.approx([0.1, 0.9])
