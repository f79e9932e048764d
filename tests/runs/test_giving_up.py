"""A cancel is taken where a run looks for it, and by no file that is read while the run is measured or cleaned up."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.giving_up import GivesUp

from musubi_nodes.budget import spend, watched
from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.workers import Ended, WorkerContext, side_by_side
from musubi_nodes.runs.record.folder import RunFolder


class Cancelled(BaseException):
    pass


def test_a_run_that_a_user_cancels_twice_is_told_as_cancelled(tmp_path: Path) -> None:
    with pytest.raises(Cancelled), watched(GivesUp()), RunFolder.opened(tmp_path, "Trainer") as folder:
        raise Cancelled
    assert folder.status()["status"] == "cancelled"


def test_a_run_takes_a_cancel_from_its_watcher_only(runs: Any) -> None:
    with watched(GivesUp()):
        assert runs("pass").seconds > 0


class Threads:
    """Which threads ask."""

    def __init__(self) -> None:
        self.seen: set[threading.Thread] = set()

    def spend(self, size: int) -> None:
        self.seen.add(threading.current_thread())


def test_a_worker_that_reads_files_ends_with_the_others_and_asks_no_host(tmp_path: Path) -> None:
    threads, ended = Threads(), []

    def work(number: int, context: WorkerContext) -> None:
        context.ended.set()
        try:
            spend()
        except Ended:
            ended.append(number)

    context: Any = Context(_Host(), None)  # type: ignore[arg-type]
    with watched(threads):
        side_by_side(context, ["cuda:0", "cuda:1"], work)
    assert sorted(ended) == [0, 1] and not threads.seen


class _Host:
    def progress(self, *_: Any) -> None: ...

    def raise_if_interrupted(self) -> None: ...
