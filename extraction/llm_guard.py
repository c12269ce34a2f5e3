"""What of a product text a language model is shown and may quote: the part that describes, not the part that hides or gives orders.

Product text comes from strangers. Three barriers stand between an order in it and a fact:

1. the prompt carries the text as a JSON string (`extraction.llm_prompt`), which no text can break out of;
2. what this module finds is neither shown to the model nor quotable: mark-up and what it hides, characters that nobody sees, text
   in an encoding, and everything from the sentence on that holds the first order (in some twenty languages, also spelt in look-alike
   letters, with gaps, backwards or in ROT13) or, in a title, that speaks in sentences where titles list nouns; a value that stands in
   this rest is not quoted from elsewhere either, and a brand only from a title's first sentence;
3. whatever the model answers must stand in what is left (`extraction.llm_align`).

Barrier 2 is a list of phrases and so has holes: an order in words that it does not know, naming a brand that it spells out, still gets
    through to the model. The fact that it might then make shows its characters as evidence, like any other.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from extraction.llm_align import Folded, Span, fold, is_unseen, readable_form
from extraction.llm_orders import ENCODED_ORDERS, ORDER_STARTS, ORDERS, PROSE_WORDS, SPELT_ORDERS

GUARD_VERSION = 1

_HIDDEN_ELEMENT = r"<(script|style|template|noscript|iframe|object|svg|title|instructions?|system)\b.*?(?:</\1\s*>|$)"
_UNSEEN_STYLE = r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0|\bhidden\b|aria-hidden"
_UNDISPLAYED = rf"<(\w+)[^>]*(?:{_UNSEEN_STYLE})[^>]*>.*?(?:</\2\s*>|$)"
_MARKUP = re.compile(rf"<!.*?(?:>|$)|{_HIDDEN_ELEMENT}|{_UNDISPLAYED}|</?[a-z][^<>]*(?:>|$)", re.S)
_COMMENT = re.compile(r"<! (?:.*? >|.*$)", re.S)  # dashes are folded to spaces
# From here on, text plays a part that is not a product's: control tokens of chat models, the end of a JSON string, a comment of Markdown.
_CONTROL = re.compile(
    r"<\|[^<>]{0,40}|<｜|\[/?(?:inst|system_prompt|tool_calls|available_tools)\]|<<\s*/?sys|\"\s*[\]}]|\{\s*[\"']|\[//\]|\]\(|```"
)
_CHAT_TAG = re.compile(r"</?s>")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}:?){12,}")
_PERCENT = re.compile(r"\S*(?:%[0-9A-Fa-f]{2}\S*?){2,}(?=\s|$)")
_BORDER = re.compile(r"[.!?;:。！？；：।\n()（）\[\]{}|/]| {2,}")
_PART = re.compile(r"[.!?;:。！？；：\n()（）\[\]|,，]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SENTENCE_END = re.compile(r"(?<=[^\W\d_A-Z]{3})[.!?](?=\s)|[。！？]|(?<=[\w)])[.!?]{2,}")
_LEET = str.maketrans("013457@$!8", "oleastasib")
_LOOK_ALIKES = str.maketrans("аеорсухіјѕԁһӏɡοαερτυνκ", "aeopcyxijsdhlgoaeptuvk")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Readable:
    """The part of a text that describes a product.

    Args:
        text: the text as written.
        spans: what may be shown and quoted, in order.
        order: where the sentence begins that gives the first order; None when none does.
    """

    text: str
    spans: tuple[Span, ...]
    order: int | None

    @property
    def ordered(self) -> bool:
        """Whether something in it gives orders."""
        return self.order is not None

    @property
    def first_sentence(self) -> int:
        """Where the first sentence ends; a title names its brand before that (of 1,983 labelled titles with a brand, one does not)."""
        border = _SENTENCE_END.search(self.text)
        return border.start() if border else len(self.text)

    @property
    def shown(self) -> str:
        """What the model is shown: the readable spans as a reader sees them."""
        return " ".join(part for start, end in self.spans if (part := readable_form(self.text[start:end])))


@lru_cache(maxsize=4096)  # a plan and the run after it read the same texts
def readable(text: str, is_title: bool = True) -> Readable:
    """Find what of a text describes.

    Args:
        text: one field of a product, as written.
        is_title: it is a title or another short name; a description may speak in sentences.
    """
    masks = [*_unseen_runs(text), *_encoded(text)]
    folded = fold(text)
    masks.extend(_source(folded, m.start(), m.end()) for pattern in (_COMMENT, _MARKUP) for m in pattern.finditer(folded.text))
    order = _first_order(text, folded, masks, is_title)
    if order is not None:
        masks.append((order, len(text)))
    return Readable(text, tuple(_gaps(text, masks)), order)


def _source(folded: Folded, first: int, last: int) -> Span:
    return folded.starts[first], folded.ends[last - 1]


def _gaps(text: str, masks: list[Span]) -> Iterator[Span]:
    at = 0
    for start, end in sorted(masks):
        if start > at and text[at:start].strip():
            yield at, start
        at = max(at, end)
    if text[at:].strip():
        yield at, len(text)


def _unseen_runs(text: str) -> Iterator[Span]:
    """Runs of unseen characters long enough to spell something, and what a direction mark turns round."""
    start = None
    for i, char in enumerate(text + " "):
        if is_unseen(char) and char not in "®™©℠":
            start = i if start is None else start
        elif start is not None:
            if i - start >= 4:
                yield start, i
            start = None
    turned = _DIRECTION.search(text)
    if turned:
        last = max(m.end() for m in _DIRECTION.finditer(text))
        yield turned.start(), last if last > turned.end() else len(text)


def _encoded(text: str) -> Iterator[Span]:
    """Base64, hex and percent forms that decode to text; a model number that happens to look like one decodes to no text."""
    for pattern, decode in ((_BASE64, _from_base64), (_HEX, _from_hex), (_PERCENT, unquote)):
        for match in pattern.finditer(text):
            decoded = decode(match.group())
            if decoded != match.group() and _is_prose(decoded):
                yield match.span()


def _from_base64(token: str) -> str:
    plain = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    # Two words with a hyphen ("Weight-Activated") may decode to other letters by chance, but not to plain ones.
    return decoded if decoded.isascii() or not re.search("[-_/]", token) else ""


def _from_hex(token: str) -> str:
    try:
        return bytes.fromhex(token.replace(":", "")).decode()
    except (ValueError, UnicodeDecodeError):
        return ""


def _is_prose(text: str) -> bool:
    letters = sum(c.isalpha() or c == " " for c in text)
    return len(text) >= 6 and letters >= 0.7 * len(text)


def _plain(folded: str) -> str:
    """Look-alike letters made Latin (in words that mix scripts), accents dropped; as long as the text."""
    words = re.split(r"(\W)", folded)
    latin = "".join(w.translate(_LOOK_ALIKES) if re.search(r"[a-z]", w) else w for w in words)
    return "".join((unicodedata.normalize("NFD", c)[0] if c < "\u0250" or "\u1e00" <= c <= "\u1eff" else c) for c in latin)


def _first_order(text: str, folded: Folded, masks: list[Span], is_title: bool) -> int | None:
    """Where the sentence begins (in the source) that holds the first order; None when there is none.

    Masked text is not searched: an order in a comment costs the comment, not what follows it.
    """
    shown = "".join(
        " " if any(low <= start < high for low, high in masks) else c for c, start in zip(folded.text, folded.starts, strict=True)
    )
    plain = _plain(shown)
    found = [m.start() for m in (*_CHAT_TAG.finditer(folded.text), *_CONTROL.finditer(shown), *ORDERS.finditer(plain))]
    kept = [i for i, c in enumerate(plain) if c.isalpha() or c in "013457@$!8"]
    letters = [i for i in kept if plain[i].isalpha()]
    found.extend(_spelt(plain, letters, SPELT_ORDERS, str))
    found.extend(_spelt(plain, kept, SPELT_ORDERS, lambda s: s.translate(_LEET)))
    found.extend(_spelt(plain, letters, ENCODED_ORDERS, _rot13))
    found.extend(_spelt(plain, letters[::-1], ENCODED_ORDERS, str))
    begins = [_sentence_start(text, folded.starts[min(found)])] if found else []
    begins.extend(folded.starts[at] for at in (_prose(plain) if is_title else ()))
    return min(begins, default=None)


def _prose(plain: str) -> Iterator[int]:
    """Where a title begins to speak: a part with three words of sentences, after the first part two, or one that begins like an order."""
    at = 0
    for number, part in enumerate(_PART.split(plain)):
        words = _WORD.findall(part)
        spoken = len(set(words) & PROSE_WORDS)
        if spoken >= (2 if number else 3) or (number and words and words[0] in ORDER_STARTS and len(words) > 2):
            yield min(at + len(part) - len(part.lstrip()), len(plain) - 1)
            return
        at += len(part) + 1


def _spelt(plain: str, places: list[int], orders: re.Pattern[str], turn: Callable[[str], str]) -> Iterator[int]:
    """Places of orders in the letters alone: gaps, marks and emoji between them do not help."""
    spelling = turn("".join(plain[i] for i in places))
    for match in orders.finditer(spelling):
        yield min(places[match.start()], places[match.end() - 1])


def _rot13(text: str) -> str:
    return "".join(chr((ord(c) - 84) % 26 + 97) if "a" <= c <= "z" else c for c in text)


def _sentence_start(text: str, at: int) -> int:
    return max((m.end() for m in _BORDER.finditer(text, 0, at)), default=0)
