"""What a tagger sees of a title: tokens and the names of their features, the same for every attribute.

Features of a token depend on how it is written (one table per word, kept), on its neighbours (two tokens to each side) and on what rules
and statistics of the catalogue say about the place (`Hints`). A name that begins with `=` depends on capitals; attributes that are written
in any case (colours, materials) are trained without those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CJK}]|\d+|[^\W\d_{_CJK}]+|[^\s]")
MAX_TOKENS = 160
WINDOW = (-2, -1, 0, 1, 2)
_FOLD = str.maketrans("’‘", "''")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one text: runs of letters, runs of digits, single marks and single Chinese or Japanese characters.

    Args:
        text: the text; what lies beyond MAX_TOKENS tokens is not read.
        texts: each token as written.
        starts, ends: its span in characters.
    """

    text: str
    texts: list[str]
    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        return len(self.texts)


def tokens_of(text: str) -> Tokens:
    """Cut a text into tokens."""
    texts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _TOKEN.finditer(text):
        if len(texts) == MAX_TOKENS:
            break
        texts.append(match.group())
        starts.append(match.start())
        ends.append(match.end())
    return Tokens(text, texts, starts, ends)


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known about places of one text beside its words.

    Args:
        names: token row → names of features.
        rules: the same for what the rules found.
        kind: the kind of product as the shop writes it; empty when it does not.
    """

    names: Mapping[int, Sequence[str]] = field(default_factory=dict)
    rules: Mapping[int, Sequence[str]] = field(default_factory=dict)
    kind: str = ""

    def without_rules(self) -> Hints:
        """These hints without what the rules found."""
        return Hints(self.names, kind=self.kind)


NO_HINTS = Hints()


@lru_cache(maxsize=100_000)
def folded(token: str) -> str:
    """A token without its capitals, its apostrophes straight."""
    return token.casefold().translate(_FOLD)


def word_features(token: str, offset: int) -> Iterator[str]:
    """Names of the features that a token gives to the one `offset` places before it (0: to itself)."""
    plain = folded(token)
    yield f"{offset}w:{plain}"
    if abs(offset) == 2:
        return
    yield f"={offset}s:{shape(token)}"
    yield f"{offset}k:{_kind(plain)}"
    if offset == 0 and len(plain) > 2 and plain.isalpha():
        yield f"p:{plain[:3]}"
        yield f"e:{plain[-3:]}"
        yield f"e2:{plain[-2:]}"
        if len(plain) > 5:
            yield f"p5:{plain[:5]}"


@lru_cache(maxsize=100_000)
def shape(token: str) -> str:
    """How a token is written: capitals, digits and about how many of them ("Xx", "X3", "d2"); a mark is its own shape."""
    if token.isdigit():
        return f"d{min(len(token), 5)}"
    if not token.isalpha():
        return token
    if token.isupper():
        return f"X{min(len(token), 4)}"
    if token.islower():
        return f"x{min(len(token), 4)}"
    return "Xx" if token[0].isupper() and token[1:].islower() else "xX"


def _kind(plain: str) -> str:
    if plain.isdigit():
        return f"d{min(len(plain), 5)}"
    return "a" if plain.isalpha() else plain


def place_features(tokens: Tokens, i: int) -> str:
    """The name of the place of a token: how far from the beginning and the end, and whether blanks stand before and after it."""
    n = len(tokens)
    before = "^" if not i else "_" if tokens.starts[i] > tokens.ends[i - 1] else "+"
    after = "$" if i + 1 == n else "_" if tokens.starts[i + 1] > tokens.ends[i] else "+"
    return f"at:{min(i, 4)}:{before}{after}:{min(n - 1 - i, 2)}"


def pair_features(left: str, right: str) -> tuple[str, str]:
    """Names of the features that two neighbours give: to the right one and to the left one."""
    pair = f"{folded(left)}|{folded(right)}"
    return f"r:{pair}", f"l:{pair}"


def features_of(tokens: Tokens, hints: Hints = NO_HINTS, with_case: bool = True) -> list[list[str]]:
    """All names of features of every token, as they are trained on.

    Args:
        tokens: the tokens of a text.
        hints: what else is known about its places.
        with_case: also those that depend on capitals.
    """
    n = len(tokens)
    rows: list[list[str]] = []
    for i in range(n):
        names = [place_features(tokens, i)]
        for offset in WINDOW:
            if 0 <= i + offset < n:
                names += word_features(tokens.texts[i + offset], offset)
        if i:
            names.append(pair_features(tokens.texts[i - 1], tokens.texts[i])[0])
        if i + 1 < n:
            names.append(pair_features(tokens.texts[i], tokens.texts[i + 1])[1])
        for offset in (-1, 0, 1):
            for table in (hints.names, hints.rules):
                names += [hint_feature(name, offset) for name in table.get(i + offset, ())]
        rows.append(names if with_case else [name for name in names if not name.startswith("=")])
    return rows


def hint_feature(name: str, offset: int) -> str:
    """The name under which a hint of a token reaches the one `offset` places before it."""
    return f"={offset}{name[1:]}" if name.startswith("=") else f"{offset}{name}"
