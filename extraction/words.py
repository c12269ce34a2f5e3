"""Words of a title with their places in it, the same for every component and every tokenizer."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Scripts that are written without spaces: Kana, Han, Hangul syllables stay runs of their own, cut off from Latin letters and digits.
HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK = rf"\u3040-\u30ff{HAN}"
_LETTER = rf"[^\W_{_CJK}]"
# A word: letters and digits, joined inside by marks that are no separators (L'Oréal, T-shirt, 2.5, BLACK+DECKER, K&N);
# initials keep their last point (e.l.f.).
_WORD = re.compile(rf"(?:{_LETTER}\.){{2,}}|{_LETTER}+(?:['’.&+\-–_!]+{_LETTER}+)*\+?|[{_CJK}]+")
_FOLD = str.maketrans("’‘", "''")
# Full-width forms of ASCII and the ideographic space, each a character for a character.
_FULL_WIDTH = re.compile(r"[\uff01-\uff5e\u3000]")
_HALF_WIDTH = {**{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}, 0x3000: 0x20}


@dataclass(slots=True)
class Words:
    """The words of one text.

    Args:
        text: the text, full-width forms as ordinary ones (of the same length).
        texts: each word as written there.
        starts, ends: its span in characters.
    """

    text: str
    texts: list[str]
    starts: list[int]
    ends: list[int]
    folded: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def gap(self, i: int) -> str:
        """What stands between word i and the next one; the rest of the text after the last word."""
        return self.text[self.ends[i] : self.starts[i + 1]] if i + 1 < len(self.starts) else self.text[self.ends[i] :]

    def before(self, i: int) -> str:
        """What stands between the word before i and word i; the beginning of the text for the first word."""
        return self.text[self.ends[i - 1] if i else 0 : self.starts[i]]


def half_width(text: str) -> str:
    """The text with full-width forms as ordinary ones, character for character."""
    return text.translate(_HALF_WIDTH) if not text.isascii() and _FULL_WIDTH.search(text) else text


def words_of(text: str) -> Words:
    """Cut a text into words."""
    text = half_width(text)
    spans = [match.span() for match in _WORD.finditer(text)]
    texts = [text[start:end] for start, end in spans]
    folded = [word.casefold() for word in texts]
    if "’" in text or "‘" in text:
        folded = [word.translate(_FOLD) for word in folded]
    return Words(text, texts, [start for start, _ in spans], [end for _, end in spans], folded)
