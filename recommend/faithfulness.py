"""Are the reasons true, and did they move the score? Reasons of a model put to the test over the people of a task.

For each of some people, the ten products that the model would recommend are explained, and of one of them, drawn at random, something is
taken out of the graph and the whole catalogue ranked again (`recommend.changed`): the strongest history product, the strongest fact of the
product, the strongest path, the strongest reason as shown; each beside a random one that adds to the score too, and the weakest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.events import NO_TIME
from kg.progress import SILENT, Progress
from kg.seeds import generator
from kg.snapshot import GraphSnapshot
from recommend.coldstart import EventEdges
from recommend.explain import Asker, Explainer
from recommend.faithful import Case, Fact, facts_of
from recommend.fit import fit
from recommend.merge import Group, Member, ways
from recommend.parts import Parts, PathPart
from recommend.path import Node
from recommend.path_measures import Told, by_row, list_figures
from recommend.path_truth import PathTruth
from recommend.scorer import Scorer
from recommend.tasks import Benchmark, Task
from recommend.training import Training

K = 10
SHOWN = 3
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Study:
    """Reasons of a model under test.

    Args:
        scorer: the model.
        texts: one a product, by item row, from which likeness was read.
        people: how many people of a task are looked at.
        seed: of the draw and the intervals.
        again: the same fitted with another seed; None leaves stability out.
    """

    scorer: Scorer
    texts: Sequence[str]
    people: int
    seed: int = 0
    again: Scorer | None = None

    def run(self, task: Task, progress: Progress = SILENT) -> dict[str, Any]:
        """All figures of one task, each with how many it is of and its 95 % bootstrap interval over people."""
        graph = self.scorer.snapshot
        inside = np.flatnonzero(graph.users.rows(list(task.keys)) >= 0)
        random = generator(self.seed, f"explanations of {task.name}")
        chosen = np.sort(random.choice(inside, min(self.people, len(inside)), replace=False))
        bench = _Bench(self, task, PathTruth(graph, self.texts))
        found = _Found()
        with progress.stage(f"explaining {task.name}", len(chosen)) as advance:
            for place in chosen.tolist():
                found.person = place
                bench.person(place, found, random)
                advance(1)
        return {"people": len(chosen), "people_outside_the_graph": task.n_users - len(inside), **found.figures(self.seed)}


@dataclass
class _Found:
    """What was seen, by name: values with the person that each is of, and deletions, one a person."""

    person: int = 0
    values: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    drops: dict[str, list[tuple[bool, bool | None, bool | None]]] = field(default_factory=dict)

    def add(self, name: str, value: float | np.floating[Any]) -> None:
        self.values.setdefault(name, []).append((self.person, float(value)))

    def figures(self, seed: int) -> dict[str, Any]:
        """As JSON values: means, for shares medians, and for deletions how often the product left the first ten."""
        made: dict[str, Any] = {}
        for name, values in self.values.items():
            people, of = np.array([person for person, _ in values]), np.array([value for _, value in values])
            if name.startswith("additivity"):
                made[name] = {"max": float(of.max()), "within_1e-6": float((of <= 1e-6).mean()), "n": len(of)}
            elif name.startswith("share"):
                made[name] = _estimate(of, np.median, seed, "median", people) | {"quartiles": np.quantile(of, [0.25, 0.75]).tolist()}
            else:
                made[name] = _estimate(of, np.mean, seed, "mean", people)
        made["deletion"] = {name: _dropped(trials, seed) for name, trials in self.drops.items()}
        return made


def put_to_test(benchmark: Benchmark, training: Training, people: int, refit_seed: int | None = None) -> dict[str, Any]:
    """Fit clew on a protocol and put its reasons to the test on every task.

    Args:
        benchmark: the loaded protocol.
        training: what the model learns from; its seed is also that of the draws and intervals.
        people: how many people of a task.
        refit_seed: seed of a second fit, to see which reasons stay; None leaves that out.

    Returns:
        The JSON of `clew evaluate --explanations`.
    """
    started, seed = time.process_time(), training.config.seed
    scorer, again = fit(training).scorer, None
    if refit_seed is not None:
        cache = None if training.cache is None else training.cache / f"seed {refit_seed}"
        again = fit(replace(training, config=training.config.model_copy(update={"seed": refit_seed}), cache=cache)).scorer
    study = Study(scorer, benchmark.texts, people, seed, again)
    return {
        "schema_version": 1,
        "name": benchmark.name,
        "model": "clew",
        "seed": seed,
        "refit_seed": refit_seed,
        "k": K,
        "explanations": {task.name: study.run(task, training.progress) for task in benchmark.test},
        "cpu_seconds": time.process_time() - started,
    }


def _estimate(
    values: Floats, statistic: Callable[[Floats], Any], seed: int, name: str, people: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    owners = np.arange(len(values)) if people is None else people
    return {name: float(statistic(values)), "ci95": _interval(lambda drawn: statistic(values[drawn]), owners, seed), "n": len(values)}


def _interval(statistic: Callable[[NDArray[np.int64]], Any], people: NDArray[np.int64], seed: int, draws: int = 500) -> list[float | None]:
    """Percentile interval (Efron, 1979) of a statistic of places, whole people drawn again (`people`: whose each place is, ascending)."""
    random = generator(seed, "bootstrap")
    borders = np.flatnonzero(np.diff(people, prepend=-1, append=-1))
    starts, lengths = borders[:-1], np.diff(borders)
    made = np.empty(draws)
    for draw in range(draws):
        drawn = random.integers(0, len(starts), len(starts))
        taken = lengths[drawn]
        within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        made[draw] = statistic(np.repeat(starts[drawn], taken) + within)
    if np.isnan(made).all():
        return [None, None]
    return [float(end) for end in np.nanquantile(made, [0.025, 0.975])]


def _dropped(trials: Sequence[tuple[bool, bool | None, bool | None]], seed: int) -> dict[str, Any]:
    """How often a product fell out of the first ten; where there is a random other, in pairs with it."""
    both = np.array([[strong, other, weak] for strong, other, weak in trials if other is not None and weak is not None], np.float64)
    every = np.array([strong for strong, _, _ in trials], np.float64)
    made: dict[str, Any] = {"strongest_of_all": _estimate(every, np.mean, seed, "dropped")}
    if len(both):
        names = ("strongest", "random", "weakest")
        made |= {name: _estimate(both[:, place], np.mean, seed, "dropped") for place, name in enumerate(names)}
        whole = _ratio(both)
        made["ratio"] = {
            "value": None if np.isnan(whole) else whole,
            "ci95": _interval(lambda drawn: _ratio(both[drawn]), np.arange(len(both)), seed),
            "n": len(both),
        }
    return made


def _ratio(trials: Floats) -> float:
    """The strongest against the random; NaN where nothing random ever did anything."""
    return float(trials[:, 0].sum() / trials[:, 1].sum()) if trials[:, 1].any() else float("nan")


class _Bench:
    """One task's people, one after the other."""

    def __init__(self, study: Study, task: Task, truth: PathTruth) -> None:
        self._study, self._task, self._truth = study, task, truth
        self._scorer = study.scorer
        self._explainer = Explainer(study.scorer.snapshot)
        self._popularity = popularity_of(study.scorer.snapshot)
        self._kinds = sum(1 for name in study.scorer.views if name not in ("similar_wide", "gnn"))

    def person(self, place: int, found: _Found, random: np.random.Generator) -> None:
        task, scorer = self._task, self._scorer
        user_row = int(scorer.snapshot.users.row(task.keys[place]))
        events = scorer.snapshot.events.of_user(user_row)
        allowed = task.candidates.copy()
        low, high = int(task.masked.indptr[place]), int(task.masked.indptr[place + 1])
        allowed[task.masked.indices[low:high]] = False
        profile = scorer.user_profile(user_row)
        scores = scorer.score(profile)
        ranked = np.lexsort((np.arange(len(scores)), -scores))
        best = ranked[allowed[ranked]][:K]
        edges = EventEdges(events, scorer.snapshot.rating_border)
        asker = Asker("you", Node("", ""), edges, against=edges.against)
        history = frozenset(events.item_rows.tolist())
        own_targets = task.targets.indices[task.targets.indptr[place] : task.targets.indptr[place + 1]].tolist()
        told: list[Told] = []
        drawn = int(random.integers(len(best))) if len(best) else -1
        for at, row in enumerate(best.tolist()):
            parts = scorer.parts(profile, row)
            groups = self._explainer.shown(parts, asker, SHOWN)
            self._score(found, parts, groups, float(scores[row]))
            self._paths(found, parts, history, frozenset(own_targets))
            told += [_told(groups[0])] if groups else []
            if at == drawn:
                case = Case(scorer, user_row, (), row, allowed)
                self._delete(found, case, parts, groups, random)
                self._keep(found, case, parts, groups, random)
                self._again(found, user_row, row, groups, asker)
        if told:
            recency = recency_of(events.item_rows, events.times) if (events.times != NO_TIME).any() else None
            for name, value in list_figures(told, recency, self._popularity, self._kinds).items():
                found.add(name, value)

    def _score(self, found: _Found, parts: Parts, groups: Sequence[Group], score: float) -> None:
        found.add("additivity", abs(parts.score - score) / max(1.0, abs(score)))
        found.add("coverage", bool(groups))
        margin = parts.score - parts.baseline
        if margin <= 0:
            return
        found.add("share_of_first", sum(group.contribution for group in groups[:1]) / margin)
        found.add("share_of_three", sum(group.contribution for group in groups) / margin)
        found.add("share_of_all_paths", sum(path.contribution for path in parts.paths) / margin)
        found.add("share_latent", parts.latent / margin)
        found.add("share_popularity", parts.popularity / margin)

    def _paths(self, found: _Found, parts: Parts, history: frozenset[int], targets: frozenset[int]) -> None:
        if not parts.paths:
            return
        found.add("true", np.mean([self._truth.holds(history, path) for path in parts.paths]))
        found.add("leak", np.mean([path.history_row in targets for path in parts.paths]))
        last = max(ways(parts.paths)[:1], key=lambda way: way.contribution).lead
        found.add("from_history_to_product", last.history_row is not None and last.hops[-1].kind == "item")

    # Taking out -------------------------------------------------------------------------------------------------------

    def _delete(self, found: _Found, case: Case, parts: Parts, groups: Sequence[Group], random: np.random.Generator) -> None:
        facts = {fact: value for fact, value in facts_of(case, parts).items() if value > 0}
        order = sorted(facts, key=lambda fact: (-facts[fact], fact.relation, fact.item_row, fact.entity_row or -1))
        events = [fact for fact in order if fact.entity_row is None]
        entities = [fact for fact in order if fact.entity_row is not None]
        found_ways = [way for way in ways(parts.paths) if way.contribution > 0]
        reasons = sorted(groups, key=lambda group: -group.contribution)

        def out(fact: Fact) -> bool:
            return case.without(fact)[0] > K

        def out_path(way: Member) -> bool:
            return case.without_paths(way.parts)[0] > K

        def out_reason(group: Group) -> bool:
            return case.without_paths(_parts(group))[0] > K

        trials: tuple[tuple[str, Sequence[Any], Callable[[Any], bool]], ...] = (
            ("history product", events, out),
            ("fact", entities, out),
            ("path", found_ways, out_path),
            ("reason", reasons, out_reason),
        )
        for name, things, leaves in trials:
            if things:
                found.drops.setdefault(name, []).append(_trial(things, leaves, random))

    def _keep(self, found: _Found, case: Case, parts: Parts, groups: Sequence[Group], random: np.random.Generator) -> None:
        """Sufficiency: what the shown paths start at is all that is left of the history; and the shown paths alone against whole scores."""
        history = np.unique(case.scorer.snapshot.events.of_user(case.user_row or 0).item_rows)
        kept = np.unique([path.history_row for group in groups for path in _parts(group) if path.history_row is not None]).astype(np.int32)
        if not len(kept) or len(kept) >= len(history):
            return
        others = np.sort(random.choice(history, len(kept), replace=False))
        for name, rows in (("sufficient_history", kept), ("sufficient_history_random", others)):
            found.add(name, case.rank_of_some(rows)[0] <= K)
        scores = case.scores()
        scores[case.item_row] = sum(group.contribution for group in groups) + parts.baseline + parts.popularity
        found.add("sufficient_paths", case.place(scores)[0] <= K)

    def _again(self, found: _Found, user_row: int, item_row: int, groups: Sequence[Group], asker: Asker) -> None:
        again = self._study.again
        if again is None or not groups:
            return
        other = Explainer(again.snapshot).shown(again.parts(again.user_profile(user_row), item_row), asker, SHOWN)
        same = bool(other) and _same_reason(groups[0], other[0])
        found.add("stable", same)
        found.add("stable_kind", bool(other) and other[0].kind == groups[0].kind)
        found.add("stable_among_three", any(_same_reason(groups[0], one) for one in other))


def _trial(things: Sequence[Any], leaves: Callable[[Any], bool], random: np.random.Generator) -> tuple[bool, bool | None, bool | None]:
    others = things[1:]
    if not others:
        return leaves(things[0]), None, None
    return leaves(things[0]), leaves(others[int(random.integers(len(others)))]), leaves(others[-1])


def _parts(group: Group) -> list[PathPart]:
    return [part for member in group.members for part in member.parts]


def _same_reason(first: Group, second: Group) -> bool:
    """The same kind of edges over the same entities, and the product that leads one is told in the other."""
    alike = [(hop.edge, hop.row if hop.kind == "entity" else -1) for hop in first.lead.hops]
    others = [(hop.edge, hop.row if hop.kind == "entity" else -1) for hop in second.lead.hops]
    starts = [{member.start for member in group.members} for group in (first, second)]
    return alike == others and (first.told[0].start in starts[1] or second.told[0].start in starts[0])


def _told(group: Group) -> Told:
    lead = group.lead
    start = int(lead.history_row or 0)
    before = lead.hops[-2] if len(lead.hops) > 1 else None
    shared = ("item", start) if before is None else (before.kind, before.row)
    return Told(start, shared, tuple(str(hop.edge) for hop in lead.hops))


def recency_of(item_rows: NDArray[np.int32], times: NDArray[np.int64]) -> dict[int, float]:
    """LIR of each history product: `by_row` of the last time that it was had."""
    rows = np.unique(item_rows)
    last = np.full(len(rows), np.iinfo(np.int64).min, np.int64)
    np.maximum.at(last, np.searchsorted(rows, item_rows), times)
    return dict(zip(rows.tolist(), by_row(last.astype(np.float64)).tolist(), strict=True))


def popularity_of(graph: GraphSnapshot) -> Mapping[str, Floats]:
    """SEP of entities (by how many products have them, within a kind) and of products (by how many people)."""
    degree = np.zeros(graph.n_entities)
    for edges in graph.facts().values():
        degree += np.bincount(edges.target_rows, minlength=graph.n_entities)
    made = np.zeros(graph.n_entities)
    labels = np.array(graph.entity_table.column("label").to_pylist())
    for label in np.unique(labels):
        made[labels == label] = by_row(degree[labels == label])
    people = np.bincount(graph.interactions.indices, minlength=graph.n_items).astype(np.float64)
    return {"entity": made, "item": by_row(people)}
