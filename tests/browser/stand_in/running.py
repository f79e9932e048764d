"""ComfyUI's queue, and how it calls V1 classes (execution.py, 0.3.64)."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

from tests.browser.stand_in.modules import InterruptProcessingException, Server

Item = tuple[float, str, dict[str, Any], dict[str, Any], list[str]]
"""Number, prompt id, prompt, extra data, and the output nodes that are wanted."""


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


class Queue:
    """``PromptServer.prompt_queue`` and the thread that works through it."""

    def __init__(self, server: Server, classes: Mapping[str, Any]) -> None:
        self.server, self.classes = server, classes
        self.waiting: queue.Queue[Item] = queue.Queue()
        self.currently_running: dict[int, Item] = {}
        self.history: dict[str, Any] = {}
        self.kept: dict[str, tuple[Any, Any, Any]] = {}  # node id -> key, outputs, what it shows
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, item: Item) -> None:
        """Queue a prompt."""
        self.waiting.put(item)
        self.tell_status()

    @property
    def info(self) -> dict[str, Any]:
        """How much is left to do."""
        return {"exec_info": {"queue_remaining": self.waiting.qsize() + len(self.currently_running)}}

    def tell_status(self) -> None:
        """Tell all pages how much is left to do."""
        self.server.send_sync("status", {"status": self.info})

    def refused(self, prompt: Mapping[str, Any]) -> dict[str, Any]:
        """What ``VALIDATE_INPUTS`` has against it, by node."""
        errors = {}
        for id_, entry in prompt.items():
            cls = self.classes[entry["class_type"]]
            try:
                cls.VALIDATE_INPUTS(**given(cls, id_, entry["inputs"], {}))
            except Exception as error:
                reason = {"type": "exception_during_validation", "message": "Exception when validating node"}
                told = {**reason, "details": str(error), "extra_info": {}}
                errors[id_] = {"errors": [told], "dependent_outputs": [], "class_type": entry["class_type"]}
        return errors

    def progress(self, node_id: str, value: float, total: float) -> None:
        """A node's progress bar moved; as ComfyUI's own, it raises where the user has cancelled."""
        self.server.raise_if_interrupted()
        for _, prompt_id, *_rest in self.currently_running.values():
            facts = {"value": value, "max": total, "state": "running", "prompt_id": prompt_id}
            ids = {f"{kind}node_id": node_id for kind in ("", "display_", "real_")}
            state = {"prompt_id": prompt_id, "nodes": {node_id: {**facts, **ids, "parent_node_id": None}}}
            self.server.send_sync("progress_state", state, self.server.client_id)

    def _work(self) -> None:
        while True:
            item = self.waiting.get()
            self.currently_running[0] = item
            self.server.interrupted.clear()
            self.server.client_id = item[3].get("client_id")
            outputs: dict[str, Any] = {}
            self._tell("execution_start", item[1])
            ending = self._run(item, outputs)
            status = {"status_str": ending, "completed": ending == "success", "messages": []}
            self.history[item[1]] = {"prompt": item, "outputs": outputs, "status": status, "meta": {}}
            self.currently_running.clear()
            self._tell("executing", item[1], node=None)
            self.tell_status()

    def _tell(self, event: str, prompt_id: str, **more: Any) -> None:
        told = {"prompt_id": prompt_id, "timestamp": int(time.time() * 1000), **more}
        self.server.send_sync(event, told, self.server.client_id)

    def _run(self, item: Item, outputs: dict[str, Any]) -> str:
        _, prompt_id, prompt, extra, wanted = item
        made: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        current = ""

        def run(id_: str) -> None:
            nonlocal current
            if id_ in made:
                return
            entry = prompt[id_]
            cls, inputs = self.classes[entry["class_type"]], entry["inputs"]
            for value in inputs.values():
                if is_link(value):
                    run(value[0])
            current = id_
            links = {name: (keys[v[0]], v[1]) if is_link(v) else v for name, v in inputs.items()}
            keys[id_] = (entry["class_type"], links, cls.IS_CHANGED(**given(cls, id_, inputs, {})))
            if self.kept.get(id_, (None,))[0] == keys[id_]:
                _, made[id_], shown = self.kept[id_]
                self._tell("execution_cached", prompt_id, nodes=[id_])
            else:
                self._tell("executing", prompt_id, node=id_, display_node=id_)
                values = given(cls, id_, inputs, made, prompt, extra.get("extra_pnginfo"))
                found = getattr(cls(), cls.FUNCTION)(**values)
                made[id_], shown = (found["result"], found["ui"]) if isinstance(found, dict) else (found, None)
                self.kept[id_] = (keys[id_], made[id_], shown)
            if shown:
                outputs[id_] = shown
                self._tell("executed", prompt_id, node=id_, display_node=id_, output=shown)

        try:
            for id_ in wanted:
                run(id_)
        except BaseException as error:
            where = {"node_id": current, "node_type": prompt[current]["class_type"], "executed": list(made)}
            if isinstance(error, InterruptProcessingException):
                self._tell("execution_interrupted", prompt_id, **where)
                return "error"
            lines = traceback.format_exception(error)
            told = {"exception_message": str(error), "exception_type": type(error).__name__, "traceback": lines}
            self._tell("execution_error", prompt_id, **where, **told, current_inputs={}, current_outputs=[])
            return "error"
        self._tell("execution_success", prompt_id)
        return "success"
