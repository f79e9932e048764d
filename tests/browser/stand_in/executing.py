"""How ComfyUI calls V1 classes (execution.py, 0.3.64): their inputs, what is kept, and what the page is told."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import Any

from tests.browser.stand_in.modules import InterruptProcessingException, Server

Item = tuple[float, str, dict[str, Any], dict[str, Any], list[str]]
"""Number, prompt id, prompt, extra data, and the output nodes that are wanted."""
Kept = dict[str, tuple[Any, Any, Any]]
"""By node: the key of what it was made from, its outputs, and what it shows."""


def is_link(value: Any) -> bool:
    """Whether an input comes from another node: its id and the number of its output."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def given(
    cls: Any, node_id: str, inputs: Mapping[str, Any], made: Mapping[str, Any], prompt: Any = None, extra: Any = None
) -> dict[str, Any]:
    """What a method of the class gets; an input over a link whose value is not known is ``None``."""
    types = cls.INPUT_TYPES()
    known = {*types.get("required", {}), *types.get("optional", {})}
    values = {}
    for name, value in inputs.items():
        if is_link(value):
            values[name] = made[value[0]][value[1]] if value[0] in made else None
        elif name in known:
            values[name] = value
    told = {"UNIQUE_ID": node_id, "PROMPT": prompt or {}, "EXTRA_PNGINFO": extra}
    return values | {name: told[kind] for name, kind in types.get("hidden", {}).items()}


class Execution:
    """One prompt from start to end; ``outputs`` is what its nodes show."""

    def __init__(self, server: Server, classes: Mapping[str, Any], kept: Kept, item: Item) -> None:
        self.server, self.classes, self.kept = server, classes, kept
        _, self.prompt_id, self.prompt, self.extra, self.wanted = item
        self.made: dict[str, Any] = {}
        self.keys: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.current = self.wanted[0]

    def run(self) -> str:
        """Execute it; returns its status."""
        self.tell("execution_start")
        try:
            for node_id in self.wanted:
                self._need(node_id)
        except BaseException as error:
            self._tell_error(error)
            return "error"
        self.tell("execution_success")
        return "success"

    def tell(self, event: str, **more: Any) -> None:
        """An event of this prompt, for the page that queued it."""
        told = {"prompt_id": self.prompt_id, "timestamp": int(time.time() * 1000), **more}
        self.server.send_sync(event, told, self.server.client_id)

    def _need(self, node_id: str) -> None:
        if node_id in self.made:
            return
        entry = self.prompt[node_id]
        cls, inputs = self.classes[entry["class_type"]], entry["inputs"]
        for value in inputs.values():
            if is_link(value):
                self._need(value[0])
        self.current = node_id
        links = {name: (self.keys[v[0]], v[1]) if is_link(v) else v for name, v in inputs.items()}
        key = self.keys[node_id] = (entry["class_type"], links, self._changed(cls, node_id, inputs))
        if node_id in self.kept and self.kept[node_id][0] == key:
            self.tell("execution_cached", nodes=[node_id])
        else:
            self.tell("executing", node=node_id, display_node=node_id)
            self.kept[node_id] = (key, *self._called(cls, node_id, inputs))
        _, self.made[node_id], shown = self.kept[node_id]
        if shown:
            self.outputs[node_id] = shown
            self.tell("executed", node=node_id, display_node=node_id, output=shown)

    def _changed(self, cls: Any, node_id: str, inputs: Mapping[str, Any]) -> Any:
        """What an error makes equals nothing, so that the node is executed (``IsChangedCache``)."""
        try:
            return cls.IS_CHANGED(**given(cls, node_id, inputs, {}))
        except Exception:
            return float("nan")

    def _called(self, cls: Any, node_id: str, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
        """What the node makes, and what it shows."""
        values = given(cls, node_id, inputs, self.made, self.prompt, self.extra.get("extra_pnginfo"))
        found = getattr(cls(), cls.FUNCTION)(**values)
        return (found["result"], found["ui"]) if isinstance(found, dict) else (found, None)

    def _tell_error(self, error: BaseException) -> None:
        kind = self.prompt[self.current]["class_type"]
        where = {"node_id": self.current, "node_type": kind, "executed": list(self.made)}
        if isinstance(error, InterruptProcessingException):
            self.tell("execution_interrupted", **where)
            return
        lines = traceback.format_exception(error)
        told = {"exception_message": str(error), "exception_type": type(error).__name__, "traceback": lines}
        self.tell("execution_error", **where, **told, current_inputs={}, current_outputs=[])
