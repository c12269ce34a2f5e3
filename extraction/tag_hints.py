"""Hints for a tagger: what the rules read and what the catalogue's statistics say, as features of tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from extraction.base import Mention
from extraction.catalogue_stats import CatalogueStatistics
from extraction.tag_features import Hints, Tokens
from extraction.words import Words

_KEPT_WORDS = 200_000


class HintMaker:
    """Makes hints of one catalogue.

    Args:
        statistics: counts of the catalogue's titles; those of a title itself are taken out.
    """

    def __init__(self, statistics: CatalogueStatistics) -> None:
        self.statistics = statistics
        self._known = frozenset(title.strip() for title in statistics.known)
        self._kept: dict[tuple[str, bool, bool], tuple[str, ...]] = {}

    def hints(self, tokens: Tokens, words: Words, mentions: Iterable[Mention], kind: str = "") -> Hints:
        """Hints of a title.

        Args:
            tokens, words: of the title.
            mentions: what the rules found in the product; those of other fields are not looked at.
            kind: of the product, as the shop writes it.
        """
        names: dict[int, list[str]] = {}
        self._add_statistics(tokens, words, names)
        rules: dict[int, list[str]] = {}
        for mention in mentions:
            if mention.field == "title" and mention.extractor == "rules":
                _add_mention(tokens, mention, rules)
        return Hints(names, rules, kind)

    def _add_statistics(self, tokens: Tokens, words: Words, names: dict[int, list[str]]) -> None:
        known = words.text.casefold().strip() in self._known
        token = 0
        for i, folded in enumerate(words.folded):
            end = words.ends[i]
            said = self._word(folded, known, known and i == 0)
            while token < len(tokens) and tokens.starts[token] < end:
                if tokens.starts[token] >= words.starts[i]:
                    names.setdefault(token, []).extend(said)
                token += 1

    def _word(self, folded: str, own: bool, own_first: bool) -> tuple[str, ...]:
        key = (folded, own, own_first)
        said = self._kept.get(key)
        if said is None:
            if len(self._kept) >= _KEPT_WORDS:
                self._kept.clear()
            said = self._kept[key] = self._counted(folded, own, own_first)
        return said

    def _counted(self, folded: str, own: bool, own_first: bool) -> tuple[str, ...]:
        row = self.statistics.word_rows.get(folded)
        if row is None:
            return ("c:new",)
        titles, first, second, lower, capital, _ = (int(n) for n in self.statistics.words[row])
        titles, first = titles - own, first - own_first
        if titles <= 0:
            return ("c:new",)
        later = lower + capital
        begins = (5 * first + titles // 2) // titles
        small = "-" if not later else str((3 * lower + later // 2) // later)
        return f"c:{min(titles.bit_length(), 5)}:{begins}", f"=c:{begins}:{small}", f"c2:{2 * second // titles}"


def _add_mention(tokens: Tokens, mention: Mention, names: dict[int, list[str]]) -> None:
    first = bisect_right(tokens.starts, mention.start) - 1
    sure = int(mention.confidence * 4)
    name = f"r:{mention.attribute}"
    if mention.attribute == "brand":
        name = f"={name}"
    for token in range(max(first, 0), len(tokens)):
        if tokens.starts[token] >= mention.end:
            if token > first:
                names.setdefault(token, []).append(f"{name}:after")
            break
        if tokens.ends[token] <= mention.start:
            continue
        place = "B" if token == max(first, 0) else "I"
        names.setdefault(token, []).extend((f"{name}:{place}", f"{name}:{place}:{sure}"))
