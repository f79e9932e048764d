"""A cancel is taken where a run looks for it, and by no file that is read while the run is measured or cleaned up."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.giving_up import GivesUp
from tests.hostile.every_node import every_node

from musubi_nodes.budget import Interruptible, limited_by, spend
from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.workers import Ended, WorkerContext, side_by_side
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Command, Outcome, run


class Cancelled(BaseException):
    pass


def test_a_run_that_a_user_cancels_twice_is_told_as_cancelled(tmp_path: Path) -> None:
    with pytest.raises(Cancelled), limited_by(GivesUp()), RunFolder.opened(tmp_path, "Trainer") as folder:
        raise Cancelled
    assert folder.status()["status"] == "cancelled"


def test_a_run_takes_a_cancel_from_its_watcher_only(runs: Any) -> None:
    with limited_by(GivesUp()):
        assert runs("pass").seconds > 0


class Interrupted(Exception):
    """As ComfyUI's own, which is an Exception like any other."""


class _Host:
    """Its user cancels when ``cancels`` is set."""

    cancels = False

    def __init__(self, output: Path) -> None:
        self.output_folder = output

    def progress(self, *_: Any) -> None: ...

    def raise_if_interrupted(self) -> None:
        if self.cancels:
            raise Interrupted


@pytest.fixture
def context(tmp_path: Path) -> Any:
    return Context(_Host(tmp_path), None)  # type: ignore[arg-type]


def test_a_run_that_is_cancelled_before_its_script_starts_is_told_as_cancelled(context: Any) -> None:
    node = next(node for node in every_node() if issubclass(node, ScriptNode))()
    context.host.cancels = True
    with pytest.raises(Interrupted), node.new_folder(context) as folder:  # type: ignore[attr-defined]
        context.raise_if_interrupted()
    assert folder.status()["status"] == "cancelled"


def test_a_run_that_is_cancelled_while_what_it_made_is_checked_is_told_as_cancelled(runs: Any, context: Any) -> None:
    def accept(_: Outcome) -> None:
        context.host.cancels = True
        spend()

    command = Command("script.py", [sys.executable, "-c", ""], runs.tmp_path, dict(os.environ))
    with limited_by(Interruptible(context.raise_if_interrupted)), pytest.raises(Interrupted):
        run(command, runs.folder, LocalProcess(), context, accept=accept)
    assert runs.folder.status()["status"] == "cancelled"


class Threads:
    """Which threads ask."""

    def __init__(self) -> None:
        self.seen: set[threading.Thread] = set()

    def spend(self, size: int) -> None:
        self.seen.add(threading.current_thread())


def test_a_worker_that_reads_files_ends_with_the_others_and_asks_no_host(context: Any) -> None:
    threads, ended = Threads(), []

    def work(number: int, own: WorkerContext) -> None:
        own.ended.set()
        try:
            spend()
        except Ended:
            ended.append(number)

    with limited_by(threads):
        side_by_side(context, ["cuda:0", "cuda:1"], work)
    assert sorted(ended) == [0, 1] and not threads.seen
