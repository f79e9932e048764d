"""Executors: where and how commands run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from uuid import uuid4

from musubi_nodes import children
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import read_json
from musubi_nodes.runs.process import guard
from musubi_nodes.sharing import remove

GUARD = Path(guard.__file__).absolute().with_name("guard_windows.py" if os.name == "nt" else "guard.py")

_OWN_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


UNANSWERED = 30.0  # seconds until a silent guard is given up


@dataclass(frozen=True)
class ProcessSpec:
    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    folder: Path


class RunningProcess(Protocol):
    """A started command; the runner reads and closes ``streams``."""

    streams: Mapping[str, BinaryIO]

    def returncode(self) -> int | None:
        """Return the exit code (negative: signal); ``None`` while it runs.

        MusubiError if the executor failed.
        """

    def stop(self) -> None:
        """End the tree, politely at first; returns at once."""

    def kill(self) -> None:
        """End what is left and release everything; always called."""


class Executor(Protocol):
    """Starts commands; the configuration chooses it by ``name``."""

    name: str

    def start(self, spec: ProcessSpec) -> RunningProcess:
        """Start ``spec``; OSError if that fails."""


class LocalProcess:
    name = "local"

    def start(self, spec: ProcessSpec) -> RunningProcess:
        return _Guarded(spec)


class _Guarded:
    def __init__(self, spec: ProcessSpec) -> None:
        self._record = spec.folder / "process.json"
        self._records = (self._record, self._record.with_name(f"{self._record.name}{guard.PART}"))
        for path in self._records:
            remove(path)
        self._token = uuid4().hex
        self._root: Any = None
        self._heard = time.monotonic()
        self._guard = children.start(
            [sys.executable, "-E", "-X", "utf8", str(GUARD), str(self._record.absolute()), *spec.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=spec.cwd,
            env={**spec.environment, guard.TOKEN: self._token},
            start_new_session=os.name != "nt",
            creationflags=_OWN_GROUP,
        )
        streams = {"stdout": self._guard.stdout, "stderr": self._guard.stderr}
        self.streams: Mapping[str, BinaryIO] = cast("dict[str, BinaryIO]", streams)

    def returncode(self) -> int | None:
        code = self._guard.poll()
        if code is None:
            self._check_answering()
            return None
        record = self._read_record()
        recorded = record.get("returncode")
        if isinstance(recorded, int):
            return recorded
        if code < 0 or (os.name == "nt" and "pid" in record and code != 0):  # a killed process ends with 1 or 15 there
            raise MusubiError(
                "guard-killed",
                "the process that guards the run was killed, and the run with it",
                why="Somebody ended it from outside, or the system did because the main memory (RAM) was full.",
                fix="Queue again. If it happens again, look for 'out of memory' in the system's log.",
            )
        return code if code <= 128 or os.name == "nt" else 128 - code  # no record on a full disk

    def _check_answering(self) -> None:
        if self._root is None:
            self._root = self._command()
        if self._root is not None and guard.alive(self._root):
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > UNANSWERED:
            raise MusubiError(
                "guard-unresponsive",
                "the process that guards the run does not answer, and how the run ended is not known",
                why="Somebody stopped it from outside (SIGSTOP, a debugger), or the system hangs.",
                fix="Queue again.",
            )

    def _command(self) -> Any:
        import psutil

        with contextlib.suppress(psutil.Error, TypeError, ValueError):
            if (pid := self._read_record().get("pid")) is not None:
                return psutil.Process(pid)
            return next(iter(psutil.Process(self._guard.pid).children()), None)
        return None

    def stop(self) -> None:
        if self._guard.stdin:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()

    def kill(self) -> None:
        self.stop()
        try:
            self._guard.wait(2 * guard.POLITE_SECONDS + 0.5)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(guard.POLITE_SECONDS)
        if "returncode" not in self._read_record():
            self._end_orphans()

    def _read_record(self) -> dict[str, Any]:
        """Prefer the final record: on Windows it may lie beside the first."""
        found = [record for record in map(read_json, self._records) if record]
        return next((record for record in found if "returncode" in record), found[0] if found else {})

    def _end_orphans(self) -> None:
        until = time.monotonic() + 2 * guard.POLITE_SECONDS
        while (left := guard.marked(self._token)) and time.monotonic() < until:
            for process in left:
                with contextlib.suppress(Exception):
                    process.kill()
            time.sleep(0.02)
