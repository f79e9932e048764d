"""One process from its start to its end: output, progress, log, cancel, status, explained failure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.command import Command, Outcome, Watcher
from musubi_nodes.runs.explain import Explainer
from musubi_nodes.runs.hardware.disk import disk_error
from musubi_nodes.runs.process.executor import Executor
from musubi_nodes.runs.process.following import Following
from musubi_nodes.runs.record.folder import RunFolder, Status, this_host

__all__ = ["Command", "Outcome", "Watcher", "run"]


def run(
    command: Command,
    folder: RunFolder,
    executor: Executor,
    watcher: Watcher,
    explainers: Iterable[Explainer] = (),
    accept: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Run ``command`` to its end; ``accept`` looks at what it made and raises where that is not good.

    Raises a :class:`MusubiError` with the cause when it fails, and whatever ``watcher`` raises when it is interrupted;
    in every case the whole process tree is gone afterwards and ``status.json`` tells the end.
    """
    following = Following(command, folder, watcher)
    status: Status = "failed"
    details: dict[str, Any] = {}
    try:
        folder.write_command(command.argv, command.cwd, command.shown)
        folder.write_status("running", script=command.script, **this_host())
        outcome = following.run(executor, list(explainers))
        _accept(outcome, accept, folder)
        status = "stopped" if outcome.checkpoint else "done"
        details = {"peak_gpu_bytes": outcome.peak_gpu_bytes} if outcome.peak_gpu_bytes else {}
        return outcome
    except BaseException as error:
        if error is following.interrupt or not isinstance(error, Exception):
            status = "cancelled"
            raise
        shown = disk_error(error, folder.path) if isinstance(error, OSError) else error
        details = {"error": str(shown)}
        if shown is error:
            raise
        raise shown from error
    finally:
        _write_end(folder, status, command.script, details)


def _accept(outcome: Outcome, accept: Callable[[Outcome], None], folder: RunFolder) -> None:
    """Who is told that a file is not good, is told of the log as well."""
    try:
        accept(outcome)
    except MusubiError as error:
        error.log = error.log or folder.log
        raise


def _write_end(folder: RunFolder, status: Status, script: str, details: Mapping[str, Any]) -> None:
    """A full disk or a deleted folder: the raised error says so already, and the folder is not made anew."""
    with contextlib.suppress(OSError):
        if folder.path.is_dir():
            folder.write_status(status, script=script, **details)
