"""Every text field of every node, with every hostile text: it stays the text of its own option, or is refused."""

from __future__ import annotations

import pytest
from tests.hostile.every_node import every_node

from musubi_nodes.families.node import Node
from musubi_nodes.testing.hostile import HOSTILE, check_texts, text_fields


@pytest.mark.parametrize("node", every_node(), ids=lambda node: node.id)
def test_a_hostile_text_stays_a_text(node: type[Node]) -> None:
    assert check_texts(node) >= len(text_fields(node.Inputs)) * len(HOSTILE)


def test_a_node_that_lets_a_text_become_another_option_fails() -> None:
    """The check can fail: a node that puts its text into the options as it is."""
    generator = next(node for node in every_node() if node.id == "MusubiTuner_WanGenerator")

    def computed_options(self: object, inputs: object) -> dict[str, object]:
        text = str(inputs.prompt)  # type: ignore[attr-defined]
        return {"slg_layers": text} if text.startswith("-x") else {}

    loose = type("Loose", (generator,), {"computed_options": computed_options})
    with pytest.raises(AssertionError, match=r"prompt, short option.*also sets.*slg_layers"):
        check_texts(loose)
