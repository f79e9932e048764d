"""The queued workflow, which VALIDATE_INPUTS lacks (execution.py, 0.3.64)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from musubi_nodes.hosts.comfyui.promptly import begin_request
from musubi_nodes.hosts.comfyui.server import running_server

_workflow: ContextVar[Any] = ContextVar("musubi_queued_workflow", default=None)


def listen() -> None:
    if add := getattr(running_server(), "add_on_prompt_handler", None):
        add(keep)


def keep(data: object) -> Any:
    """Store the workflow of a request for the task that validates it."""
    begin_request()
    _workflow.set(data.get("prompt") if isinstance(data, dict) else None)
    return data


def workflow() -> Any:
    return _workflow.get()
