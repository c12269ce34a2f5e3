"""Why not: the differences sum to what is missing."""

from __future__ import annotations

import pytest


def test_the_parts_that_are_missing_sum_to_the_distance(toy) -> None:
    whole = toy.recommender()
    answer = whole.explain("p05", user="u1", k=1)
    found = whole.why_not(answer)
    assert found.rank > found.k == 1
    assert sum(part.there - part.here for part in found.missing) == pytest.approx(found.needed - found.score)
    start = f"It is on rank {found.rank}, {found.needed - found.score:.3f} behind “LEGO Friends Heartlake Cafe” on rank 1, "
    brand = next(part.there for part in found.missing if part.part == "brand")
    assert found.sentence.startswith(f"{start}which gets more from brand ({brand:+.3f})")


def test_what_is_among_the_first_says_so(toy) -> None:
    whole = toy.recommender()
    assert whole.why_not(whole.explain("p03", user="u1")).sentence == "It is: its rank is 1."
