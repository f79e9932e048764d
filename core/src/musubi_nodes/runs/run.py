"""One process from its start to its end: output, progress, log, cancel, status, explained failure."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.executor import Executor, ProcessSpec, RunningProcess
from musubi_nodes.runs.explain import Explainer, Failure, explained
from musubi_nodes.runs.folder import RunFolder, Status
from musubi_nodes.runs.output import LineSplitter
from musubi_nodes.runs.progress import Progress, ProgressReader

CHUNK = 32_768
WAITING_CHUNKS = 64
TAIL = 300
"""Output pieces that are kept for explaining a failure."""
POLL = 0.2
"""Seconds between two looks for an interrupt."""
LAST_OUTPUT = 3.0
"""Seconds that output may still come after the process has ended."""


class Watcher(Protocol):
    """Who looks at a run: gets its progress and may end it by raising."""

    def progress(self, now: Progress) -> None:
        """Called for each change, from the thread that called :func:`run`; slow hosts throttle themselves."""

    def raise_if_interrupted(self) -> None:
        """Called every 0.2 s; raises the host's own interrupt exception to cancel the run."""


@dataclass(frozen=True)
class Command:
    """What to run: the whole argument list, where, with which environment, and what its bars mean.

    ``shown`` is the part of ``environment`` that may be written into files (no secrets).
    """

    script: str
    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    shown: Mapping[str, str] = field(default_factory=dict)
    family: str = ""
    totals: Sequence[int | None] = ()
    bar_stage: str = "working"
    passes: int = 1


@dataclass(frozen=True)
class Outcome:
    """A run that ended with exit code 0."""

    seconds: float
    last: Progress
    nan_loss: bool


def run(
    command: Command, folder: RunFolder, executor: Executor, watcher: Watcher, explainers: Iterable[Explainer] = ()
) -> Outcome:
    """Run ``command`` to its end.

    Raises a :class:`MusubiError` with the cause when it fails, and whatever ``watcher`` raises when it is interrupted;
    in every case the whole process tree is gone afterwards and ``status.json`` tells the end.
    """
    folder.write_command(command.argv, command.cwd, command.shown)
    folder.write_status("running", script=command.script, host=os.getpid())
    status: Status = "cancelled"
    details: dict[str, object] = {}
    try:
        outcome = _Loop(command, folder, watcher).run(executor, list(explainers))
        status = "done"
        return outcome
    except MusubiError as error:
        status, details = "failed", {"error": str(error)}
        raise
    except OSError as error:
        failed = _disk_error(error, folder)
        status, details = "failed", {"error": str(failed)}
        raise failed from error
    finally:
        _write_end(folder, status, command.script, details)


class _Loop:
    def __init__(self, command: Command, folder: RunFolder, watcher: Watcher) -> None:
        self.command, self.folder, self.watcher = command, folder, watcher
        self.reader = ProgressReader(command.totals, command.bar_stage, command.passes)
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.chunks: queue.Queue[tuple[str, bytes]] = queue.Queue(WAITING_CHUNKS)
        self.nan_loss = False
        self._last_step = -1
        self._over = threading.Event()

    def run(self, executor: Executor, explainers: list[Explainer]) -> Outcome:
        started = time.monotonic()
        spec = ProcessSpec(self.command.argv, self.command.environment, self.command.cwd, self.folder.path)
        with self.folder.log.open("wb") as log, self.folder.metrics.open("w", encoding="utf-8") as metrics:
            self.watcher.raise_if_interrupted()
            process = executor.start(spec)
            try:
                code = self._follow(process, log, metrics)
            finally:
                self._over.set()
                process.kill()
        if code != 0:
            failure = Failure(self.command.script, self.command.family, code, list(self.tail))
            raise explained(failure, explainers, self.folder.log)
        return Outcome(time.monotonic() - started, self.reader.now, self.nan_loss)

    def _follow(self, process: RunningProcess, log: BinaryIO, metrics: object) -> int:
        splitters = {name: LineSplitter() for name in process.streams}
        for name, stream in process.streams.items():
            threading.Thread(target=self._read, args=(name, stream), daemon=True).start()
        open_streams, next_look, ended = set(splitters), 0.0, math.inf
        while open_streams:
            now = time.monotonic()
            if now >= next_look:
                self.watcher.raise_if_interrupted()
                next_look = now + POLL
                if process.returncode() is not None:
                    ended = min(ended, now)
                if now - ended > LAST_OUTPUT:
                    break
            try:
                name, chunk = self.chunks.get(timeout=POLL)
            except queue.Empty:
                continue
            log.write(chunk)
            log.flush()
            splitter = splitters[name]
            for piece in splitter.feed(chunk) if chunk else splitter.finish():
                self._piece(piece, metrics)
            if not chunk:
                open_streams.discard(name)
        return self._code(process)

    def _read(self, name: str, stream: BinaryIO) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), CHUNK):
                self._hand_on(name, chunk)
        self._hand_on(name, b"")

    def _hand_on(self, name: str, chunk: bytes) -> None:
        """Waits for room, so that a flood of output slows the child instead of filling the memory."""
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self.chunks.put((name, chunk), timeout=POLL)
                return

    def _code(self, process: RunningProcess) -> int:
        while (code := process.returncode()) is None:
            self.watcher.raise_if_interrupted()
            time.sleep(0.01)
        return code

    def _piece(self, piece: str, metrics: object) -> None:
        self.tail.append(piece)
        now = self.reader.read(piece)
        if now is None:
            return
        if now.loss is not None and now.stage == "training":
            self.nan_loss |= not math.isfinite(now.loss)
            if now.current != self._last_step:
                self._last_step = now.current
                row = {"step": now.current, "loss": now.loss, "epoch": now.epoch, "time": round(time.time(), 3)}
                print(json.dumps(row), file=metrics, flush=True)  # type: ignore[call-overload]
        self.watcher.progress(now)


def _disk_error(error: OSError, folder: RunFolder) -> MusubiError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return MusubiError(f"the disk of {folder.path} is full", fix="Free some space there, then queue again.")
    return MusubiError(f"the run in {folder.path} failed: {error}", fix="Check the folder and its permissions.")


def _write_end(folder: RunFolder, status: Status, script: str, details: Mapping[str, object]) -> None:
    try:
        folder.write_status(status, script=script, **details)
    except OSError:
        return  # a full disk or a deleted folder: the raised error says so already
