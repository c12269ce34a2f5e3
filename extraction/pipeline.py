"""The rules as a spaCy pipeline: a blank language, a light tokenizer, and one component per attribute.

A user may add components of spaCy's or of their own, save it with `nlp.to_disk` and load it with `spacy.load` after
`import extraction.pipeline`. Every component appends to the list of mentions of the Doc (`doc._.mentions`); spans are characters of
`doc.text`, so no component depends on how the text was cut into tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from extraction.base import Mention
from extraction.brand import BrandFinder
from extraction.columns import find_columns
from extraction.gazetteer import ColorFinder, MaterialFinder
from extraction.measures import find_price_mentions, find_quantities, find_sizes
from extraction.words import Words, words_of

MENTIONS, WORDS, FIELDS = "clew.mentions", "clew.words", "clew.fields"
_TOKEN = re.compile(r"\w+ ?|[^\w] ?")
MAX_CHARS = 10_000_000

Component = Callable[[Doc], Doc]


class LightTokenizer:
    """Runs of letters and digits, and single marks: five times as fast as spaCy's rules, and enough for spans of characters."""

    def __init__(self, vocab: Any) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        """Cut a text; `doc.text` is the text, whatever it holds."""
        pieces = _TOKEN.findall(text)
        spaced = [len(piece) > 1 and piece[-1] == " " for piece in pieces]
        return Doc(self.vocab, words=[p[:-1] if s else p for p, s in zip(pieces, spaced, strict=True)], spaces=spaced)

    def to_bytes(self, **kwargs: Any) -> bytes:
        """Nothing to keep."""
        return b""

    def from_bytes(self, data: bytes, **kwargs: Any) -> LightTokenizer:
        """Nothing was kept."""
        return self

    def to_disk(self, path: Any, **kwargs: Any) -> None:
        """Nothing to keep."""

    def from_disk(self, path: Any, **kwargs: Any) -> LightTokenizer:
        """Nothing was kept."""
        return self


@spacy.registry.tokenizers("clew.light.v1")  # type: ignore[untyped-decorator]
def make_tokenizer() -> Callable[[Language], LightTokenizer]:
    """The light tokenizer, for a pipeline's config."""
    return lambda nlp: LightTokenizer(nlp.vocab)


def words_in(doc: Doc) -> Words:
    """The words of a Doc, cut once; their `text` is the Doc's, which spaCy would join again at every `doc.text`."""
    words: Words | None = doc.user_data.get(WORDS)
    if words is None:
        words = doc.user_data[WORDS] = words_of(doc.text)
    return words


def mentions_of(doc: Doc) -> list[Mention]:
    """The mentions that components have found so far; append to it."""
    found: list[Mention] = doc.user_data.setdefault(MENTIONS, [])
    return found


def fields_of(doc: Doc) -> dict[str, str]:
    """The other columns of the row (`doc.user_data["clew.fields"]`); empty for a bare text."""
    fields: dict[str, str] = doc.user_data.get(FIELDS) or {}
    return fields


def category_of(doc: Doc) -> str:
    """The kind of product as the shop writes it; empty when it does not."""
    fields = fields_of(doc)
    return fields.get("category") or fields.get("product_type") or ""


if not Doc.has_extension("mentions"):
    Doc.set_extension("mentions", getter=mentions_of)


@Language.factory("clew_columns")  # type: ignore[untyped-decorator]
def make_columns(nlp: Language, name: str) -> Component:
    """Columns of the row."""

    def columns(doc: Doc) -> Doc:
        fields = fields_of(doc)
        if fields:
            mentions_of(doc).extend(find_columns(fields, words_in(doc).text))
        return doc

    return columns


class BrandComponent:
    """Brands, learned from the shop's titles; scores the Docs of a batch together.

    Args:
        finder: what was learned; None: nothing yet (`nlp.from_disk` brings it).
    """

    def __init__(self, finder: BrandFinder | None = None) -> None:
        self.finder = finder or BrandFinder.learn([], [])

    def __call__(self, doc: Doc) -> Doc:
        """Add the brand of one Doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 256) -> Iterator[Doc]:
        """Add the brands of many Docs."""
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            open_ = [doc for doc in batch if not any(mention.attribute == "brand" for mention in mentions_of(doc))]
            found = self.finder.find([words_in(doc) for doc in open_], [category_of(doc) for doc in open_])
            for doc, mention in zip(open_, found, strict=True):
                if mention is not None:
                    mentions_of(doc).append(mention)
            yield from batch

    def to_bytes(self, **kwargs: Any) -> bytes:
        """What was learned, as JSON."""
        return json.dumps(self.finder.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()

    def from_bytes(self, data: bytes, **kwargs: Any) -> BrandComponent:
        """Take up what was learned."""
        self.finder = BrandFinder.from_dict(json.loads(data))
        return self

    def to_disk(self, path: Any, **kwargs: Any) -> None:
        """Write what was learned into a folder."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "brand.json").write_bytes(self.to_bytes())

    def from_disk(self, path: Any, **kwargs: Any) -> BrandComponent:
        """Read what `to_disk` wrote."""
        return self.from_bytes((Path(path) / "brand.json").read_bytes())


@Language.factory("clew_brand")  # type: ignore[untyped-decorator]
def make_brand(nlp: Language, name: str) -> BrandComponent:
    """Brands of a shop that is yet to be learned."""
    return BrandComponent()


@Language.factory("clew_material")  # type: ignore[untyped-decorator]
def make_material(nlp: Language, name: str) -> Component:
    """Materials of the vocabulary, gated by kind of product."""
    finder = MaterialFinder()

    def material(doc: Doc) -> Doc:
        mentions_of(doc).extend(finder.find(words_in(doc), category_of(doc)))
        return doc

    return material


@Language.factory("clew_color")  # type: ignore[untyped-decorator]
def make_color(nlp: Language, name: str) -> Component:
    """Colours of the vocabulary."""
    finder = ColorFinder()

    def color(doc: Doc) -> Doc:
        mentions_of(doc).extend(finder.find(words_in(doc), category_of(doc)))
        return doc

    return color


@Language.factory("clew_measures")  # type: ignore[untyped-decorator]
def make_measures(nlp: Language, name: str) -> Component:
    """Sizes and quantities."""

    def measures(doc: Doc) -> Doc:
        found = mentions_of(doc)
        text = words_in(doc).text
        found.extend(find_sizes(text, category_of(doc)))
        found.extend(find_quantities(text))
        return doc

    return measures


@Language.factory("clew_price")  # type: ignore[untyped-decorator]
def make_price(nlp: Language, name: str) -> Component:
    """Prices with a currency."""

    def price(doc: Doc) -> Doc:
        mentions_of(doc).extend(find_price_mentions(words_in(doc).text))
        return doc

    return price


COMPONENTS = ("clew_columns", "clew_brand", "clew_material", "clew_color", "clew_measures", "clew_price")


def build_pipeline(finder: BrandFinder) -> Language:
    """A blank pipeline of any language with clew's components in their order.

    Args:
        finder: the brands of the shop.
    """
    nlp = spacy.blank("xx", config={"nlp": {"tokenizer": {"@tokenizers": "clew.light.v1"}}})
    nlp.max_length = MAX_CHARS
    for name in COMPONENTS:
        nlp.add_pipe(name)
    nlp.get_pipe("clew_brand").finder = finder
    return nlp
