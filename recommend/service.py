"""The one door to answers: a workspace opened once, asked many times. The command line, HTTP and notebooks use nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError, UsageError
from kg.model import Product
from kg.snapshot import GraphSnapshot
from kg.workspace import Workspace
from recommend.bundle import load
from recommend.coldstart import Question, not_again, people_of, question
from recommend.explain import PRIVATE_BELOW, Asker, Explainer
from recommend.filters import Mask, ProductFilter, best_first
from recommend.history import History
from recommend.ledger import Ledger
from recommend.new_product import new_product
from recommend.path import Explanation
from recommend.request import Request
from recommend.result import Answer, NewProductAnswer, Recommendation
from recommend.scorer import Scored, Scorer
from recommend.search import Search
from recommend.views.base import NEW_ROW

if TYPE_CHECKING:
    from extraction.llm_model import LanguageModel
    from recommend.compare import WhyNot
    from recommend.faithful import Case, Check, WhatIf
    from recommend.new_item import ProductReader


class Recommender:
    """Answers over one workspace's graph and the model in use.

    Args:
        scorer: scores and their parts.
        workspace: where the graph came from; needed only for products that the graph does not have.
    """

    def __init__(self, scorer: Scorer, workspace: Workspace | None = None) -> None:
        self.scorer = scorer
        self.workspace = workspace

    @classmethod
    def open(cls, workspace: str | Path | Workspace = "clew-data") -> Recommender:
        """Open a workspace; arrays stay on disk until a question reads them.

        Raises:
            StateError: there is no workspace, graph or model, or the model belongs to another graph.
        """
        found = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
        return cls(load(found.open()), found)

    @property
    def snapshot(self) -> GraphSnapshot:
        """The graph."""
        return self.scorer.snapshot

    @cached_property
    def _filter(self) -> ProductFilter:
        return ProductFilter(self.snapshot)

    @cached_property
    def _search(self) -> Search:
        return Search(self.scorer)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.snapshot)

    @cached_property
    def _reader(self) -> ProductReader:
        from recommend.new_item import ProductReader

        return ProductReader(self.require_workspace())

    def recommend(
        self,
        *,
        user: str | None = None,
        history: Iterable[str] | None = None,
        item: str | None = None,
        text: str | None = None,
        **settings: Any,
    ) -> Answer:
        """Recommend products: exactly one of the four questions, and the settings of `recommend.request.Request`.

        Raises:
            UsageError: no question, several, or a setting out of range.
            UnknownKeyError: a person or product that the graph does not have; near ones are suggested.
        """
        keys = None if history is None else tuple(history)
        return self._answer(Request(user_key=user, history=keys, item_key=item, text=text, **settings))

    def new_product(self, product: Product, **settings: Any) -> NewProductAnswer:
        """Who would want a product that the graph does not have, why, and what is like it.

        Raises:
            StateError: the recommender was made without a workspace.
        """
        return self._answer_new(product, Request(new_product=product, **settings))

    def ask(self, request: Request) -> Answer | NewProductAnswer:
        """Answer any request."""
        if request.new_product is None:
            return self._answer(request)
        return self._answer_new(request.new_product, request)

    def ask_all(self, request: Request, users: Iterable[str] | None = None) -> Iterator[Answer]:
        """One answer for each person (all of them, or those named), in order of key; the settings are the request's."""
        limits = self.allowed(request)
        for key in self.snapshot.users if users is None else users:
            yield self._answer(replace(request, user_key=key, history=None, item_key=None, text=None), limits)

    def allowed(self, request: Request) -> tuple[Mask, tuple[str, ...]]:
        """Which products a request lets through (bool [n_items]) but for what the asker has, and notes on its filters."""
        mask, notes = self._filter.mask(request.where)
        mask = mask.copy()
        if not request.out_of_stock:
            mask &= self._filter.available
        if request.exclude:
            rows = self.snapshot.items.rows(sorted(request.exclude))
            mask[rows[rows >= 0]] = False
            unknown = int((rows < 0).sum())
            if unknown:
                notes += (f"{unknown} of the {len(rows)} excluded keys are no products of this graph.",)
        return mask, notes

    def _answer(self, request: Request, limits: tuple[Mask, tuple[str, ...]] | None = None) -> Answer:
        allowed, notes = limits or self.allowed(request)
        asked = question(request, self.scorer)
        rows = self.best(asked.scored, allowed, asked.owned, request, asked.only_matches, asked.history)
        items = tuple(
            self.recommendation(rank, row, why)
            for rank, (row, why) in enumerate(zip(rows, self._why(rows, asked, request), strict=True), 1)
        )
        notes = (*notes, *self.scorer.notes)
        if request.item_key is not None and not items:
            notes += (f"Nothing that may be recommended is like {request.item_key}, as far as this model can tell.",)
        return Answer(request, asked.branch, asked.fallback, self.scorer.digest, self.snapshot.digest, items, notes)

    def _answer_new(self, product: Product, request: Request) -> NewProductAnswer:
        from recommend.new_item import buyers

        mentions, facts = self._reader.read(product)
        met = new_product(self.scorer, product, facts)
        explainer = Explainer(self.snapshot, product, facts)
        users, similar = buyers(self.scorer, request, explainer, met.users), self._like_new(request, explainer, met.similar)
        notes = (f"The graph already has a product with the key {product.key!r}.",) if product.key in self.snapshot.items else ()
        shown = tuple(mention.to_dict() for mention in mentions)
        return NewProductAnswer(request, self.scorer.digest, self.snapshot.digest, shown, users, similar, notes)

    def _like_new(self, request: Request, explainer: Explainer, scored: Scored) -> tuple[Recommendation, ...]:
        allowed, _ = self.allowed(request)
        asker = Asker("item", None, asked_row=NEW_ROW)
        rows = self.best(scored, allowed, np.empty(0, np.int32), replace(request, k=min(request.k, 10)))
        shown = [explainer.explain(scored.parts(row), asker, request.explain, request.all_paths, request.lang) for row in rows]
        return tuple(self.recommendation(rank, row, why) for rank, (row, why) in enumerate(zip(rows, shown, strict=True), start=1))

    def best(
        self,
        scored: Scored,
        allowed: Mask,
        owned: NDArray[np.int32],
        request: Request,
        only_matches: bool = False,
        history: History | None = None,
    ) -> list[int]:
        """Item rows of the k best that a request lets through; with a history they are searched for, else taken from all scores."""
        mask, above = self._without(allowed, owned), 0.0 if only_matches else -np.inf
        if history is None:
            rows = best_first(scored.scores, mask & (scored.scores > above), request.k)
        else:
            rows = self._search.best_first(history, mask, request.k, above)
        return self._filter.take(rows, request.k, request.max_per_brand)

    def _without(self, allowed: Mask, owned: NDArray[np.int32]) -> Mask:
        """What is allowed but for what the asker has, and for its twins in title."""
        return allowed & ~self._filter.twins(owned) if len(owned) else allowed.copy()

    def _why(self, rows: Sequence[int], asked: Question, request: Request) -> list[Explanation]:
        """The explanations of a list; those of one history at once."""
        if asked.history is None or request.all_paths:
            return [self._explained(row, asked, request, self._explainer) for row in rows]
        ledger = Ledger(self.scorer, asked.history, np.array(rows, np.int32))
        return self._explainer.explain_all(ledger, asked.asker, request.explain, request.lang, self._people)

    def _explained(self, row: int, asked: Question, request: Request, explainer: Explainer) -> Explanation:
        parts = asked.scored.parts(row)
        return explainer.explain(parts, asked.asker, request.explain, request.all_paths, request.lang, lambda: self._people(row))

    def recommendation(self, rank: int, row: int, explanation: Explanation) -> Recommendation:
        """A product of the graph as an item of an answer."""
        graph = self.snapshot
        return Recommendation(rank, graph.items.key(row), graph.title(row), not self.scorer.seen[row], graph.price(row), explanation)

    def _people(self, row: int) -> int | None:
        people = people_of(self.snapshot, row)
        return people if people >= PRIVATE_BELOW else None

    def polish(self, answer: Answer, model: LanguageModel) -> Answer:
        """An answer whose reasons a language model put more fluently, where that claims nothing else (see `recommend.polish`)."""
        from recommend.polish import Polisher, polish

        has = self._explainer.has(question(answer.request, self.scorer).asker)
        return polish(answer, Polisher(model, answer.request.lang), self._explainer.brand_of, has)

    def explain(self, item: str, *, user: str | None = None, history: Iterable[str] | None = None, **settings: Any) -> Answer:
        """Every part of one score; the answer has one item, with its rank among what may be recommended.

        A product that would not be recommended (the person has it, it is out of stock) is explained all the same; a note says so.

        Raises:
            UsageError: not exactly one of user and history.
            UnknownKeyError: a person or product that the graph does not have.
        """
        if (user is None) == (history is None):
            raise UsageError("An explanation needs a user or a history, and not both.")
        request = Request(user_key=user, history=None if history is None else tuple(history), **{"explain": 3, **settings})
        row = self.snapshot.items.row(item)
        asked = question(request, self.scorer)
        allowed, notes = self.allowed(replace(request, where=""))
        mask = self._without(allowed, asked.owned)
        rank, why = self._rank(row, asked.scored.scores, mask)
        listed = self.best(asked.scored, allowed, asked.owned, request, history=asked.history)
        if row in listed:
            rank = listed.index(row) + 1  # twins in title and full brands are passed over there
        from recommend.evidence import AllEvidence

        evidence = None if self.workspace is None else AllEvidence(self.workspace)
        told = self._explained(row, asked, request, Explainer(self.snapshot, all_evidence=evidence))
        if not told.paths and asked.fallback is None:
            why = (*why, "No path leads from what they did to this product; its score is made of the parts below.")
        shown = (self.recommendation(rank, row, told),)
        return Answer(
            request, asked.branch, asked.fallback, self.scorer.digest, self.snapshot.digest, shown, (*notes, *why, *self.scorer.notes)
        )

    def why_not(self, answer: Answer) -> WhyNot:
        """Why the one item of an explanation is not among the first k of its request."""
        from recommend.compare import why_not

        request, item = answer.request, answer.items[0]
        asked = question(request, self.scorer)
        allowed, _ = self.allowed(request)
        order = self.best(asked.scored, allowed, asked.owned, request, asked.only_matches, asked.history)
        if not order:
            raise StateError("There is nothing that may be recommended to compare with.", "Loosen the filters.")
        last, row = order[-1], self.snapshot.items.row(item.item_key)
        against = (self.snapshot.items.key(last), self.snapshot.title(last))
        return why_not(asked.scored.parts(row), item.rank, asked.scored.parts(last), len(order), against)

    def check(self, answer: Answer) -> Check:
        """Take the strongest fact or event of an explanation out of the graph and rank the whole catalogue again."""
        from recommend.faithful import check

        return check(self._case(answer))

    def check_new(self, answer: NewProductAnswer) -> Check:
        """The same for a new product and the person who would want it most: its rank is among what that person may be shown.

        Raises:
            UsageError: nobody would want it, or nothing that adds to the score can be taken out.
        """
        from recommend.faithful import NewCase, check

        product = answer.request.new_product
        if product is None or not answer.users:
            raise UsageError("Nobody would want this product, so there is no score to take apart.")
        user_row = self.snapshot.users.row(answer.users[0].user_key)
        allowed, _ = self.allowed(replace(answer.request, where=""))
        owned = not_again(self.snapshot.events.of_user(user_row), answer.request.repeat)
        _, facts = self._reader.read(product)
        return check(NewCase(self.scorer, user_row, product, tuple(facts), self._without(allowed, owned)))

    def what_if(self, answer: Answer, statement: str) -> WhatIf:
        """The rank of an explained product if one more fact held, such as `MADE_OF=material:cotton`."""
        from recommend.faithful import what_if

        return what_if(self._case(answer), statement)

    def _case(self, answer: Answer) -> Case:
        from recommend.faithful import Case

        request, graph = answer.request, self.snapshot
        row = graph.items.row(answer.items[0].item_key)
        allowed, _ = self.allowed(replace(request, where=""))
        mask = self._without(allowed, question(request, self.scorer).owned)
        user_row = None if request.user_key is None else graph.users.row(request.user_key)
        history = tuple(graph.items.row(key) for key in request.history or ())
        return Case(self.scorer, user_row, history, row, mask)

    def _rank(self, row: int, scores: NDArray[np.float64], mask: Mask) -> tuple[int, tuple[str, ...]]:
        above = (scores > scores[row]) | ((scores == scores[row]) & (np.arange(len(scores)) < row))
        rank = int((above & mask).sum()) + 1
        if mask[row]:
            return rank, ()
        why = "it is out of stock" if not self._filter.available[row] else "it is already there or excluded"
        return rank, (f"This product would not be recommended: {why}.",)

    def require_workspace(self) -> Workspace:
        """The workspace.

        Raises:
            StateError: the recommender was made without one.
        """
        if self.workspace is None:
            raise StateError("A new product needs the workspace that the graph came from.", "Use Recommender.open(workspace).")
        return self.workspace
