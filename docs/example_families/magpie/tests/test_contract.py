"""What every family promises: its scripts take what its nodes send, and a stranger's text stays a text."""

from __future__ import annotations

from typing import Any

import pytest

from musubi_nodes.testing.contract import check_all, set_twice
from musubi_nodes.testing.hostile import check_texts
from musubi_nodes_magpie.nodes import NODES


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_the_script_accepts_what_the_node_sends(node: Any) -> None:
    check_all([node])


@pytest.mark.parametrize("node", [node for node in NODES if hasattr(node, "script")], ids=lambda node: node.id)
def test_each_option_has_one_owner(node: Any) -> None:
    assert not set_twice(node)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: Any) -> None:
    assert check_texts(node)
