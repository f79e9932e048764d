"""The committed help pages are those of the declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.families.node import Node
from musubi_nodes.hosts.help import help_page
from musubi_nodes.plugins.manager import plugins

PAGES = Path(__file__).resolve().parents[1] / "web" / "docs"


@pytest.mark.parametrize("node", plugins().nodes, ids=lambda node: node.id)
def test_a_help_page_names_every_input_and_output_and_has_not_drifted(node: type[Node]) -> None:
    page = help_page(node)
    assert all(spec.name in page and spec.description for spec in (*node.fields(), *node.outputs()))
    committed = (PAGES / f"{node.id}.md").read_text("utf-8")
    assert committed == page, "run: python -m musubi_nodes.hosts.help web/docs"


def test_no_page_is_left_of_a_node_that_is_gone() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {node.id for node in plugins().nodes}
