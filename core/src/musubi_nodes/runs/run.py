"""Runs one process: output, progress, log, cancel, explained failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from musubi_nodes.budget import limited_by
from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.command import Command, Outcome, Watcher
from musubi_nodes.runs.explain import Explainer
from musubi_nodes.runs.process.executor import Executor
from musubi_nodes.runs.process.masking import without_secrets
from musubi_nodes.runs.process.monitor import ProcessMonitor
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.heartbeat import this_host
from musubi_nodes.runs.record.rerun_script import Again, write_command

__all__ = ["Command", "Outcome", "Watcher", "run"]


def run(
    command: Command,
    folder: RunFolder,
    executor: Executor,
    watcher: Watcher,
    explainers: Iterable[Explainer] = (),
    accept: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Run ``command``; ``accept`` raises if its output is unusable.

    Afterwards, also after an error, the process tree is gone and ``status.json`` is
    written.
    """
    following = ProcessMonitor(command, folder, watcher)

    def cancels(error: BaseException) -> bool:
        return error is following.interrupt or error is getattr(watcher, "interrupt", None)

    with folder.ending(cancels, script=command.script):
        if not folder.path.is_dir():
            raise folder.deleted(f"{command.script} was to start")
        write_command(folder, _again(command))
        folder.write_status("running", script=command.script, **this_host())
        with limited_by(None):  # the monitor asks the watcher; an interrupt raised elsewhere could be lost
            outcome = following.run(executor, list(explainers))
        _accept(outcome, accept, folder)
        peak = {"peak_gpu_bytes": outcome.peak_gpu_bytes} if outcome.peak_gpu_bytes else {}
        folder.write_end("stopped" if outcome.checkpoint else "done", script=command.script, **peak)
        return outcome


def _again(command: Command) -> Again:
    shown = without_secrets(command.environment, command.secrets)
    return Again(command.argv, str(command.cwd), shown, command.environment.keys() - shown.keys())


def _accept(outcome: Outcome, accept: Callable[[Outcome], None], folder: RunFolder) -> None:
    try:
        accept(outcome)
    except MusubiError as error:
        error.log = error.log or folder.log
        raise
