"""Triples files → facts: what a product has, what it goes with, what belongs to what."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from kg.canon import bounded_key, entity_key
from kg.chunks import Chunk
from kg.config import STATED, SourceFile, TripleColumns, TriplesSource
from kg.errors import InputError
from kg.mapping import triple_columns
from kg.model import Entity, Evidence, Fact
from kg.ontology import ATTRIBUTE_RELATIONS, Family, Label, Relation, custom_relation, relation, relation_name
from kg.progress import SILENT, Progress
from kg.rejects import Rejects
from kg.sources import Unseen, source_chunks
from kg.values import RowError, is_visible, key_of, text_of

FIELD = "triples"  # the field that evidence of a triple names
RELATED_PRODUCT = "related_product"  # kind of a product that is only mentioned
MENTIONED = "_MENTIONED"  # ends the name of the relation towards one: a relation joins one pair of labels only


def read_triples(
    paths: Sequence[str | Path | SourceFile],
    mapping: TriplesSource,
    rejects: Rejects,
    known_items: Collection[str] | None = None,
    progress: Progress = SILENT,
) -> Iterator[Fact]:
    """The facts of all files, in their order; a repeated triple gives a repeated fact.

    A relation between two products (ALSO_…) whose target is no product of the catalogue becomes `<RELATION>_MENTIONED`
    towards an entity of kind `related_product`: products that mention the same third one still have that in common.

    Args:
        paths: files; `-` is standard input.
        mapping: columns (guessed when it has none), joins, relations.
        rejects: takes the rows that are wrong: a product that the catalogue does not have, a blank entity, a relation that
            cannot be one or that clew makes itself, a confidence that is not within 0..1.
        known_items: keys of the catalogue; None takes any product, and any target as one.

    Raises:
        InputError: a file or column is missing, or there are too many rejects.
    """
    known = known_items if known_items is None or isinstance(known_items, set | frozenset | dict) else frozenset(known_items)
    reader = _Reader(mapping, rejects, known)
    with progress.stage("reading triples") as advance:
        for chunk in source_chunks(paths, mapping.join, rejects, advance):
            yield from reader.facts(chunk)
    reader.unseen.refuse()


class _Reader:
    def __init__(self, mapping: TriplesSource, rejects: Rejects, known: Collection[str] | None) -> None:
        self._mapping = mapping
        self._rejects = rejects
        self._known = known
        self._columns: TripleColumns | None = None
        self._file = ""
        self.unseen = Unseen()
        self._fixed = relation(mapping.relation) if mapping.relation else None
        # A million triples name a few thousand entities and relations: each is made once.
        self._relations: dict[str, Relation | str | None] = {}
        self._ends: dict[tuple[str, str, str, float], tuple[Entity, tuple[Evidence, ...]]] = {}

    def facts(self, chunk: Chunk) -> Iterator[Fact]:
        if self._columns is None or self._file != chunk.file:
            self.unseen.refuse()
            self._columns, self._file = triple_columns(self._mapping.columns, chunk, self._fixed is not None), chunk.file
            self.unseen.start(chunk, self._columns)
        columns = self._columns
        self.unseen.see(chunk)
        names = (columns.item, columns.relation, columns.entity, columns.kind, columns.target, columns.confidence)
        cells = [chunk.column(name) if name else [None] * len(chunk) for name in names]
        for place, values in enumerate(zip(*cells, strict=True)):
            try:
                found = self._fixed or self._relation(values[1])
                if found is None:
                    self._rejects.rows -= 1
                    self._rejects.left_out += 1
                    continue
                yield self._fact(found, *values)
            except (RowError, InputError) as error:
                reason = str(error).rstrip(".")
                self._rejects.add(chunk.file, chunk.lines[place], reason, chunk.row(place))

    def _relation(self, value: Any) -> Relation | None:
        """The relation of a word in the file, None when the configuration leaves it out.

        Raises:
            RowError: a word that can be none.
        """
        word = (text_of(value) or "").strip()
        if word not in self._relations:
            try:
                self._relations[word] = self._named(word)
            except RowError as error:
                self._relations[word] = str(error)
        found = self._relations[word]
        if isinstance(found, str):
            raise RowError(found)
        return found

    def _named(self, word: str) -> Relation | None:
        if self._mapping.relations:
            name = self._mapping.relations.get(word)
            return relation(name) if name else None
        if not word:
            raise RowError("no relation: the cell is blank")
        if word.casefold() in ATTRIBUTE_RELATIONS:
            return relation(ATTRIBUTE_RELATIONS[word.casefold()])
        try:
            found = relation(relation_name(word))
        except InputError:
            raise RowError(f"unusable relation: {word[:40]!r}; give its name under relations of [[triples]]") from None
        if found.family not in STATED:
            raise RowError(f"unusable relation: {found.name} is made by clew itself, a file cannot state it")
        return found

    def _fact(self, found: Relation, item: Any, _: Any, entity: Any, kind: Any, target: Any, confidence: Any) -> Fact:
        sure = _confidence(confidence)
        if found.family is Family.TREE:
            end, evidence = self._end(found, _name(entity), "", sure)
            return Fact(entity_key(found.source, _name(item)), found, end, evidence)
        key = key_of(item, "product key")
        if self._known is not None and key not in self._known:
            raise RowError(f"unknown product: the catalogue has no {key!r}")
        if found.family is Family.LINK:
            return self._link(found, key, entity, target, sure)
        shown = (text_of(kind) or "").strip() if found.target is Label.ENTITY else ""
        if found.target is Label.ENTITY and not shown:
            shown = self._mapping.kinds.get(found.name) or found.name.lower()
        end, evidence = self._end(found, _name(entity), shown, sure)
        return Fact(key, found, end, evidence)

    def _link(self, found: Relation, key: str, entity: Any, target: Any, sure: float) -> Fact:
        name = (text_of(entity) or "").strip()
        asked = (text_of(target) or "").strip() or name
        for other in (bounded_key(text) for text in (asked, name) if text):
            if other == key:
                raise RowError(f"a product and itself: {key!r} {found.name}")
            if self._known is None or other in self._known:
                return Fact(key, found, key_of(other, "other product"), (_evidence(name or other, sure),))
        mentioned = custom_relation(found.name + MENTIONED)
        name = _name(name or asked)
        # Its key keeps the shop's spelling: product keys differ by case.
        end = Entity(mentioned.target, name, RELATED_PRODUCT, bounded_key(f"{RELATED_PRODUCT}:{name}"))
        return Fact(key, mentioned, end, (_evidence(name, sure),))

    def _end(self, found: Relation, name: str, kind: str, sure: float) -> tuple[Entity, tuple[Evidence, ...]]:
        at = (found.target, kind, name, sure)
        if at not in self._ends:
            self._ends[at] = (Entity(found.target, name, kind), (_evidence(name, sure),))
        return self._ends[at]


def _evidence(text: str, confidence: float) -> Evidence:
    return Evidence(FIELD, 0, len(text), text, "triples", confidence)


def _name(value: Any) -> str:
    name = (text_of(value) or "").strip()
    if not is_visible(name):
        raise RowError("no entity: its name is blank")
    return name


def _confidence(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RowError(f"unreadable confidence: {str(value)[:40]!r}") from None
    if math.isnan(number):
        return 1.0
    if not 0.0 <= number <= 1.0:
        raise RowError(f"impossible confidence: {number:g} is not within 0 and 1")
    return number
