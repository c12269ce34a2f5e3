"""Pictures of explanations: whole documents that fetch nothing, run nothing and say in words what they show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from recommend.draw import folded, html, svg
from recommend.wording import width


@pytest.fixture
def answer(toy):
    return toy.recommender().explain("p03", user="u1")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.opened.append(tag)
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_tells_every_part(answer) -> None:
    page = Tags()
    page.feed(html(answer))
    assert page.open == []
    text = " ".join(page.text)
    for path in answer.items[0].paths:
        assert path.reason in text
        assert f"{path.contribution:+.4f}" in text
    assert "prefers-color-scheme: dark" in text


def test_the_picture_is_xml_with_a_title_and_a_description(answer) -> None:
    root = ET.fromstring(svg(answer))
    space = {"s": "http://www.w3.org/2000/svg"}
    assert "LEGO Friends Heartlake Cafe" in root.findtext("s:title", "", space)
    described = root.findtext("s:desc", "", space)
    assert all(path.reason in described for path in answer.items[0].paths)
    height = float(root.attrib["viewBox"].split()[3])
    assert all(float(text.attrib["y"]) <= height for text in root.iterfind("s:text", space))


@pytest.mark.parametrize("draw", [html, svg])
def test_nothing_is_fetched_or_run_and_nothing_from_outside_is_obeyed(answer, draw) -> None:
    hostile = replace(answer.items[0], title='<script>alert(1)</script> "&\x1b[31m')
    picture = draw(replace(answer, items=(hostile,)))
    assert "<script" not in picture
    assert "&lt;script&gt;" in picture
    assert "\x1b" not in picture
    assert not re.search(r"(?:href|src|url\()", picture)
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_a_notebook_shows_the_same_drawing_in_styles_of_its_own(toy) -> None:
    answer = toy.recommender().recommend(user="u1", k=2)
    shown = answer._repr_mimebundle_()
    page = Tags()
    page.feed(shown["text/html"])
    assert page.open == []
    assert page.opened.count("section") == 2 and "html" not in page.opened and "script" not in page.opened
    for item in answer.items:
        assert item.reason in " ".join(page.text) and item.reason in shown["text/plain"]
    styles = page.text[page.opened.index("style")]
    rules = re.findall(r"^[^@{}]*?([.\[][^{}]*?)\{", styles, flags=re.MULTILINE)
    assert rules and all("why" in rule for rule in rules)  # nothing else of a notebook is touched
    assert "data-jp-theme-light" in shown["text/html"]
    empty = toy.recommender().recommend(user="u1", k=2, where="price > 9999")
    assert "Nothing is recommended." in empty._repr_mimebundle_()["text/plain"]
    assert "Nothing is recommended." in html(empty)


@pytest.mark.parametrize(
    "text", ["LEGO Creator Sports Car " * 20, "乐高城市系列森林拖拉机积木玩具" * 20, "x" * 300, "", "积木" * 9 + " LEGO " + "x" * 90]
)
def test_lines_are_folded_by_the_columns_that_they_take(text: str) -> None:
    lines = folded(text, 40)
    assert all(width(line) <= 40 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_drawing_speaks_the_language_that_was_asked_for(toy) -> None:
    answer = toy.recommender().explain("p03", user="u1", lang="zh")
    for picture in (html(answer), svg(answer)):
        assert "推荐给u1" in picture and "受欢迎或是新品" in picture and "score" not in picture


def test_a_long_or_wide_name_breaks_and_is_escaped(answer) -> None:
    wide = replace(answer.items[0], title="乐高城市系列森林拖拉机积木玩具儿童礼物" * 20)
    for picture in (html(replace(answer, items=(wide,))), svg(replace(answer, items=(wide,)))):
        assert "乐高城市系列" in picture and "…" in picture
