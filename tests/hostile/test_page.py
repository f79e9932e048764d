"""Nothing that a workflow, a log or a file brings becomes markup of the page."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.context import Context
from musubi_nodes.hosts.comfyui.host import ComfyHost
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.hostile import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "web" / "js").rglob("*.js"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\s*\.\s*write|createContextualFragment|DOMParser|parseFromString"
    r"|srcdoc|setHTML|\beval\s*\(|new\s+Function|setTimeout\(\s*[\"'`]|javascript:|\.on\w+\s*=\s*[\"'`]"
    r"|setAttribute\(\s*[\"'`]on"
)
"""Ways in which a text becomes markup or program."""


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_of_the_page_makes_markup_of_a_text(script: Path) -> None:
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(script.read_text("utf-8").splitlines(), 1)
        if MARKUP.search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    ["x.innerHTML = y", "x.insertAdjacentHTML('b', y)", "document.write(y)", "x.onclick = 'y'", "eval(y)",
     "x.setAttribute('onclick', y)"],
)  # fmt: skip
def test_the_search_finds_each_way(line: str) -> None:
    assert MARKUP.search(line)


@pytest.mark.parametrize("text", [text for text in HOSTILE.values() if len(text) < 10_000])
def test_what_a_node_shows_reaches_the_page_as_plain_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of ComfyUI 0.3.64 writes a node's line with innerHTML, and makes links of addresses in it."""
    sent: list[str] = []
    server = types.SimpleNamespace(client_id=None, send_progress_text=lambda text, node, client: sent.append(text))
    module: Any = types.SimpleNamespace(PromptServer=types.SimpleNamespace(instance=server))
    monkeypatch.setitem(sys.modules, "server", module)
    context = Context(ComfyHost(), plugins(), "7")
    context.show(text=text)
    shown = ComfyHost().ui(context)
    for each in (*sent, *shown.get("text", ())):
        each.encode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", each)
    assert not [each for each in sent if "<" in each or ">" in each]


def test_a_node_shows_a_bounded_text() -> None:
    context = Context(ComfyHost(), plugins(), "7")
    context.show(text="a" * 10_000_000)
    assert len(context.texts[0]) <= 100_010


def test_help_pages_hold_no_markup_but_line_breaks() -> None:
    """They are made of the declarations alone (tests/test_help_pages.py holds that nothing else is in them)."""
    pages = sorted((ROOT / "web" / "docs").rglob("*.md"))
    assert len(pages) > 20
    for page in pages:
        tags = re.findall(r"<(/?[A-Za-z!][^>]*)>", re.sub(r"`[^`]*`", "", page.read_text("utf-8")))
        assert {tag.strip(" /").lower() for tag in tags} <= {"br"}, page
