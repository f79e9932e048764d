"""The workflow that is being queued: VALIDATE_INPUTS is given a node's own values only (execution.py, 0.3.64)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from musubi_nodes.hosts.comfyui.promptly import begin_request
from musubi_nodes.hosts.comfyui.server import running_server

_workflow: ContextVar[Any] = ContextVar("musubi_queued_workflow", default=None)


def listen() -> None:
    """Be shown each workflow that the running server is sent; a process without a server is sent none."""
    if add := getattr(running_server(), "add_on_prompt_handler", None):
        add(keep)


def keep(data: Any) -> Any:
    """Keep the workflow of a request; the server calls this before the same task validates it, and goes on with what
    is returned."""
    begin_request()
    _workflow.set(data.get("prompt") if isinstance(data, dict) else None)
    return data


def workflow() -> Any:
    """The workflow in API format as it was sent, so unchecked; ``None`` where it came in another way."""
    return _workflow.get()
