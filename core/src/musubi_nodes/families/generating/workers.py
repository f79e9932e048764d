"""Parallel workers; the node's own thread shows progress and takes interrupts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Event

from musubi_nodes.budget import Interruptible, limited_by
from musubi_nodes.families.context import Context
from musubi_nodes.runs.record.progress import Progress

POLL = 0.2


class Ended(BaseException):
    """Raised in a worker if another was interrupted or failed."""


@dataclass(kw_only=True)
class WorkerContext(Context):
    """Context of a thread: only the node's own thread calls ComfyUI."""

    ended: Event
    shown: SimpleQueue[Progress]
    label: str

    def progress(self, now: Progress) -> None:
        self.shown.put(replace(now, worker=self.label))

    def raise_if_interrupted(self) -> None:
        if self.ended.is_set():
            raise Ended


def side_by_side(context: Context, labels: Sequence[str], work: Callable[[int, WorkerContext], None]) -> None:
    """Run ``work(number, context)`` in a thread per label; an error or interrupt ends all."""
    ended, shown = Event(), SimpleQueue[Progress]()
    contexts = [
        WorkerContext(
            context.host,
            context.services,
            context.node_id,
            context.linked,
            workflow=context.workflow,
            queued=context.queued,
            ended=ended,
            shown=shown,
            label=label,
        )
        for label in labels
    ]

    def begun(number: int, own: WorkerContext) -> None:
        with limited_by(Interruptible(own.raise_if_interrupted)):
            work(number, own)

    with ThreadPoolExecutor(len(labels), "musubi-worker") as pool:
        futures = [pool.submit(copy_context().run, begun, number, each) for number, each in enumerate(contexts)]
        try:
            left = set(futures)
            while left:
                done, left = wait(left, POLL, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                _show(context, shown)
                context.raise_if_interrupted()
        finally:
            ended.set()
    context.texts += [text for each in contexts for text in each.texts]


def _show(context: Context, shown: SimpleQueue[Progress]) -> None:
    try:
        while True:
            context.progress(shown.get_nowait())
    except Empty:
        return
