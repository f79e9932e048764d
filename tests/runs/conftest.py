from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.run import Command, Outcome, run

TREE = """
import contextlib, os, signal, subprocess, sys, time
from pathlib import Path

role, folder, token = sys.argv[1:4]
children = {"launcher": ["trainer"], "trainer": ["worker", "worker2", "stubborn", "daemon"]}.get(role, [])
if role == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if role == "daemon" and os.name == "nt":
    if "detached" not in sys.argv:
        command = [sys.executable, *sys.argv, "detached"]
        subprocess.Popen(command, creationflags=subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP)
        sys.exit()
elif role == "daemon":
    for _ in range(2):
        if os.fork():
            os._exit(0)
        os.setsid()
started = [subprocess.Popen([sys.executable, __file__, name, folder, token]) for name in children]
Path(folder, "ready-" + role).touch()
while True:
    with contextlib.suppress(OSError):
        print("x" * 100, flush=True)
    time.sleep(0.05)
"""


class Watching:
    """Remembers the progress; asks ``interrupt`` for an exception at each look."""

    def __init__(self, interrupt: Callable[[], BaseException | None]) -> None:
        self.seen: list[Progress] = []
        self._interrupt = interrupt

    def progress(self, now: Progress) -> None:
        self.seen.append(now)

    def raise_if_interrupted(self) -> None:
        if error := self._interrupt():
            raise error


class Runs:
    """Runs small Python scripts in a run folder of the test."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.folder = RunFolder.create(tmp_path, "test")
        self.watcher = Watching(lambda: None)

    def script(self, code: str, name: str = "script.py") -> Path:
        path = self.tmp_path / name
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        return path

    def __call__(
        self, code: str | Sequence[str], interrupt: Callable[[], BaseException | None] = lambda: None, **fields: Any
    ) -> Outcome:
        argv = [sys.executable, str(self.script(code))] if isinstance(code, str) else code
        self.watcher = Watching(interrupt)
        values = {"script": "script.py", "cwd": self.tmp_path, "environment": dict(os.environ), **fields}
        return run(Command(argv=argv, **values), self.folder, LocalProcess(), self.watcher)


class Tree:
    """A launcher, a trainer and its workers: two plain ones, one that ignores SIGTERM, one that became a daemon."""

    roles = ("launcher", "trainer", "worker", "worker2", "stubborn", "daemon")

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "ready"
        self.folder.mkdir()
        self.script = tmp_path / "tree.py"
        self.script.write_text(TREE, encoding="utf-8")
        self.token = f"tree-{os.getpid()}-{time.monotonic_ns()}"
        self.command = [sys.executable, str(self.script), "launcher", str(self.folder), self.token]

    def ready(self) -> bool:
        return all((self.folder / f"ready-{role}").exists() for role in self.roles)

    def processes(self, role: str = "") -> list[psutil.Process]:
        return [process for process, words in self._ours() if not role or role in words]

    def guard(self) -> psutil.Process:
        guards = ("guard.py", "guard_windows.py")
        return next(process for process, words in self._ours() if any(word.endswith(guards) for word in words))

    def _ours(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):  # it ended just now
                words = process.cmdline()
                if self.token in words and process.pid != os.getpid():
                    yield process, words


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Any:
    made = Tree(tmp_path)
    yield made
    for process in made.processes():
        process.kill()


@pytest.fixture
def host_environment() -> dict[str, str]:
    """For processes that import the runner themselves."""
    source = Path(__file__).resolve().parents[2] / "core" / "src"
    return {**os.environ, "PYTHONPATH": str(source)}
