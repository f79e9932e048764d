"""The committed help pages and locale files are those of the declarations and translations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from musubi_nodes.families.node import Node
from musubi_nodes.hosts.help import help_page, page_name
from musubi_nodes.hosts.locales import locale_files
from musubi_nodes.hosts.texts import BETWEEN, Texts
from musubi_nodes.plugins.manager import plugins

ROOT = Path(__file__).resolve().parents[1]
PAGES, LOCALES = ROOT / "web" / "docs", ROOT / "locales"
NODES = plugins().nodes
RUN = "run: python -m musubi_nodes.hosts.help web/docs locales"


@pytest.mark.parametrize("language", BETWEEN)
@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_help_page_names_every_input_and_output_and_has_not_drifted(node: type[Node], language: str) -> None:
    page = help_page(node, Texts(language, NODES))
    assert all(spec.name in page and spec.description for spec in (*node.fields(), *node.outputs()))
    assert (PAGES / page_name(node, language)).read_text("utf-8") == page, RUN


@pytest.mark.parametrize("language", BETWEEN)
def test_the_locale_files_have_not_drifted(language: str) -> None:
    made = locale_files(NODES, Texts(language, NODES))
    assert {path.name for path in (LOCALES / language).iterdir()} == made.keys()
    for name, content in made.items():
        assert json.loads((LOCALES / language / name).read_text("utf-8")) == content, RUN


def test_no_page_is_left_of_a_node_that_is_gone() -> None:
    made = {page_name(node, language) for node in NODES for language in BETWEEN}
    assert {path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md")} == made
