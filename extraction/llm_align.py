"""Where a value that a language model gave stands in the text, or why it does not.

The stated alignment. Two texts are the same when they differ only in

- case, and Unicode forms (NFKC: full-width letters, ligatures, composed accents; typographic apostrophes; character references such as
  `&#39;`);
- characters that nobody sees (zero width, soft hyphen, direction marks, variation selectors, ®, ™);
- which of space and hyphen stands between two words, and how many; and, unless it stands between two digits, whether one does.

A value must begin and end where a word does ("Speed" does not stand in "Speedo", nor "5" in "1.5"); where it is not a name, the word may
go on with the s of a plural ("Jersey" stands in "Jerseys", but "Van" is not the brand of "Vans"). Nothing else is forgiven: no other order,
no other ending, no translation, no synonym. What is found is always quoted as the text has it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Span = tuple[int, int]

_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ`´′＇"), "'")
# Marks of ownership, and characters that fill a place without being seen though Unicode calls them letters or marks.
_UNSEEN = frozenset("®™©℠\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
# Scripts written without spaces between words, or (Hangul) with endings written onto them: there a word's border is not to be seen.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Fit(StrEnum):
    """How a value was found."""

    WRITTEN = "as written"
    FOLDED = "other case, Unicode form or separator"
    JOINED = "with or without a separator"
    SINGULAR = "without the s of a plural"


class Refusal(StrEnum):
    """Why an answer, or a value of it, was not taken."""

    NO_JSON = "no JSON"
    CUT_OFF = "cut off"
    WRONG_FORM = "not of the asked form"
    NOT_ASKED = "an attribute that was not asked for"
    NOT_IN_TEXT = "not in the text"
    PART_OF_WORD = "only a part of a word of the text"
    NOT_READ = "stands where the text instructs or hides"
    DECLINED = "the model declined"
    NO_ANSWER = "the endpoint failed"


@dataclass(frozen=True, slots=True)
class Aligned:
    """A place in the text: `text[start:end]` is `raw`; `value` is `raw` as a reader sees it."""

    start: int
    end: int
    raw: str
    value: str
    fit: Fit


@dataclass(frozen=True, slots=True)
class Folded:
    """A text with the differences of the alignment taken out, and where each character came from.

    Args:
        text: the folded text; every run of spaces and hyphens is one space.
        starts, ends: source span that each folded character came from.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def is_unseen(char: str) -> bool:
    """Whether a character shows nothing: format characters, variation selectors, fillers, ownership marks."""
    if char in _UNSEEN or "\ufe00" <= char <= "\ufe0f":
        return True
    return unicodedata.category(char) in ("Cf", "Cc", "Cn", "Co", "Cs") and not char.isspace()


def is_separator(char: str) -> bool:
    """Whether a character is a space or a dash."""
    return char.isspace() or unicodedata.category(char) == "Pd" or char in "\u00ad_−"


def _clusters(text: str) -> list[Span]:
    """Spans that Unicode forms may compose: a character with its marks, a run of Hangul letters, a character reference."""
    spans, i, n = [], 0, len(text)
    while i < n:
        found = _REFERENCE.match(text, i) if text[i] == "&" else None
        j = found.end() if found and html.unescape(found.group()) != found.group() else i + 1
        if "\u1100" <= text[i] <= "\u11ff":
            while j < n and "\u1100" <= text[j] <= "\u11ff":
                j += 1
        while j < n and text[j] > "\u02ff" and unicodedata.category(text[j]) in ("Mn", "Mc", "Me"):
            j += 1
        spans.append((i, j))
        i = j
    return spans


def _folded_cluster(cluster: str) -> str:
    if cluster.startswith("&") and len(cluster) > 1:
        cluster = html.unescape(cluster)
    seen = "".join(c for c in cluster if not is_unseen(c))
    plain = unicodedata.normalize("NFKC", seen.translate(_APOSTROPHES)).casefold()
    return unicodedata.normalize("NFKC", plain).translate(_APOSTROPHES)


def fold(text: str) -> Folded:
    """The folded form of a text, with the way back."""
    chars: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        for char in _folded_cluster(text[start:end]):
            if is_separator(char):
                if chars and chars[-1] == " ":
                    ends[-1] = end
                    continue
                char = " "
            chars.append(char)
            starts.append(start)
            ends.append(end)
    return Folded("".join(chars), starts, ends)


def readable_form(raw: str) -> str:
    """Characters as a reader sees them: references resolved, unseen characters gone, runs of white space one space."""
    seen = "".join(c for c in html.unescape(raw) if c.isspace() or c in "®™©℠" or not is_unseen(c))
    return " ".join(seen.split())


def _joined(folded: Folded) -> tuple[str, list[int]]:
    """The folded text without its separators (one between two digits stays) and, per character left, its place in the folded text."""
    text = folded.text
    kept = [i for i, char in enumerate(text) if char != " " or (0 < i < len(text) - 1 and text[i - 1].isdigit() and text[i + 1].isdigit())]
    return "".join(text[i] for i in kept), kept


def splits_word(text: str, at: int) -> bool:
    """Whether a cut at a place of a text goes through a word or a number."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    if left.isdigit() and right.isdigit():
        return True
    if right in ".," and left.isdigit():
        return at + 1 < len(text) and text[at + 1].isdigit()
    if left in ".," and right.isdigit():
        return at > 1 and text[at - 2].isdigit()
    return _in_word(left) and _in_word(right) and not (_UNSPACED.match(left) or _UNSPACED.match(right))


def _in_word(char: str) -> bool:
    """Letters, and the vowel signs that some scripts write as marks."""
    return char.isalpha() or unicodedata.category(char).startswith("M")


def _places(haystack: str, needle: str) -> list[int]:
    found, at = [], haystack.find(needle)
    while at >= 0:
        found.append(at)
        at = haystack.find(needle, at + 1)
    return found


class TextIndex:
    """One text, ready to be asked where values stand in it.

    Args:
        text: the text as written.
        readable: spans that may be quoted; the whole text when not given.
        order: where the text begins to give orders: what stands from there on is not quoted from before it either, since the model may
            have it from there.
    """

    def __init__(self, text: str, readable: Sequence[Span] | None = None, order: int | None = None) -> None:
        self.text = text
        self.order = order
        self.readable = [(0, len(text))] if readable is None else list(readable)
        self._folded = fold(text)
        self._joined, self._kept = _joined(self._folded)

    def align(self, value: str, is_name: bool = True) -> Aligned | Refusal:
        """The first place where a value stands: as written if it does anywhere, else in the loosest form that is needed.

        Args:
            value: what the model says is written there.
            is_name: it is a name, which has no plural.
        """
        needle = fold(value).text.strip(" ")
        if not needle:
            return Refusal.NOT_IN_TEXT
        loose, _ = _joined(fold(value.strip()))
        folded = [(at, at + len(needle)) for at in _places(self._folded.text, needle)]
        if self.order is not None and any(self._folded.starts[first] >= self.order for first, _ in folded):
            return Refusal.NOT_READ
        refusals = {Refusal.NOT_IN_TEXT}
        for fit, spans in (
            (Fit.WRITTEN, self._written(value.strip())),
            (Fit.FOLDED, folded),
            (Fit.JOINED, [(self._kept[at], self._kept[at + len(loose) - 1] + 1) for at in _places(self._joined, loose)]),
            (Fit.SINGULAR, [] if is_name else folded),
        ):
            for first, last in spans:
                verdict = self._check(first, last, fit)
                if isinstance(verdict, Aligned):
                    return verdict
                refusals.add(verdict)
        return next(r for r in (Refusal.NOT_READ, Refusal.PART_OF_WORD, Refusal.NOT_IN_TEXT) if r in refusals)

    def _written(self, value: str) -> list[Span]:
        """Places of the value as written, as spans of the folded text."""
        starts, ends = self._folded.starts, self._folded.ends
        spans = []
        for at in _places(self.text, value):
            inside = [i for i in range(len(starts)) if starts[i] >= at and ends[i] <= at + len(value)]
            if inside and starts[inside[0]] == at and ends[inside[-1]] == at + len(value):
                spans.append((inside[0], inside[-1] + 1))
        return spans

    def _check(self, first: int, last: int, fit: Fit) -> Aligned | Refusal:
        folded = self._folded
        start, end = folded.starts[first], folded.ends[last - 1]
        # A character that folds to several ("ß" to "ss") is quoted whole or not at all.
        cut = (first > 0 and folded.starts[first - 1] == start) or (last < len(folded.starts) and folded.ends[last] == end)
        plural = fit is Fit.SINGULAR and folded.text[last : last + 1] == "s" and not splits_word(folded.text, last + 1)
        if cut or splits_word(folded.text, first) or (splits_word(folded.text, last) and not plural):
            return Refusal.PART_OF_WORD
        if not any(low <= start and end <= high for low, high in self.readable):
            return Refusal.NOT_READ
        raw = self.text[start:end]
        return Aligned(start, end, raw, readable_form(raw), fit)
