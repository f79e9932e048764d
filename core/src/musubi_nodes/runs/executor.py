"""Where a command runs. The built-in executor is a process on this machine; plugins may provide others."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from musubi_nodes.runs import guard


@dataclass(frozen=True)
class ProcessSpec:
    """A command with all it needs: absolute argument list, whole environment, working folder and its run folder."""

    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    folder: Path


class RunningProcess(Protocol):
    """A started command. ``streams`` are read to their end and closed by the runner."""

    streams: Mapping[str, BinaryIO]

    def returncode(self) -> int | None:
        """The exit code, negative for a signal; ``None`` while it runs."""

    def stop(self) -> None:
        """Ask for the end of the whole tree: politely first, by force soon after. Returns at once; may be repeated."""

    def kill(self) -> None:
        """End what is left at once and release everything; called last, in every case."""


class Executor(Protocol):
    """Starts commands. ``name`` is what the configuration chooses it by."""

    name: str

    def start(self, spec: ProcessSpec) -> RunningProcess:
        """Start ``spec``; OSError where it cannot be started."""


class LocalProcess:
    """The built-in executor: a guarded process group on this machine."""

    name = "local"

    def start(self, spec: ProcessSpec) -> RunningProcess:
        """Start the guard, which starts the command in a process group of its own."""
        return _Guarded(spec)


class _Guarded:
    def __init__(self, spec: ProcessSpec) -> None:
        self._record = spec.folder / "process.json"
        self._guard = subprocess.Popen(
            [sys.executable, "-E", guard.__file__, str(self._record), *spec.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=spec.cwd,
            env=dict(spec.environment),
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self._guard.stdout and self._guard.stderr and self._guard.stdin
        self.streams: Mapping[str, BinaryIO] = {"stdout": self._guard.stdout, "stderr": self._guard.stderr}  # type: ignore[dict-item]
        self._asked = False

    def returncode(self) -> int | None:
        code = self._guard.poll()
        if code is None:
            return None
        recorded = self._read().get("returncode", code)
        return recorded if isinstance(recorded, int) else code

    def stop(self) -> None:
        if not self._asked and self._guard.stdin:
            self._asked = True
            with contextlib.suppress(OSError):
                self._guard.stdin.close()

    def kill(self) -> None:
        self.stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(2 * guard.POLITE_SECONDS + 1)
        if self._guard.poll() is None:
            self._guard.kill()
            self._guard.wait()
        self._end_orphans()

    def _end_orphans(self) -> None:
        """If the guard itself was killed, its child's group may still live."""
        pid = self._read().get("pid")
        if os.name != "nt" and isinstance(pid, int) and "returncode" not in self._read():
            import signal

            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _read(self) -> dict[str, object]:
        try:
            return dict(json.loads(self._record.read_text("utf-8")))
        except (OSError, ValueError):
            return {}
