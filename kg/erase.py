"""Forgetting a person: out of the truth and of everything in the workspace that was made from it; and what that cannot reach."""

from __future__ import annotations

import json
import re
import shutil
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from kg.align import Changes
from kg.canon import bounded_key
from kg.errors import StateError, UnknownKeyError
from kg.history import forget_in_history
from kg.merge import compare
from kg.ontology import Label
from kg.store import GraphStore
from kg.truth import Truth
from kg.whole_files import write_whole
from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Owing:
    """A model that may have learned from a person.

    Args:
        name: of the model.
        current: whether it answers.
        events: how many events of the person it learned from; None where the graph that it learned from is gone, so nobody can tell.
    """

    name: str
    current: bool
    events: int | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"name": self.name, "current": self.current, "events": self.events}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was found of a person and is gone (or would go, of a dry run).

    Args:
        digest: of the graph as it is now.
        before: of the graph that held the person.
        events: events of the truth.
        changes: nodes and edges of the graph.
        rejects: rows of `rejects.jsonl`.
        questions: questions in the history of the shell that named the person.
        files: files of caches and of interrupted writers that were deleted.
        engines: servers that the person was taken out of.
        sources: event files that the graph was read from and that still exist: reading them again brings the person back.
    """

    digest: str
    before: str
    events: int
    changes: Changes
    rejects: int
    questions: int
    files: int
    engines: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def owing(self, models: Sequence[tuple[str, str, bool]]) -> tuple[Owing, ...]:
        """Which of some models still owe something to the person.

        Args:
            models: name, digest of the graph it learned from, whether it answers. A model of the graph as it is now owes nothing.
        """
        return tuple(
            Owing(name, current, self.events if graph == self.before else None) for name, graph, current in models if graph != self.digest
        )

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph erase --json`."""
        return {
            "digest": self.digest,
            "events": self.events,
            "changes": self.changes.to_dict(),
            "rejects": self.rejects,
            "questions": self.questions,
            "files": self.files,
            "engines": list(self.engines),
            "sources": list(self.sources),
        }


def erase(workspace: Workspace, user_key: str, stores: Mapping[str, GraphStore] | None = None, dry_run: bool = False) -> Erased:
    """Remove a person from truth, rejects, caches and the history of questions of a workspace, and from servers.

    The truth goes first; when the process dies after that, the next call finishes the rest, which is why caches are emptied
    even where the truth no longer knows the person.

    Args:
        workspace: whose graph.
        user_key: the shop's key of the person.
        stores: by address, servers that hold the graph too.
        dry_run: only look.

    Raises:
        UnknownKeyError: nothing here speaks of such a person.
        StateError: another process is writing, or the graph is damaged.
    """
    truth = Truth(workspace.open().graph)
    with workspace.lock():
        old = truth.tables()
        mine = pc.equal(old.events.column("user"), user_key)
        new = replace(old, events=old.events.filter(pc.invert(mine)).combine_chunks())
        n_events = old.events.num_rows - new.events.num_rows
        before, sources = truth.digest, _event_files(truth)
        changes = compare(old, new)
        # Caches are made from the truth and hold users by the thousand: the whole of each goes.
        stale = _caches(workspace) if n_events else _strays(workspace, before)
        if not dry_run:
            if n_events:
                truth.write(new, _record(changes, n_events))
            _delete(stale)
        names = _names(user_key)
        rejects = _forget_rejects(workspace.rejects_file, names, dry_run)
        questions = forget_in_history(workspace, names, dry_run)
        engines = () if dry_run else tuple(_forget_in(store, user_key, address, before, truth) for address, store in (stores or {}).items())
    if not (n_events or rejects or questions or any(engines)):
        raise UnknownKeyError("user", user_key, old.users.column("key").to_pylist())
    digest = truth.digest_of(new) if dry_run else truth.digest
    return Erased(digest, before, n_events, changes, rejects, questions, len(stale), tuple(filter(None, engines)), sources)


def _record(changes: Changes, n_events: int) -> dict[str, Any]:
    """What the manifest remembers: that a person was forgotten, not who."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"run": "erase", "time": moment, "changes": changes.to_dict(), "events": n_events}


def _event_files(truth: Truth) -> tuple[str, ...]:
    paths = {file["path"] for run in truth.runs for file in run.get("files", ()) if file["role"] == "events"}
    return tuple(sorted(path for path in paths if Path(path).is_file()))


def _caches(workspace: Workspace) -> list[Path]:
    """What is made from the whole graph, and what killed writers left."""
    found = [*(workspace.cache / "snapshot").glob("*"), *workspace.cache.glob("embedded-*.kgl")]
    return [*found, *_leftovers(workspace)]


def _strays(workspace: Workspace, digest: str) -> list[Path]:
    """Caches of other graphs than the one there is, and what killed writers left."""
    mine = digest.removeprefix("sha256:")[:16]
    return [path for path in _caches(workspace) if path.name not in (mine, f"embedded-{mine}.kgl")]


def _leftovers(workspace: Workspace) -> list[Path]:
    beside = [workspace.rejects_file.with_name(f".{workspace.rejects_file.name}.tmp")]
    return [path for path in [*workspace.cache.glob(".*.tmp"), *workspace.graph.rglob(".*.tmp"), *beside] if path.is_file()]


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _names(user_key: str) -> Callable[[str], bool]:
    """Whether a text names the person: their key stands in it, and not as part of a longer word."""
    word = re.compile(rf"(?<!\w){re.escape(user_key)}(?!\w)")

    def found(text: str) -> bool:
        plain = unicodedata.normalize("NFC", text)
        # A key longer than 512 bytes is kept cut and hashed; the row that it came from has the whole.
        return word.search(text) is not None or word.search(plain) is not None or bounded_key(plain.strip()) == user_key

    return found


def _forget_rejects(path: Path, names: Callable[[str], bool], dry_run: bool) -> int:
    if not path.is_file():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not any(names(text) for text in _texts(_entry(line)))]
    if len(kept) < len(lines) and not dry_run:
        write_whole(path, "".join(kept))
    return len(lines) - len(kept)


def _entry(line: str) -> Any:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return line
    return [entry.get("reason"), entry.get("row")] if isinstance(entry, dict) else entry


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [] if value is None else [str(value)]


def _forget_in(store: GraphStore, user_key: str, address: str, before: str, truth: Truth) -> str:
    """Take the person out of a server; its address if it held them."""
    if store.node(Label.USER, user_key) is None:
        return ""
    held = store.digest()
    store.set_digest(None)
    store.delete_nodes(Label.USER, [user_key])
    if store.node(Label.USER, user_key) is not None:
        raise StateError(f"The server at {address} still holds the person after deleting them.", "Run the command again.")
    # What held exactly the graph before holds exactly the graph now; any other is put right by the next sync.
    store.set_digest(truth.digest if held in (before, truth.digest) else None)
    return address
