"""Answers as values, with one `to_dict` that is the JSON of every door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kg.model import Price
from recommend.draw import notebook
from recommend.path import Explained, Explanation, Path, printed
from recommend.profile import Branch
from recommend.request import Request

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommended product.

    Args:
        rank: 1 for the first.
        item_key, title: the product.
        cold: whether the model has never seen an event of it.
        price: its price, where the catalogue has one.
        explanation: why.
    """

    rank: int
    item_key: str
    title: str
    cold: bool
    price: Price | None
    explanation: Explanation

    @property
    def score(self) -> float:
        """The score that it was ranked by."""
        return self.explanation.score

    @property
    def paths(self) -> tuple[Path, ...]:
        """The shown paths."""
        return self.explanation.paths

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self.explanation.reason

    def to_dict(self) -> dict[str, Any]:
        """An item of the contract."""
        price = None if self.price is None else {"low": self.price.low, "high": self.price.high, "currency": self.price.currency}
        return {
            "rank": self.rank,
            "item_key": self.item_key,
            "title": self.title,
            "score": printed(self.score),
            "cold": self.cold,
            "price": price,
            **self.explanation.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Recommendations for one request.

    Args:
        request: what was asked.
        branch: how it was answered.
        fallback: why it was not answered the usual way; None when it was.
        model, graph: digests.
        items: the recommendations, best first.
        notes: what the asker may want to know (a filter that matches nothing, keys of a deny list that do not exist).
    """

    request: Request
    branch: Branch
    fallback: str | None
    model: str
    graph: str
    items: tuple[Recommendation, ...]
    notes: tuple[str, ...] = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows."""
        return notebook(self)

    def explained(self) -> list[Explained]:
        """Its items with whom they are for."""
        kind: Literal["user", "session", ""] = "user" if self.request.user_key else "session" if self.request.history is not None else ""
        who = self.request.user_key or ""
        return [Explained(item.title, who, kind, item.rank, item.explanation) for item in self.items]

    def remarks(self) -> tuple[str, ...]:
        """What stands above the list: why it was not answered the usual way, and the notes."""
        return (*([self.fallback] if self.fallback else []), *self.notes)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `clew recommend`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "request": self.request.to_dict(),
            "branch": str(self.branch),
            "fallback": self.fallback,
            "model": self.model,
            "graph": self.graph,
            "notes": list(self.notes),
            "items": [item.to_dict() for item in self.items],
        }


@dataclass(frozen=True, slots=True)
class Buyer:
    """A person who would want a new product, and why; the score is on the one scale of people (`recommend.people`)."""

    rank: int
    user_key: str
    explanation: Explanation

    @property
    def score(self) -> float:
        """The score that the person was ranked by."""
        return self.explanation.score

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self.explanation.reason

    def to_dict(self) -> dict[str, Any]:
        """A member of `users`."""
        return {"rank": self.rank, "user_key": self.user_key, "score": printed(self.score), **self.explanation.to_dict()}


@dataclass(frozen=True, slots=True)
class NewProductAnswer:
    """Who would want a product that the graph does not have, and what is like it.

    Args:
        request, model, graph, notes: as in `Answer`.
        mentions: what was read out of the product's text, one JSON object a mention (the form of `clew extract run`).
        users: people, the likeliest first.
        similar: products of the graph.
    """

    request: Request
    model: str
    graph: str
    mentions: tuple[Mapping[str, Any], ...]
    users: tuple[Buyer, ...]
    similar: tuple[Recommendation, ...]
    notes: tuple[str, ...] = field(default=())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows."""
        return notebook(self)

    def explained(self) -> list[Explained]:
        """The product once for each person."""
        product = self.request.new_product
        title = "" if product is None else product.title
        return [Explained(title, buyer.user_key, "user", buyer.rank, buyer.explanation) for buyer in self.users]

    def remarks(self) -> tuple[str, ...]:
        """The notes."""
        return self.notes

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `clew recommend --new-product`."""
        echo = self.request.to_dict()
        return {
            "schema_version": SCHEMA_VERSION,
            "request": echo,
            "branch": str(Branch.NEW_PRODUCT),
            "fallback": None,
            "model": self.model,
            "graph": self.graph,
            "notes": list(self.notes),
            "product": echo["new_product"] | {"mentions": [dict(mention) for mention in self.mentions]},
            "users": [user.to_dict() for user in self.users],
            "similar": [item.to_dict() for item in self.similar],
        }
