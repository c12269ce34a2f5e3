"""Answers as text for a terminal or a pipe: folded to its width, coloured only where colour is wanted, nothing from outside obeyed."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kg.ontology import Label, Rel, display_name
from recommend.draw import chain, quotes
from recommend.path import Explanation, Path
from recommend.phrases import PHRASES
from recommend.result import Answer, Buyer, NewProductAnswer, Recommendation
from recommend.wording import entity_words, relation_words, short_title, shown

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

    from recommend.faithful import Check

ALSO = 5  # merged paths that are listed one by one
BAR = 12  # columns of a bar
MIN_WIDTH, MAX_WIDTH = 40, 100
_KINDS = {str(Label.PRICE_BAND): "price", str(Label.ENTITY): ""}
_EDGES = {
    str(Rel.CO_BOUGHT): "same buyers",
    str(Rel.NEXT_BOUGHT): "bought later",
    str(Rel.SIMILAR_TEXT): "similar text",
    str(Rel.MATCHES): "your words",
}
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "¥"}


def rendered(*parts: RenderableType, width: int | None = None) -> str:
    """Rich renderables as text: as wide as the terminal (80 columns in a pipe), with colours only on a terminal without NO_COLOR."""
    from rich.console import Console

    columns = width or min(max(shutil.get_terminal_size((80, 24)).columns, MIN_WIDTH), MAX_WIDTH)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    buffer = io.StringIO()
    console = Console(file=buffer, width=columns, force_terminal=colour, no_color=not colour, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in buffer.getvalue().rstrip("\n").split("\n"))


def text(value: str, style: str = "") -> Text:
    """A piece of text; what comes from outside is shown and never obeyed."""
    from rich.text import Text

    return Text(shown(value), style)


def price_words(item: Recommendation) -> str:
    """A price as people write it; empty without one."""
    price = item.price
    if price is None:
        return ""
    sign = _SIGNS.get(price.currency or "", "")
    code = "" if sign else f" {price.currency or ''}".rstrip()
    bounds = [f"{sign}{value:,.2f}{code}" for value in (price.low, price.high) if value is not None]
    return bounds[0] if len(set(bounds)) == 1 else " to ".join(bounds)


def shares(explanation: Explanation, cold: bool = False) -> str:
    """What the score is made of, in hundredths of its margin over the mean product: "36% brand LEGO · 20% same buyers".

    Args:
        cold: whether the product is one that nobody has: what it gets whoever asks is then for being new.
    """
    margin = explanation.score - explanation.rest.baseline
    if margin <= 0:
        return ""
    rest = explanation.rest
    parts: dict[str, float] = {}
    for path in explanation.paths:
        parts[path_name(path)] = parts.get(path_name(path), 0.0) + path.contribution
    whoever = "being new" if cold else "popularity"
    parts |= {"other paths": rest.other_paths, "text": rest.text, whoever: rest.popularity, "unnamed": rest.latent}
    return " · ".join(f"{value / margin:.0%} {name}" for name, value in parts.items() if round(100 * value / margin))


def path_name(path: Path) -> str:
    """A path in two or three words."""
    entity = next((node for node in path.nodes if node.label not in (Label.USER, Label.PRODUCT, Label.QUERY)), None)
    if entity is not None:
        kind = display_name(entity.label, "en") or _KINDS.get(entity.label, entity.label.lower())
        return f"{kind} {short_title(entity_words(entity.name or entity.key, entity.label), limit=28)}"
    edges = path.edges[1:] if path.nodes[0].label == Label.USER else path.edges
    return " → ".join(_EDGES.get(edge.relation, relation_words(edge.relation)) for edge in edges)


def answer_text(answer: Answer) -> str:
    """The answer of `clew recommend`."""
    from rich.table import Table

    head = text(_asked(answer), "bold")
    notes = [text(note, "yellow") for note in ((answer.fallback,) if answer.fallback else ()) + answer.notes]
    if not answer.items:
        left = () if answer.request.item_key else (text("Nothing is left to recommend."),)  # of a product a note says it
        return rendered(head, *notes, *left)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", style="dim")
    grid.add_column(overflow="fold")
    for item in answer.items:
        grid.add_row(str(item.rank), _item(item))
    return rendered(head, *notes, "", grid)


def _asked(answer: Answer) -> str:
    request = answer.request
    what = {
        "user_key": lambda: f"for {request.user_key}",
        "history": lambda: f"for a session of {len(request.history or ())}",
        "item_key": lambda: f"like {request.item_key}",
        "text": lambda: f"for “{short_title(request.text or '', limit=40)}”",
    }[request.question]()
    many = "recommendation" if len(answer.items) == 1 else "recommendations"
    return f"{len(answer.items)} {many} {what} ({str(answer.branch).replace('_', ' ')})"


def _item(item: Recommendation) -> Text:
    from rich.text import Text

    tags = "  ".join(tag for tag in (price_words(item), "never bought so far" if item.cold else "") if tag)
    body = Text()
    body.append(shown(item.title), "bold")
    body.append(f"\n{shown(item.item_key)}  {tags}".rstrip(), "cyan")
    body.append("\n" + item.reason)
    made_of = shares(item.explanation, item.cold)
    if made_of:
        body.append("\n" + made_of, "dim")
    body.append("\n")
    return body


def new_product_text(answer: NewProductAnswer, extra: Iterable[RenderableType] = ()) -> str:
    """The answer of `clew recommend --new-product`."""
    from rich.table import Table

    product = answer.request.new_product
    assert product is not None
    parts: list[RenderableType] = [text(product.title, "bold"), *(text(note, "yellow") for note in answer.notes)]
    read = [f"{m['attribute'].replace('_', ' ')} {m['value']}" for m in answer.mentions if m.get("accepted", True)]
    parts.append(text("read out of it: " + (", ".join(dict.fromkeys(read)) or "nothing"), "cyan"))
    for title, rows in (("Who would want it", answer.users), ("What is like it", answer.similar)):
        grid = Table.grid(padding=(0, 1))
        grid.add_column(justify="right", style="dim")
        grid.add_column(overflow="fold")
        for row in rows:
            grid.add_row(str(row.rank), _buyer(row) if isinstance(row, Buyer) else _item(row))
        parts += ["", text(title, "bold"), grid if rows else text("nobody" if title.startswith("Who") else "nothing")]
    return rendered(*parts, *extra)


def _buyer(buyer: Buyer) -> Text:
    from rich.text import Text

    return Text.assemble((shown(buyer.user_key), "bold"), "\n" + buyer.reason, ("\n" + shares(buyer.explanation, cold=True) + "\n", "dim"))


def explanation_text(answer: Answer, extra: Iterable[RenderableType] = ()) -> str:
    """The answer of `clew explain`: the score as a tree of its parts."""
    from rich.tree import Tree

    item = answer.items[0]
    notes = [text(note, "yellow") for note in ((answer.fallback,) if answer.fallback else ()) + answer.notes]
    tree = Tree(text(f"score {item.score:.4f}", "bold"), guide_style="dim")
    widest = max([abs(path.contribution) for path in item.paths] + [abs(v) for v in item.explanation.rest.to_dict().values()] + [1e-12])
    for path in item.paths:
        _branch(tree, path, widest)
    for name, value in item.explanation.rest.to_dict().items():
        if value:
            tree.add(_line(value, widest, PHRASES[answer.request.lang].rest[name], "dim"))
    who = answer.request.user_key or "this session"
    head = text(f"{short_title(item.title, limit=70)} for {who}: rank {item.rank}", "bold")
    return rendered(head, *notes, text(item.reason), "", tree, *extra)


def check_table(found: Check, score: float | None = None) -> list[RenderableType]:
    """What a score and a rank were when something was taken out of the graph."""
    trials = [("the strongest", found.deleted), ("one at random", found.random), ("the weakest", found.weakest)]
    rows = [
        (
            f"{name}: {one.fact['from']} {one.fact['type']} {one.fact['to']}",
            f"{one.contribution:+.4f}",
            f"{one.rank_after}",
            f"{one.score_after:.4f}",
        )
        for name, one in trials
        if one is not None
    ]
    before = f"rank {found.rank_before}" + ("" if score is None else f", score {score:.4f}")
    head = f"Taken out of the graph, and every product ranked again (before: {before})"
    return ["", text(head, "bold"), table(("what", "added", "rank", "score"), rows)]


def _branch(tree: Tree, path: Path, widest: float) -> None:
    branch = tree.add(_line(path.contribution, widest, path_name(path), "bold"))
    branch.add(text(path.reason))
    branch.add(text(chain(path), "cyan"))
    for other in path.also[:ALSO]:
        way = " → ".join(short_title(node.name or node.key, limit=36) for node in (other.node, *other.via))
        branch.add(text(f"also from {way} ({other.contribution:+.4f})", "cyan"))
    if len(path.also) > ALSO:
        branch.add(text(f"and {len(path.also) - ALSO} more ({sum(other.contribution for other in path.also[ALSO:]):+.4f})", "cyan"))
    for quote in quotes(path):
        branch.add(text(quote, "dim"))


def _line(value: float, widest: float, name: str, style: str) -> Text:
    from rich.text import Text

    return Text.assemble((f"{value:+.4f} ", style), (bar(value, widest), "red" if value < 0 else "green"), " ", (shown(name), style))


def bar(value: float, widest: float) -> str:
    """A bar as long as the value, `BAR` columns wide with its empty part."""
    eighths = round(8 * BAR * min(abs(value) / widest, 1.0))
    full = "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")
    return full.ljust(BAR)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> RenderableType:
    """A plain table that folds: the first column is text, the others are numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, padding=(0, 1))
    for place, name in enumerate(columns):
        made.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        made.add_row(*(text(cell) for cell in row))
    return made
