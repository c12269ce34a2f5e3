"""An explanation as a picture: self-contained HTML and SVG, for light and dark, with text for screen readers.

Nothing is fetched and nothing runs: no script, no font, no link. What comes from outside is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

from recommend.path import Explained, Explanation, Path
from recommend.phrases import PHRASES
from recommend.request import Request
from recommend.wording import entity_words, short_title, shown, width

_COLOURS = """:root { color-scheme: light dark; }
.paper { fill: #ffffff; background: #ffffff; } .ink { fill: #1b1b1b; color: #1b1b1b; } .faint { fill: #5a5a5a; color: #5a5a5a; }
.plus { fill: #2f7d4f; background: #2f7d4f; } .minus { fill: #b3402e; background: #b3402e; }
@media (prefers-color-scheme: dark) {
.paper { fill: #16181a; background: #16181a; } .ink { fill: #ececec; color: #ececec; } .faint { fill: #a8a8a8; color: #a8a8a8; }
.plus { fill: #63b887; background: #63b887; } .minus { fill: #e07a68; background: #e07a68; } }"""
# Classes of its own names, so that a page or notebook around the drawing keeps its looks and lends none.
_DARK = "{ --why-paper: #16181a; --why-ink: #ececec; --why-faint: #a8a8a8; --why-plus: #63b887; --why-minus: #e07a68; }"
_LAYOUT = f""".why {{ --why-paper: #ffffff; --why-ink: #1b1b1b; --why-faint: #5a5a5a; --why-plus: #2f7d4f; --why-minus: #b3402e; }}
@media (prefers-color-scheme: dark) {{ .why {_DARK} }}
[data-jp-theme-light="false"] .why, .vscode-dark .why {_DARK}
.why {{ color-scheme: light dark; background: var(--why-paper); color: var(--why-ink); font: 16px/1.45 system-ui, sans-serif; }}
.why-all {{ max-width: 46rem; margin: auto; padding: 1rem; overflow-wrap: anywhere; }} .why-faint {{ color: var(--why-faint); }}
.why-title {{ font-size: 1.25rem; font-weight: bold; margin: .8rem 0; }} .why-list {{ list-style: none; padding: 0; margin: 1rem 0; }}
.why-part {{ margin: 0 0 1rem; }} .why-row {{ display: flex; gap: .6rem; align-items: center; }}
.why-value {{ font-variant-numeric: tabular-nums; width: 5.5rem; text-align: right; }} .why-track {{ flex: 1; }}
.why-bar {{ display: block; height: .7rem; min-width: 1px; border-radius: 2px; background: var(--why-plus); }}
.why-minus {{ background: var(--why-minus); }} .why-what {{ padding-left: 6.1rem; }}
@media (max-width: 30rem) {{ .why-what {{ padding-left: 0; }} }}"""
_WIDTH, _LINE, _BAR_X, _BAR_W, _TEXT_X = 760, 20, 110, 220, 110
_COLUMNS = 82


@dataclass(frozen=True, slots=True)
class _Bar:
    value: float
    name: str
    lines: tuple[str, ...]


def _bars(explanation: Explanation, lang: str) -> list[_Bar]:
    made = [_Bar(path.contribution, path.reason, (chain(path), *quotes(path))) for path in explanation.paths]
    return made + [_Bar(value, PHRASES[lang].rest[name], ()) for name, value in explanation.rest.to_dict().items() if value]


def chain(path: Path) -> str:
    """A path as one line of nodes and edges."""
    told = [_name(path, 0)]
    for place, edge in enumerate(path.edges):
        told += [f"─{edge.relation}→" if edge.direction == "out" else f"←{edge.relation}─", _name(path, place + 1)]
    return " ".join(told)


def _name(path: Path, place: int) -> str:
    node = path.nodes[place]
    return short_title(entity_words(node.name or node.key, node.label), limit=40)


def quotes(path: Path) -> list[str]:
    """The evidence on a path, one line a piece."""
    pieces = [piece for edge in path.edges for piece in (edge.evidence, *edge.more_evidence) if piece is not None]
    return list(dict.fromkeys(f"{p.field} reads “{shown(p.text)}” at {p.start} ({p.extractor}, {p.confidence:.0%} sure)" for p in pieces))


class Drawable(Protocol):
    """An answer whose explanations can be drawn."""

    @property
    def request(self) -> Request:
        """What was asked."""

    def explained(self) -> Sequence[Explained]:
        """What is explained, in order."""

    def remarks(self) -> Sequence[str]:
        """What stands above."""


def _heads(answer: Drawable) -> list[tuple[str, str, Explanation]]:
    """For each thing that is explained: a heading, a line under it, the explanation."""
    say = PHRASES[answer.request.lang]
    return [
        (
            say.heading[one.kind].format(title=short_title(one.title, limit=70), who=shown(one.who)),
            say.standing.format(rank=one.rank, score=one.explanation.score, reason=one.explanation.reason),
            one.explanation,
        )
        for one in answer.explained()
    ]


def html(answer: Drawable) -> str:
    """What an answer explains as a page of its own.

    Args:
        answer: of `Recommender.explain`, or any other.
    """
    heads = _heads(answer)
    title = escape(heads[0][0] if heads else "Nothing is recommended")
    return (
        f'<!doctype html>\n<html lang="{answer.request.lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f'<style>\nbody {{ margin: 0; }}\n{_LAYOUT}\n</style>\n</head>\n<body class="why">\n{_drawn(answer)}\n</body>\n</html>\n'
    )


def notebook(answer: Drawable) -> dict[str, str]:
    """What a notebook shows of an answer, by media type: the drawing, in the notebook's own light or dark, and the same as text."""
    lines = [f"{title}\n  {line}" for title, line, _ in _heads(answer)]
    page = f'<div class="why" lang="{answer.request.lang}">\n<style>\n{_LAYOUT}\n</style>\n{_drawn(answer)}\n</div>'
    return {"text/html": page, "text/plain": "\n".join(lines) or "Nothing is recommended."}


def _drawn(answer: Drawable) -> str:
    """A heading and bars for everything that is explained."""
    sections = []
    for title, line, explanation in _heads(answer):
        bars = _bars(explanation, answer.request.lang)
        widest = max((abs(bar.value) for bar in bars), default=1.0) or 1.0
        rows = "\n".join(_html_row(bar, widest) for bar in bars)
        head = f'<h1 class="why-title">{escape(title)}</h1>\n<p>{escape(line)}</p>'
        sections.append(f'<section>\n{head}\n<ol class="why-list">\n{rows}\n</ol>\n</section>')
    notes = "".join(f'<p class="why-faint">{escape(shown(note))}</p>\n' for note in answer.remarks())
    return f'<main class="why-all">\n{notes}' + "\n".join(sections or ["<p>Nothing is recommended.</p>"]) + "\n</main>"


def _html_row(bar: _Bar, widest: float) -> str:
    length = 100 * abs(bar.value) / widest
    sign = " why-minus" if bar.value < 0 else ""
    lines = "".join(f'<div class="why-what why-faint">{escape(line)}</div>' for line in bar.lines)
    return (
        f'<li class="why-part"><div class="why-row"><span class="why-value">{bar.value:+.4f}</span>'
        f'<span class="why-track" aria-hidden="true"><span class="why-bar{sign}" style="width:{length:.1f}%"></span></span></div>'
        f'<div class="why-what">{escape(bar.name)}</div>{lines}</li>'
    )


def svg(answer: Drawable) -> str:
    """One explanation as a picture; its title and description say in words what it shows.

    Args:
        answer: of `Recommender.explain`.
    """
    title, summary, explanation = _heads(answer)[0]
    bars = _bars(explanation, answer.request.lang)
    widest = max((abs(bar.value) for bar in bars), default=1.0) or 1.0
    parts: list[str] = []
    y = _text(parts, title, 16, 30, "ink", "18", 70)
    y = _text(parts, summary, 16, y + 4, "ink", "14", _COLUMNS + 12) + 10
    for bar in bars:
        length = max(1.0, _BAR_W * abs(bar.value) / widest)
        sign = "minus" if bar.value < 0 else "plus"
        parts.append(f'<text class="ink" x="{_BAR_X - 12}" y="{y}" text-anchor="end" font-size="13">{bar.value:+.4f}</text>')
        parts.append(f'<rect class="{sign}" x="{_BAR_X}" y="{y - 10}" width="{length:.1f}" height="11" rx="2"/>')
        y = _text(parts, bar.name, _TEXT_X, y + _LINE, "ink", "13", _COLUMNS)
        for line in bar.lines:
            y = _text(parts, line, _TEXT_X, y, "faint", "12", _COLUMNS + 8)
        y += 10
    said = "; ".join(f"{bar.value:+.4f}: {bar.name}" for bar in bars)
    described = f'<title id="title">{escape(title)}</title>\n<desc id="desc">{escape(f"{summary} {said}")}</desc>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" aria-labelledby="title desc" '
        f'font-family="system-ui, sans-serif">\n{described}\n'
        f'<style>{_COLOURS}</style>\n<rect class="paper" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(parts: list[str], text: str, x: int, y: int, style: str, size: str, columns: int) -> int:
    """Append a text, folded, and return where the next line may stand."""
    for line in folded(text, columns):
        parts.append(f'<text class="{style}" x="{x}" y="{y}" font-size="{size}">{escape(line)}</text>')
        y += _LINE
    return y


def folded(text: str, columns: int) -> list[str]:
    """A text in lines of so many columns at most; broken at blanks, and between signs that are two columns wide."""
    lines, line, taken = [], "", 0
    for piece in re.findall(r"\s+|[\u1100-\uffef]|[^\s\u1100-\uffef]+", text):
        size = width(piece)
        if taken + size > columns and line:
            lines.append(line.rstrip())
            line, taken = "", 0
            piece = piece.lstrip()
        while width(piece) > columns:
            lines.append(piece[:columns])
            piece = piece[columns:]
        line, taken = line + piece, taken + width(piece)
    return [*lines, line.rstrip()] if line.strip() or not lines else lines
