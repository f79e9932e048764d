"""V1 node classes built from JSON data, so that no plugin is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from musubi_nodes.hosts.comfyui.promptly import validated
from musubi_nodes.json_types import Kind, text, texts, yes_or_no

Facts = Mapping[str, Any]
Answer = Callable[..., Any]

LISTS = ("RETURN_TYPES", "RETURN_NAMES", "OUTPUT_IS_LIST", "OUTPUT_TOOLTIPS")
SHAPE: Mapping[str, Kind] = {
    **dict.fromkeys(("id", "title", "CATEGORY", "DESCRIPTION"), text),
    "name": lambda value: text(value) and value.isidentifier(),
    **dict.fromkeys(("RETURN_TYPES", "RETURN_NAMES", "OUTPUT_TOOLTIPS", "SEARCH_ALIASES"), texts),
    "OUTPUT_IS_LIST": lambda value: isinstance(value, list) and all(map(yes_or_no, value)),
    "OUTPUT_NODE": yes_or_no,
    "__doc__": lambda value: value is None or text(value),
}
VALUES = ("CATEGORY", "DESCRIPTION", "OUTPUT_NODE", "SEARCH_ALIASES", "__doc__")


def _validate_inputs(answers: Callable[[str], Answer]) -> Callable[..., Any]:
    async def validate_inputs(cls: type, **values: Any) -> bool:
        return await validated(lambda: answers("validate")(values))

    return validate_inputs


def build(facts: Facts, answers: Callable[[str], Answer]) -> type:
    """Build a class; ``answers(name)`` loads its methods on first use."""
    return type(
        facts["name"],
        (),
        {
            **{name: tuple(facts[name]) for name in LISTS},
            **{name: facts[name] for name in VALUES},
            "FUNCTION": "execute",
            "INPUT_TYPES": classmethod(lambda cls: answers("input_types")()),
            "VALIDATE_INPUTS": classmethod(_validate_inputs(answers)),
            "IS_CHANGED": classmethod(lambda cls, **values: answers("changed")(values)),
            "execute": lambda self, **values: answers("execute")(values),
        },
    )
