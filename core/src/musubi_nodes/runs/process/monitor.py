"""Follows a process: streams, log, metrics, progress, end."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO

from musubi_nodes.errors import MusubiError
from musubi_nodes.log import log
from musubi_nodes.runs.command import Command, Outcome, Watcher
from musubi_nodes.runs.explain import Explainer, Failure, LastLines, explained
from musubi_nodes.runs.hardware.peak import Peak
from musubi_nodes.runs.process.executor import Executor, ProcessSpec, RunningProcess
from musubi_nodes.runs.process.masking import Mask, secret_values
from musubi_nodes.runs.process.stall import StallDetector
from musubi_nodes.runs.process.stop_after_save import StopAfterSave
from musubi_nodes.runs.record.events import EventFolder
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.lines import STDERR
from musubi_nodes.runs.record.metrics import Metrics, write_all
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.progress import Progress, ProgressReader
from musubi_nodes.runs.record.recorder import Recorder
from musubi_nodes.runs.record.stated import Statements

CHUNK = 32_768
WAITING_CHUNKS = 64
POLL = 0.2  # seconds
SILENCE, LAST_OUTPUT = 0.5, 3.0
"""Seconds to keep reading after the end: without output, and in all."""
END = b""


class ProcessMonitor:
    """Follows one run; ``interrupt`` is what the watcher raised."""

    def __init__(self, command: Command, folder: RunFolder, watcher: Watcher) -> None:
        self.interrupt: BaseException | None = None
        self._command, self._folder, self._watcher = command, folder, watcher
        self._reader = ProgressReader(command.totals, command.bar_stage, command.passes, folder.before)
        self._last: defaultdict[str, LastLines] = defaultdict(LastLines)
        self._statements = Statements(folder)
        self._events = EventFolder(command.events) if command.events else None
        self._stopping = StopAfterSave(folder)
        self._silence = StallDetector(command.script, folder.log)
        self._checkpoint: Path | None = None
        self._peak = Peak(folder, command.environment)
        self._recorder = Recorder(folder, lambda: self._peak.gpu)
        self._chunks: queue.Queue[tuple[str, bytes]] = queue.Queue(WAITING_CHUNKS)
        self._over = threading.Event()

    def run(self, executor: Executor, explainers: list[Explainer]) -> Outcome:
        started = time.monotonic()
        with self._folder.log.open("wb", 0) as log, self._folder.metrics.open("ab", 0) as rows:
            metrics = Metrics(rows, self._folder.before[0])
            self._raise_if_interrupted()
            process = self._start(executor)
            try:
                code = self._follow(process, log, metrics)
            finally:
                self._over.set()
                self._release(process)
                with contextlib.suppress(OSError):
                    if self._events is not None:
                        metrics.scalars(self._events.read())
                    metrics.flush()
                self._recorder.write()
        self._still_there()
        if code == 0:
            self._judge(metrics)
        if code != 0 and self._checkpoint is None:
            failure = Failure(self._command.script, self._command.family, code, self._last_lines())
            raise explained(failure, explainers, self._folder.log)
        return Outcome(time.monotonic() - started, self._reader.now, self._checkpoint, self._peak.bytes)

    def _start(self, executor: Executor) -> RunningProcess:
        command = self._command
        try:
            return executor.start(ProcessSpec(command.argv, command.environment, command.cwd, self._folder.path))
        except (OSError, ValueError) as error:
            raise MusubiError(
                "script-not-started",
                f"{command.script} cannot be started: {error}",
                why="The folder or the program that the message names cannot be used, or the command is too long.",
                fix="Check the install in config.toml; `musubi-nodes doctor` tells what is missing.",
            ) from error

    def _release(self, process: RunningProcess) -> None:
        try:
            process.kill()
        except Exception as error:
            log.warning("what %s started may not have ended: %r", self._command.script, error)

    def _follow(self, process: RunningProcess, log: BinaryIO, metrics: Metrics) -> int:
        secrets = secret_values(self._command.environment, self._command.secrets)
        texts = {name: (Mask(secrets), LineSplitter()) for name in process.streams}
        for name, stream in process.streams.items():
            threading.Thread(target=self._read, args=(name, stream), daemon=True).start()
        next_look, last_chunk, ended = 0.0, 0.0, math.inf
        while texts and self._checkpoint is None:
            now = time.monotonic()
            if now >= next_look:
                self._raise_if_interrupted()
                self._still_there()
                self._stopping.look()
                self._peak.look()
                self._look_for_silence()
                self._recorder.look()
                self._take_events(metrics)
                next_look = now + POLL
                if ended == math.inf and process.returncode() is not None:
                    ended = now
            if now - ended > LAST_OUTPUT or now - max(ended, last_chunk) > SILENCE:
                break
            try:
                name, chunk = self._chunks.get(timeout=POLL)
            except queue.Empty:
                continue
            last_chunk = now
            if self._silence.heard():
                self._publish(self._reader.know(silent=None))
            mask, splitter = texts[name] if chunk else texts.pop(name)
            self._take(name, mask.feed(chunk) if chunk else mask.finish(), splitter, log, metrics, last=not chunk)
        for name, (mask, splitter) in texts.items():
            self._take(name, mask.finish(), splitter, log, metrics, last=True)
        return self._code(process) if self._checkpoint is None else 0

    def _take(
        self, stream: str, shown: bytes, splitter: LineSplitter, log: BinaryIO, metrics: Metrics, last: bool
    ) -> None:
        write_all(log, shown)
        for piece in (*splitter.feed(shown), *splitter.finish()) if last else splitter.feed(shown):
            self._read_piece(piece, stream, metrics)

    def _read(self, name: str, stream: BinaryIO) -> None:
        with contextlib.suppress(OSError, ValueError), stream:
            while chunk := getattr(stream, "read1", stream.read)(CHUNK):
                self._hand_on(name, chunk)
        self._hand_on(name, END)

    def _hand_on(self, name: str, chunk: bytes) -> None:
        """Block until there is room: slows the child, bounds memory."""
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._chunks.put((name, chunk), timeout=POLL)
                return

    def _code(self, process: RunningProcess) -> int:
        while (code := process.returncode()) is None:
            self._raise_if_interrupted()
            time.sleep(0.01)
        return code

    def _last_lines(self) -> list[str]:
        lines = {name: last.lines() for name, last in self._last.items()}
        return lines.pop(STDERR, []) or next(iter(lines.values()), [])

    def _read_piece(self, piece: str, stream: str, metrics: Metrics) -> None:
        self._last[stream].add(piece)
        self._statements.read(piece, stream)
        now = self._reader.read(piece, stream)
        if now is None:
            return
        metrics.add(now)
        self._publish(now)
        self._checkpoint = self._checkpoint or self._stopping.read(now)

    def _look_for_silence(self) -> None:
        if (seconds := self._silence.look()) is not None:
            self._publish(self._reader.know(silent=seconds))

    def _take_events(self, metrics: Metrics) -> None:
        if self._events is None:
            return
        before = metrics.lr
        metrics.scalars(self._events.read())
        if metrics.lr != before:
            self._publish(self._reader.know(lr=metrics.lr))
        self._judge(metrics)

    def _judge(self, metrics: Metrics) -> None:
        if metrics.hopeless:
            raise MusubiError(
                "loss-nan",
                f"the loss of {self._command.script} has been no number (NaN) since step {metrics.nan_since}",
                why="The learning rate is too high, or the precision does not fit the model. musubi-tuner would train "
                "on to the end and save a useless LoRA, so the run was ended.",
                fix="Lower learning_rate or check mixed_precision, and train again. Earlier checkpoints are in the "
                "run folder.",
                log=self._folder.log,
            )

    def _publish(self, now: Progress) -> None:
        self._recorder.note(now)
        try:
            self._watcher.progress(now)
        except BaseException as error:
            self.interrupt = error
            raise

    def _raise_if_interrupted(self) -> None:
        try:
            self._watcher.raise_if_interrupted()
        except BaseException as error:
            self.interrupt = error
            raise

    def _still_there(self) -> None:
        if not self._folder.log.exists():
            raise self._folder.deleted(f"{self._command.script} ran")
