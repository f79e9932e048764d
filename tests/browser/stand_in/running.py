"""ComfyUI's queue (``PromptQueue`` and ``prompt_worker``, 0.3.64)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any

from tests.browser.stand_in.executing import Execution, Item, Kept, given
from tests.browser.stand_in.modules import Server


class Queue:
    """``PromptServer.prompt_queue`` and the thread that works through it."""

    def __init__(self, server: Server, classes: Mapping[str, Any]) -> None:
        self.server, self.classes = server, classes
        self.waiting: queue.Queue[Item] = queue.Queue()
        self.currently_running: dict[int, Item] = {}
        self.history: dict[str, Any] = {}
        self.kept: Kept = {}
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

    async def refused(self, prompt: Mapping[str, Any]) -> dict[str, Any]:
        """What ``VALIDATE_INPUTS`` has against it, by node."""
        errors = {}
        for node_id, entry in prompt.items():
            cls = self.classes[entry["class_type"]]
            try:
                await cls.VALIDATE_INPUTS(**given(cls, node_id, entry["inputs"], {}))
            except Exception as error:
                reason = {"type": "exception_during_validation", "message": "Exception when validating node"}
                told = {**reason, "details": str(error), "extra_info": {}}
                errors[node_id] = {"errors": [told], "dependent_outputs": [], "class_type": entry["class_type"]}
        return errors

    def progress(self, node_id: str, value: float, total: float) -> None:
        """A node's progress bar moved; as ComfyUI's own, it raises where the user has cancelled."""
        self.server.raise_if_interrupted()
        for _, prompt_id, *_rest in self.currently_running.values():
            facts = {"value": value, "max": total, "state": "running", "prompt_id": prompt_id}
            ids = {f"{kind}node_id": node_id for kind in ("", "display_", "real_")}
            state = {"prompt_id": prompt_id, "nodes": {node_id: {**facts, **ids, "parent_node_id": None}}}
            self.server.send_sync("progress_state", state, self.server.client_id)
            told = {"value": value, "max": total, "prompt_id": prompt_id, "node": node_id}
            self.server.send_sync("progress", told, self.server.client_id)

    def _work(self) -> None:
        while True:
            item = self.waiting.get()
            self.currently_running[0] = item
            self.server.interrupted.clear()
            self.server.client_id = item[3].get("client_id")
            execution = Execution(self.server, self.classes, self.kept, item)
            ending = execution.run()
            status = {"status_str": ending, "completed": ending == "success", "messages": []}
            self.history[item[1]] = {"prompt": item, "outputs": execution.outputs, "status": status, "meta": {}}
            self.currently_running.clear()
            execution.tell("executing", node=None)
            self.tell_status()
