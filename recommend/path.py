"""What a reason is made of: nodes and edges, the paths of a score, what is no path, and the whole as an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from kg.model import Evidence

_DIGITS = 10  # of printed numbers: with a thousand parts the printed sum is still right to 1e-7


def printed(number: float) -> float:
    """A number as it is printed: ten digits after the point, and no negative zero."""
    return round(float(number), _DIGITS) + 0.0


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a path: its label, its key and what people call it (empty for a person)."""

    label: str
    key: str
    name: str = ""

    def to_dict(self) -> dict[str, str]:
        """`label`, `key` and, where there is one, `name`."""
        return {"label": self.label, "key": self.key} | ({"name": self.name} if self.name else {})


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of a path, read from left to right.

    Args:
        relation: its type.
        direction: "out" when it points to the right.
        evidence: for a fact, the strongest reason to believe it.
        evidence_count: how many pieces of evidence the fact has.
        more_evidence: the other pieces, where they were looked up.
        count: for events, how many; for a collaborative edge, how many people, or "others" below five.
        last: for events, the ISO date of the last one.
        words: for a likeness of texts, the words that carry it, as both texts have them; None for other edges.
        derived: True for an edge that a model found.
        against: True for an event that says no to its product: returned, disliked, rated low.
    """

    relation: str
    direction: Literal["out", "in"]
    evidence: Evidence | None = None
    evidence_count: int = 1
    more_evidence: tuple[Evidence, ...] = ()
    count: int | Literal["others"] | None = None
    last: str | None = None
    words: tuple[str, ...] | None = None
    derived: bool = False
    against: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The members that say something."""
        made: dict[str, Any] = {"type": self.relation, "direction": self.direction}
        if self.derived:
            made["derived"] = True
        if self.against:
            made["against"] = True
        if self.evidence is not None:
            made |= {"confidence": printed(self.evidence.confidence), "evidence": evidence_dict(self.evidence)}
        if self.evidence_count > 1:
            made["evidence_count"] = self.evidence_count
        if self.more_evidence:
            made["more_evidence"] = [evidence_dict(piece) | {"confidence": printed(piece.confidence)} for piece in self.more_evidence]
        for name in ("count", "last"):
            if getattr(self, name) is not None:
                made[name] = getattr(self, name)
        if self.words is not None:
            made["words"] = list(self.words)
        return made


def evidence_dict(evidence: Evidence) -> dict[str, Any]:
    """A piece of evidence as JSON."""
    return {
        "field": evidence.field,
        "start": evidence.start,
        "end": evidence.end,
        "text": evidence.text,
        "extractor": evidence.extractor,
    }


class Also(NamedTuple):
    """Another path that is merged into a shown one: where it starts, what it adds, and the products on its way if they are others.

    Args:
        node: where it starts.
        contribution: what it adds.
        via: products between the start and the end.
    """

    node: Node
    contribution: float
    via: tuple[Node, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The node, its contribution and its way."""
        made: dict[str, Any] = self.node.to_dict() | {"contribution": printed(self.contribution)}
        return made | ({"via": [node.to_dict() for node in self.via]} if self.via else {})


@dataclass(frozen=True, slots=True)
class Path:
    """A shown path; a merged one holds several of the same edges, entities and end.

    Args:
        contribution: what it adds to the score, those merged into it included.
        view: which view made it (its strongest part).
        relation: the relation that tells most.
        nodes, edges: the chain; one edge between two nodes.
        also: the other paths of a merged one; those first that differ from it in nothing but where they start.
        reason: the path as a sentence.
        told: how many of `also` the sentence names or counts with the lead.
    """

    contribution: float
    view: str
    relation: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    also: tuple[Also, ...] = ()
    reason: str = ""
    told: int = 0

    def to_dict(self) -> dict[str, Any]:
        """A path of the contract, with `also` and `reason` where it has them."""
        made: dict[str, Any] = {
            "contribution": printed(self.contribution),
            "view": self.view,
            "relation": self.relation,
            "nodes": [node.to_dict() for node in self.nodes],
            "edges": [edge.to_dict() for edge in self.edges],
        }
        if self.also:
            made["also"] = [other.to_dict() for other in self.also]
        return made | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a score is not a shown path.

    Args:
        other_paths: sum of the paths that are not shown.
        text: likeness to the text of the query itself.
        popularity: what the product gets whoever asks.
        latent: what nobody can name.
        baseline: what the mean candidate gets.
    """

    other_paths: float
    text: float
    popularity: float
    latent: float
    baseline: float

    def to_dict(self) -> dict[str, float]:
        """The five numbers, as printed."""
        return {name: printed(getattr(self, name)) for name in ("other_paths", "text", "popularity", "latent", "baseline")}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score taken apart for people: the paths that are shown, the rest, and one reason in words."""

    score: float
    paths: tuple[Path, ...]
    rest: Rest
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """`paths`, `rest` and `reason`; the score stands in front of the item's other members."""
        return {"paths": [path.to_dict() for path in self.paths], "rest": self.rest.to_dict(), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation with what it is of: a product's title, and for whom.

    Args:
        title: of the product.
        who: the person's key; empty where nobody is named.
        kind: "user", "session", or empty for a text or a product.
        rank: among its list.
        explanation: why.
    """

    title: str
    who: str
    kind: Literal["user", "session", ""]
    rank: int
    explanation: Explanation
