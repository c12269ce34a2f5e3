"""What the README tells people to type works: commands are run, with the small shop in place of the demo's."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.S) for line in block.splitlines() if line.startswith("$ ")]
OWN_SHOP, ASKED = COMMANDS[:3], COMMANDS[3:]


@pytest.fixture(scope="module")
def recommended(clew, small_shop) -> list[str]:
    done = clew("recommend", "--user", "u0302", "-k", "2", "--json", "-w", str(small_shop))
    return [item["item_key"] for item in json.loads(done.stdout)["items"]]


def test_the_two_commands_stand_in_the_first_screen() -> None:
    assert {"make demo", "make test"} <= {line.strip().split("  ")[0] for line in README.splitlines()[:12]}


def test_all_blocks_were_found() -> None:
    assert len(OWN_SHOP) == 3 and len(ASKED) >= 15


@pytest.mark.parametrize("command", ASKED)
def test_a_command_of_the_readme_runs(command: str, clew, small_shop: Path, recommended: list[str]) -> None:
    text = command.replace("clew-demo", str(small_shop)).replace("u0049", "u0302")
    for place, key in enumerate(("B096VJFNKC", "B07DFFFNWL")):
        text = text.replace(key, recommended[place])
    words = shlex.split(text)
    if "list" in words or words[1] in {"extract", "doctor"}:
        words += [] if "-w" in words else ["-w", str(small_shop)]
    assert clew(*words[1:]).stdout.strip()


def test_the_python_of_the_readme_runs(small_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(code.replace("clew-demo", str(small_shop)).replace("u0049", "u0302"), "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_the_own_shop_goes_the_way_of_the_fixture() -> None:
    """`small_shop` is made by these three commands, in this order."""
    fixture = (ROOT / "tests" / "conftest.py").read_text()
    for command in OWN_SHOP:
        words = shlex.split(command)
        assert all(
            f'"{word}"' in fixture
            for word in words[1:]
            if word in {"init", "graph", "ingest", "train", "--catalogue", "--events", "--mapping"}
        )


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
