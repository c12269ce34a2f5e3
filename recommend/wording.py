"""Paths as sentences. A sentence says what the path says: its products, its shared entity, its people, its words; and nothing else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from kg.ontology import Family, Label, Rel, display_name, display_sentence, relation
from recommend.path import Edge, Node, Path, Rest
from recommend.phrases import PHRASES, Phrases

Voice = Literal["you", "they", "session", "item", "text"]
NAME_WIDTH = 48  # columns that a product's name may take in a sentence
MAINLY = 0.5  # share of the margin from which a reason is called the main one
ALSO = 0.15  # share of the margin from which a second reason is worth saying
NO_REASON = 0.01  # share of the margin up to which a path moved nothing that is worth a reason
_BREAK = re.compile(r"\s*(?:[;|(\[（【，；：]|[,:/](?!\d)|\s[-–—~]\s)")
_LOOSE = re.compile(r"(?:\s+(?:and|with|for|of|the|a|an|in|to|or|by|from|on|&|\+|-|–|—))+\s*\Z", re.IGNORECASE)
_SNAKE = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)*\Z")
_CODE = re.compile(r"\A[A-Z0-9]{2,}(?:_[A-Z0-9]+)*(?= )")
_HIDDEN = {ord(c): "\ufffd" for c in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_SHOWN = {code: chr(0x2400 + code) for code in range(32)} | {127: "\u2421"} | dict.fromkeys(range(128, 160), "�") | _HIDDEN


def shown(text: str) -> str:
    """A text from outside as it may be shown: one line, control characters as pictures of themselves, none obeyed."""
    return " ".join(re.sub(r"[\t\n\r]+", " ", text).translate(_SHOWN).split())


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


@lru_cache(8192)
def short_title(title: str, brand: str | None = None, limit: int = NAME_WIDTH) -> str:
    """A title that fits into a sentence: cut where a phrase or at least a word ends, the cut marked, the brand kept."""
    clean = shown(title)
    if width(clean) <= limit:
        return clean
    head = _head(clean, limit - 1)
    phrase = [match.start() for match in _BREAK.finditer(head)]
    if phrase and width(head[: phrase[-1]]) >= limit // 4:
        head = head[: phrase[-1]]
    elif clean[len(head)] != " " and " " in head and not _wide(clean[len(head)]):
        head = head.rsplit(" ", 1)[0]
    head = _LOOSE.sub("", head).rstrip(" ,;:|-–—([（【/&+")
    kept = brand is None or shown(brand).casefold() in head.casefold()
    return f"{head}…" if kept else f"{head}… ({shown(brand or '')})"


def _head(text: str, limit: int) -> str:
    taken = 0
    for place, char in enumerate(text):
        taken += width(char)
        if taken > limit:
            return text[:place]
    return text


def _wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def entity_words(name: str, label: str = "") -> str:
    """An entity's name in a sentence: `INPUT_MOUSE` reads "input mouse", and so does a category in capitals; the rest stands as it is."""
    clean = shown(name)
    if label == Label.PRICE_BAND:
        return _CODE.sub(lambda found: found.group().replace("_", " ").lower(), clean.removeprefix("All "))
    code = "_" in clean or (label == Label.CATEGORY and len(clean) > 3)
    return clean.replace("_", " ").lower() if code and _SNAKE.match(clean) else clean


def _anchor(path: Path) -> tuple[str, str, str]:
    """What a path rests on at its end: the node before the product and the edge from it; two of the same say the same twice."""
    return path.nodes[-2].label, path.nodes[-2].key, path.edges[-1].relation


def relation_words(relation: str) -> str:
    """A relation's name in a sentence: `DIRECTED_BY` reads "directed by"."""
    return relation.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class Wording:
    """Makes sentences in one language for one kind of asker.

    Args:
        lang: "en" or "zh".
        voice: who asks: a person ("you"), a shop about a person ("they"), a session, someone with a product or with words.
        brand_of: name of a product's brand by key, None where it has none.
        has: whether the asker has the product of a key, which is said of one that a path passes.
    """

    lang: str
    voice: Voice
    brand_of: Callable[[str], str | None] = lambda key: None
    has: Callable[[str], bool] = lambda key: False

    @property
    def _say(self) -> Phrases:
        return PHRASES[self.lang]

    def path(self, path: Path) -> str:
        """One path as a sentence."""
        return self._sentence("", self._clauses(path, self._say.after_opening))

    def reason(self, paths: Sequence[Path], rest: Rest, score: float, people: Callable[[], int | None] | None = None) -> str:
        """Why a product is recommended: the strongest path, the second where it weighs, "mainly" where the figures back it.

        Args:
            paths: the shown paths, strongest first.
            rest: what is not a shown path.
            score: the whole score; the margin is what it has above `rest.baseline`.
            people: says how many people have the product, or None to keep it to oneself; asked only when popularity is the reason.
        """
        margin = score - rest.baseline
        told = [path for path in paths if path.contribution > max(0.0, NO_REASON * margin)]
        if not told:
            return self._without_path(rest, people)
        share = [path.contribution / margin if margin > 0 else 0.0 for path in told]
        if share[0] >= MAINLY:
            first = self._sentence(self._say.mainly, self._clauses(told[0], self._say.mainly_then))
        else:
            first = told[0].reason or self.path(told[0])
        more = [path for path, part in zip(told[1:], share[1:], strict=True) if part >= ALSO and _anchor(path) != _anchor(told[0])]
        if not more:
            return first
        gap = "" if self.lang == "zh" else " "
        return first + gap + self._sentence(self._say.also, self._clauses(more[0], self._say.after_opening))

    def _without_path(self, rest: Rest, people: Callable[[], int | None] | None) -> str:
        parts = {"other_paths": rest.other_paths, "text": rest.text, "popularity": rest.popularity, "latent": rest.latent}
        name = max(parts, key=lambda part: parts[part])
        if parts[name] <= 0:
            name = "baseline"
        if name == "popularity" and people is not None and (count := people()) is not None:
            return self._say.missing["popularity:count"].format(people=self._say.people.format(n=f"{count:,}"))
        return self._say.missing[name]

    def _sentence(self, lead: str, clauses: str) -> str:
        text = lead + clauses
        return text[:1].upper() + text[1:] + self._say.end

    def _name(self, node: Node) -> str:
        if node.label == Label.PRODUCT:
            return self._quoted(short_title(node.name or node.key, self.brand_of(node.key)))
        return entity_words(node.name or node.key, node.label)

    def _word(self, text: str) -> str:
        return shown(text)

    def _quoted(self, name: str) -> str:
        return self._say.quote.format(name) if self.lang == "zh" else name

    def _listed(self, names: Sequence[str]) -> str:
        if len(names) == 1:
            return names[0]
        return self._say.comma.join(names[:-1]) + self._say.and_word + names[-1]

    def _starts(self, path: Path, first: Node) -> tuple[str, bool]:
        """The products that a path starts at, and whether they are several to a reader."""
        names = list(dict.fromkeys([self._name(first), *(self._name(other.node) for other in path.also[: path.told])]))
        # What was only bought by the same people is not what the sentence is about: one of many stands for all.
        most, kept = (2, 1) if any(edge.relation == Rel.CO_BOUGHT for edge in path.edges) else (3, 2)
        several = len(names) > 1
        if len(names) > most:
            names = [*names[:kept], self._say.more.format(n=len(names) - kept)]
        return self._listed(names), several

    def _clauses(self, path: Path, separator: str) -> str:
        nodes, edges = list(path.nodes), list(path.edges)
        if nodes[0].label == Label.USER:
            starts, several = self._starts(path, nodes[1])
            opening = self._opening(edges[0]).format(x=starts)
            subject = self._say.them if several else self._say.it
            told = self._walk(subject, nodes[1:], edges[1:], opened=True)
            against = self._say.against if edges[0].against and path.contribution < 0 else ""
            return opening + separator + self._say.and_then.join(told) + self._others(path) + against
        subject = "" if nodes[0].label == Label.QUERY else self._starts(path, nodes[0])[0]
        return self._say.and_then.join(self._walk(subject, nodes, edges, opened=False)) + self._others(path)

    def _others(self, path: Path) -> str:
        more = len(path.also) - path.told
        if more <= 0:
            return ""
        return self._say.within.format((self._say.one_way if more == 1 else self._say.ways).format(n=more))

    def _opening(self, edge: Edge) -> str:
        say, voice = self._say, "they" if self.voice == "they" else "you"
        low = edge.against and edge.relation == Rel.RATED
        relation = f"{edge.relation}:low" if low else edge.relation
        if self.voice == "session":
            return say.chose
        template = display_sentence(relation, self.lang) or say.openings.get(relation) or say.openings[""]
        return template.replace("{who}", say.who[voice]).replace("{whose}", say.whose[voice])

    def _walk(self, subject: str, nodes: Sequence[Node], edges: Sequence[Edge], opened: bool) -> list[str]:
        """One clause for each step from product to product; the last product is "this"."""
        told: list[str] = []
        x, at = subject, 0
        while at < len(edges):
            end = at + 1
            while end < len(edges) and nodes[end].label not in (Label.PRODUCT, Label.QUERY):
                end += 1
            y = self._say.this if end == len(nodes) - 1 else self._passed(nodes[end])
            if end == at + 1:
                told.append(self._link(x, y, edges[at]))
            else:
                told.append(self._fact(x, y, nodes[at : end + 1], edges[at:end], opened=opened and at == 0))
            # The product that was named last is "the latter": "it" would be the first one.
            x, at = self._say.latter, end
        return told

    def _passed(self, node: Node) -> str:
        """A product on the way, with a word where the asker has it."""
        had = self._say.had["they" if self.voice == "they" else "you"] if self.has(node.key) else ""
        return self._name(node) + had

    def _fact(self, x: str, y: str, nodes: Sequence[Node], edges: Sequence[Edge], opened: bool) -> str:
        last, entity = edges[-1], nodes[-2]
        template = display_sentence(last.relation, self.lang) or self._say.facts.get(last.relation)
        named = display_name(entity.label, self.lang)
        if template is None:
            template = self._say.facts["named" if named and entity.label != Label.ENTITY else ""]
        said = display_name(last.relation, self.lang) or relation_words(last.relation)
        claim = template.format(e=self._name(entity), rel=said, name=named)
        if edges[0].relation == Rel.MATCHES:
            told = self._say.fact_asked.format(y=y, claim=claim)
        elif opened:
            told = self._say.fact_after.format(y=y, claim=claim)
        else:
            told = self._say.fact_alone.format(x=x, y=y, claim=claim)
        return told + "".join(self._say.within.format(self._kind(nodes, edges, place)) for place in range(1, len(edges) - 1))

    def _kind(self, nodes: Sequence[Node], edges: Sequence[Edge], place: int) -> str:
        left, right = self._name(nodes[place]), self._name(nodes[place + 1])
        low, high = (left, right) if edges[place].direction == "out" else (right, left)
        if relation(edges[place].relation).family is not Family.TREE:
            return f"{low} → {high}"
        return (display_sentence(edges[place].relation, self.lang) or self._say.tree).format(low=low, high=high)

    def _link(self, x: str, y: str, edge: Edge) -> str:
        key = edge.relation
        words = ""
        if edge.words:
            words = self._listed([self._say.quote.format(self._word(word)) for word in edge.words[:3]])
            key += ":words" if len(edge.words) > 1 or " " in edge.words[0] else ":word"
        own = None if words else display_sentence(edge.relation, self.lang)
        template = own or self._say.links.get(key) or self._say.links.get(edge.relation) or self._say.links[""]
        several = x == self._say.them
        if several and edge.relation in (Rel.CO_BOUGHT, Rel.NEXT_BOUGHT):
            x = self._say.one_of_them
        # The count belongs to one of several starts, so it is not said of all of them; what was bought later is counted in times.
        counted = isinstance(edge.count, int) and not several and edge.relation != Rel.NEXT_BOUGHT
        who = self._say.people.format(n=f"{edge.count:,}") if counted else self._say.others
        return template.format(x=x, y=y, who=who, words=words, rel=display_name(edge.relation, self.lang) or relation_words(edge.relation))
