"""People on one scale: as additive as the score, and blind to how much a person has bought."""

from __future__ import annotations

import numpy as np
import pytest

from recommend.people import Scale, scales


def test_a_scale_is_the_mean_and_spread_of_what_nobody_has(toy) -> None:
    scorer = toy.hand_made()
    user = scorer.snapshot.users.row("u1")
    scores = scorer.score(scorer.user_profile(user))[~scorer.seen]
    (scale,) = scales(scorer, np.array([user]))
    assert scale.mean == pytest.approx(scores.mean(), rel=1e-5)
    assert scale.spread == pytest.approx(scores.std(), rel=1e-5)


def test_the_parts_of_z_sum_to_z(toy) -> None:
    scorer = toy.hand_made()
    profile = scorer.user_profile(scorer.snapshot.users.row("u1"))
    scale = Scale(0.3, 1.7)
    for row in range(scorer.n_items):
        parts = scorer.parts(profile, row)
        assert scale.parts(parts).score == pytest.approx(scale.of(parts.score), abs=1e-9)


def test_everybody_has_a_scale_whatever_the_order(toy) -> None:
    scorer = toy.hand_made()
    rows = np.arange(scorer.snapshot.n_users)
    assert scales(scorer, rows[::-1]) == scales(scorer, rows)[::-1]
    assert all(scale.spread > 0 for scale in scales(scorer, rows))
