"""The page's own words: each has a Japanese one, and none is left of a text that is gone."""

from __future__ import annotations

import re
from pathlib import Path

from tests.sentences import stages

from musubi_nodes.hosts.help import PAGE_TEXTS, page_texts
from musubi_nodes.hosts.texts import CORE, translations

WEB = Path(__file__).resolve().parents[1] / "web"
JS, JAPANESE = WEB / "js", WEB / PAGE_TEXTS
STRING = r'"((?:[^"\\]|\\.)*)"'


def entries() -> dict[str, str]:
    """English to Japanese."""
    return translations(CORE, "ja")["page"]


def strings() -> set[str]:
    """All strings of the page's code."""
    files = (file for file in JS.rglob("*.js") if file != JAPANESE)
    return {found for file in files for found in re.findall(STRING, file.read_text("utf-8"))}


def test_the_page_has_the_texts_of_the_toml() -> None:
    assert JAPANESE.read_text("utf-8") == page_texts(), "run: python -m musubi_nodes.hosts.help web/docs locales"


def test_each_translation_belongs_to_a_text_and_keeps_its_places() -> None:
    assert len(entries()) > 40
    for text, japanese in entries().items():
        assert text in strings() | stages(), f"{text!r} is not used any more"
        assert japanese.count("{}") == text.count("{}")


def test_each_text_that_is_said_has_a_translation() -> None:
    said = [call for file in JS.rglob("*.js") for call in re.findall(r"translate\(([^)]*)", file.read_text("utf-8"))]
    texts = {found for call in said for found in re.findall(STRING, call) if not re.fullmatch(r"[a-z]+", found)}
    assert stages() <= entries().keys()
    assert texts <= entries().keys() and len(texts) > 15


def test_the_titles_of_buttons_are_said_too() -> None:
    calls = re.findall(rf"this\.button\({STRING}, {STRING}", (JS / "monitor" / "buttons.js").read_text("utf-8"))
    assert len(calls) == 4 and {text for call in calls for text in call} <= entries().keys()
