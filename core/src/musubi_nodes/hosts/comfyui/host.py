"""Folders, progress, interrupts and memory of the running ComfyUI."""

from __future__ import annotations

import gc
import ipaddress
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from musubi_nodes.config import load_config
from musubi_nodes.errors import Unresolved, printable
from musubi_nodes.families.context import Context
from musubi_nodes.hosts.columns import columns
from musubi_nodes.hosts.comfyui.markup import plain
from musubi_nodes.hosts.comfyui.output_tracker import OutputTracker
from musubi_nodes.hosts.comfyui.server import running_server
from musubi_nodes.hosts.comfyui.view_url import view_url
from musubi_nodes.log import log
from musubi_nodes.runs.record.progress import Progress

SECONDS_BETWEEN = 0.5

WIDTH, SHORT = 48, 28
"""Letters per line of a narrow node; longest part kept unbroken."""


class ComfyHost:
    def __init__(self) -> None:
        self._bars: dict[str, tuple[Any, int]] = {}
        self._next: dict[str, float] = {}
        self._full: set[str] = set()
        self._lock = threading.Lock()
        self.outputs = OutputTracker()

    @property
    def output_folder(self) -> Path:
        import folder_paths

        return Path(folder_paths.get_output_directory())

    @property
    def trusted(self) -> bool:
        """Whether only this machine can reach ComfyUI."""
        from comfy.cli_args import args

        return not load_config().shared and all(_is_loopback(address) for address in str(args.listen).split(","))

    def model_folders(self, kind: str) -> Sequence[Path]:
        import folder_paths

        return [Path(folder) for folder in folder_paths.get_folder_paths(kind)]

    def model_names(self, kind: str) -> list[str]:
        """Return ComfyUI's cached list, with "/" on every system."""
        import folder_paths

        return [name.replace("\\", "/") for name in folder_paths.get_filename_list(kind)]

    def input_folder(self) -> Path:
        import folder_paths

        return Path(folder_paths.get_input_directory())

    @property
    def preview_folder(self) -> Path | None:
        import folder_paths

        return Path(folder_paths.get_temp_directory())

    def running_workflow(self) -> dict[str, Any] | None:
        running = _running()
        return running[2] if running else None

    def queued(self, extra: Any) -> dict[str, str]:
        """Return the ids of the running prompt and workflow."""
        running = _running()
        workflow = extra.get("workflow") if isinstance(extra, dict) else None
        found = {"prompt": running[1] if running else "", "workflow": (workflow or {}).get("id")}
        return {name: str(id_) for name, id_ in found.items() if id_}

    def metadata(self, prompt: Any, extra: Any) -> dict[str, Any]:
        """Return the metadata to write into files (nodes_video.py, 0.3.64)."""
        from comfy.cli_args import args

        if args.disable_metadata:
            return {}
        return {**(extra or {}), **({"prompt": prompt} if prompt else {})}

    def progress(self, node_id: str, now: Progress) -> None:
        """Update bar and text at intervals, but a full bar at once."""
        with self._lock:
            full, early = now.fraction == 1, time.monotonic() < self._next.get(node_id, 0)
            if early and (not full or node_id in self._full):
                return
            self._next[node_id] = time.monotonic() + SECONDS_BETWEEN * (2 if early else 1)
            (self._full.add if full else self._full.discard)(node_id)
        if now.total:
            with _only_shown():
                self._bar(node_id, now.total).update_absolute(now.current, now.total)
        self.tell(node_id, rows(now.text()))

    def raise_if_interrupted(self) -> None:
        from comfy.model_management import throw_exception_if_processing_interrupted

        throw_exception_if_processing_interrupted()

    def raise_if_cancelling(self) -> None:
        """Raise :class:`Unresolved` on an interrupt, without clearing it.

        ComfyUI ignores errors of IS_CHANGED, so the following execution must see it (execution.py, 0.3.64).
        """
        from comfy.model_management import processing_interrupted

        if processing_interrupted():
            raise Unresolved("the user has cancelled")

    def release_models(self) -> None:
        """Unload models like "Unload Models" (prompt_worker, 0.3.64 and 0.33).

        With dynamic VRAM (0.33) this frees GPU memory and pinned RAM (``unpatch_model``).
        """
        from comfy import model_management

        with self._lock:  # a batch starts several workers
            model_management.unload_all_models()
            gc.collect()
            model_management.soft_empty_cache()

    def ui(self, context: Context) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if context.pictures:
            shown["images"] = [self._file(path) for path in context.pictures]
            if any(path.suffix in (".mp4", ".webp", ".webm") for path in context.pictures):
                shown["animated"] = (True,)
        if context.texts:
            shown["text"] = tuple(context.texts)
            self.tell(context.node_id, "\n".join(context.texts))
        return shown

    def _file(self, path: Path) -> dict[str, str]:
        if (temporary := self.preview_folder) and path.is_relative_to(temporary):
            return view_url(path, temporary, "temp")
        return view_url(path, self.output_folder)

    def _bar(self, node_id: str, total: int) -> Any:
        from comfy.utils import ProgressBar

        bar, known = self._bars.get(node_id, (None, 0))
        if bar is None or known != total:
            bar = ProgressBar(total, node_id=node_id)
            self._bars[node_id] = (bar, total)
        return bar

    def tell(self, node_id: str, text: str) -> None:
        server = running_server()
        if hasattr(server, "send_progress_text"):
            with _only_shown():
                server.send_progress_text(plain(printable(text)), node_id, server.client_id)


@contextmanager
def _only_shown() -> Iterator[None]:
    """Log display errors, but let ComfyUI's interrupt through."""
    try:
        yield
    except Exception as error:
        from comfy.model_management import InterruptProcessingException

        if isinstance(error, InterruptProcessingException):
            raise
        log.debug("musubi-nodes: progress could not be shown: %s", error)


def rows(text: str) -> str:
    """Wrap ``text`` between its parts: frontend 1.27.10 breaks words."""
    parts = (part.replace(" ", "\u00a0") if len(part) <= SHORT else part for part in text.split(" · "))
    lines = [""]
    for word in " · ".join(parts).split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and columns(longer) > WIDTH:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


@cache
def comfy_host() -> ComfyHost:
    return ComfyHost()


def _running() -> Any:
    """Return the running queue item (number, prompt id, prompt, ...)."""
    queue: Any = getattr(running_server(), "prompt_queue", None)
    running = list(getattr(queue, "currently_running", {}).values())
    return running[0] if len(running) == 1 else None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip()).is_loopback
    except ValueError:
        return address.strip() == "localhost"
