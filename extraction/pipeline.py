"""The rules as a spaCy pipeline: a blank language, a light tokenizer, and one component per part (`extraction/parts.py`).

A user may add components of spaCy's or of their own, save it with `nlp.to_disk` and load it with `spacy.load` after
`import extraction.pipeline`. Every component appends to the list of mentions of the Doc (`doc._.mentions`); spans are characters of
`doc.text`, so no component depends on how the text was cut into tokens. `nlp.pipe(…, n_process=N)` reads on N cores.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import spacy
import srsly  # type: ignore[import-untyped]
from spacy.language import Language
from spacy.tokens import Doc

from extraction import vocabularies
from extraction.base import Mention
from extraction.brand import BrandFinder
from extraction.parts import BATCH, PARTS, BrandPart, Part, Reading
from extraction.words import Words, words_of
from kg.digest import digest_json
from kg.errors import StateError
from kg.model import Product

MENTIONS, WORDS, FIELDS = "clew.mentions", "clew.words", "clew.fields"
_TOKEN = re.compile(r"\w+ ?|[^\w] ?")
MAX_CHARS = 10_000_000
_NOBODY = BrandFinder.learn([], [])


class LightTokenizer:
    """Runs of letters and digits, and single marks: five times as fast as spaCy's rules, and enough for spans of characters."""

    def __init__(self, vocab: Any) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        """Cut a text; `doc.text` is the text, whatever it holds."""
        pieces = _TOKEN.findall(text)
        spaced = [len(piece) > 1 and piece[-1] == " " for piece in pieces]
        doc = Doc(self.vocab, words=[p[:-1] if s else p for p, s in zip(pieces, spaced, strict=True)], spaces=spaced)
        doc.user_data[WORDS] = words_of(text)  # holds the text too, which spaCy would join again at every `doc.text`
        return doc

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
    """The words of a Doc, cut once, whatever tokenizer made it."""
    words: Words | None = doc.user_data.get(WORDS)
    if words is None:
        words = doc.user_data[WORDS] = words_of(doc.text)
    return words


def mentions_of(doc: Doc) -> list[Mention]:
    """The mentions that components have found so far; append to it."""
    found: list[Mention] = doc.user_data.setdefault(MENTIONS, [])
    return found


def reading_of(doc: Doc) -> Reading:
    """A Doc as the parts see it; its mentions are the Doc's. The row's other columns are `doc.user_data["clew.fields"]`."""
    return Reading(words_in(doc), doc.user_data.get(FIELDS) or {}, mentions_of(doc), doc.text)


if not Doc.has_extension("mentions"):
    Doc.set_extension("mentions", getter=mentions_of)


# What components keep with a Doc travels between processes as lists: name of the class → the class.
_TRAVELLERS: dict[str, type] = {}


def travels(kept: type) -> None:
    """Let a dataclass that a component keeps in `doc.user_data` be written with the Doc (`Doc.to_bytes`, `n_process`)."""
    _TRAVELLERS[kept.__name__] = kept


@srsly.msgpack_encoders("clew")  # type: ignore[untyped-decorator]
def encode(value: Any, chain: Any = None) -> Any:
    """A dataclass of ours as something that msgpack knows."""
    if is_dataclass(value) and _TRAVELLERS.get(type(value).__name__) is type(value):
        return {"clew": type(value).__name__, "is": [getattr(value, f.name) for f in fields(value)]}
    return value if chain is None else chain(value)


@srsly.msgpack_decoders("clew")  # type: ignore[untyped-decorator]
def decode(value: Any, chain: Any = None) -> Any:
    """What `encode` made something else of."""
    if isinstance(value, dict) and value.keys() == {"clew", "is"}:
        return _TRAVELLERS[value["clew"]](*value["is"])
    return value if chain is None else chain(value)


for _kept in (Mention, Words):
    travels(_kept)


@runtime_checkable
class GoesByShop(Protocol):
    """A component that wants to know what the shop's titles taught."""

    def goes_by(self, finder: BrandFinder) -> None:
        """Take up what was learned."""
        ...


class PartComponent:
    """A part as a spaCy component."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __call__(self, doc: Doc) -> Doc:
        """Read one Doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """Read many Docs."""
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            self.part([reading_of(doc) for doc in batch])
            yield from batch


class BrandComponent(PartComponent):
    """The brands as a spaCy component that keeps what was learned.

    Args:
        finder: what was learned; None: nothing yet (`nlp.from_disk` brings it).
    """

    def __init__(self, finder: BrandFinder | None = None) -> None:
        self.finder = finder or _NOBODY

    @property
    def finder(self) -> BrandFinder:
        """What was learned."""
        return self._finder

    @finder.setter
    def finder(self, finder: BrandFinder) -> None:
        self._finder = finder
        super().__init__(BrandPart(finder))

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


def _factory(name: str) -> None:
    def make(nlp: Language, name: str) -> PartComponent:
        return BrandComponent() if made is BrandPart else PartComponent(made(_NOBODY))

    made = PARTS[name]
    Language.factory(name, func=make)


for _name in PARTS:
    _factory(_name)


def build_pipeline(finder: BrandFinder) -> Language:
    """A blank pipeline of any language with clew's components in their order.

    Args:
        finder: the brands of the shop.
    """
    nlp = spacy.blank("xx", config={"nlp": {"tokenizer": {"@tokenizers": "clew.light.v1"}}})
    nlp.max_length = MAX_CHARS
    for name in PARTS:
        nlp.add_pipe(name)
    nlp.get_pipe("clew_brand").finder = finder
    return nlp


class PipelineExtractor:
    """A spaCy pipeline with clew's components, and any others, as an `Extractor`.

    Args:
        nlp: the pipeline, with the component `clew_brand` in it.
        name: name of the extractor.
    """

    name = "rules"

    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp
        finder: BrandFinder = nlp.get_pipe("clew_brand").finder
        self.names = finder.names
        for _, component in nlp.pipeline:
            if isinstance(component, GoesByShop):
                component.goes_by(finder)
        self._digest = digest_json(["pipeline", vocabularies.digest(), list(nlp.pipe_names), finder.digest])

    @classmethod
    def load(cls, folder: Path) -> PipelineExtractor:
        """The extractor that `save` wrote.

        Raises:
            StateError: the folder does not hold one.
        """
        try:
            return cls(spacy.load(folder))
        except (OSError, ValueError, KeyError) as error:
            raise StateError(f"{folder} holds no pipeline ({error}).", "Save one there with PipelineExtractor.save.") from None

    def save(self, folder: Path) -> None:
        """Write the pipeline with all that it learned, in spaCy's own layout."""
        self.nlp.to_disk(folder)

    @property
    def digest(self) -> str:
        """Digest of components, vocabularies and what was learned from the catalogue."""
        return self._digest

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product; reads a batch ahead."""
        return (mentions_of(doc) for doc in self.docs(products))

    def docs(self, products: Iterable[Product], processes: int = 1) -> Iterator[Doc]:
        """The spaCy Doc of each product's title, having gone through the pipeline on so many cores."""
        ahead, behind = itertools.tee(products)
        make_doc = self.nlp.make_doc

        def made() -> Iterator[Doc]:
            for product in ahead:
                doc = make_doc(product.title)
                doc.user_data[FIELDS] = dict(product.fields)
                yield doc

        for product, doc in zip(behind, self.nlp.pipe(made(), n_process=processes), strict=True):
            Reading(words_in(doc), {}, mentions_of(doc), product.title).quote()
            yield doc
