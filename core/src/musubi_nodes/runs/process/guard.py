"""Runs one command and ends its whole tree when stdin closes (POSIX).

``guard.py RECORD COMMAND...`` writes JSON with ``pid``, later ``returncode``
(negative: signal). A byte on stdin asks for a stop. Imports nothing of this project.
On Linux it is a subreaper, elsewhere a token in the environment marks the tree.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

TOKEN = "MUSUBI_NODES_RUN"  # marks every process of a run

POLITE_SECONDS = 1.0  # v0.3.4 doesn't handle SIGTERM and ends in 0.05 s

PARENT_SECONDS = 0.5  # a fork of the parent may hold our stdin open

PART = ".part"

PR_SET_CHILD_SUBREAPER = 36

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(os.path.abspath(__file__))]


def record(path: str, **values: Any) -> None:
    try:
        with open(path + PART, "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(path + PART, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(path + PART)  # noqa: PTH107


def marked(token: str) -> list[Any]:
    import psutil

    found = []
    for process in psutil.process_iter() if token else ():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(TOKEN) == token:
                found.append(process)
    return [process for process in found if alive(process)]


def alive(process: Any) -> bool:
    """Whether it runs: zombies don't, unknown ones do."""
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except Exception:  # psutil passes on errors of the system
        return True


def become_subreaper() -> bool:
    if sys.platform != "linux":
        return False
    with contextlib.suppress(Exception):
        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


class Wakes:
    def __init__(self) -> None:
        self.asked = False
        self.fd, writer = os.pipe()
        for fd in (self.fd, writer):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def wait(self, stdin: bool, seconds: float) -> bool:
        """Return whether stdin spoke or closed."""
        ready, _, _ = select.select([self.fd, 0] if stdin else [self.fd], [], [], seconds)
        if self.fd in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.fd, 4096)
        return 0 in ready


class Tree:
    def __init__(self, command: list[str], subreaper: bool) -> None:
        self.root = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self.returncode: int | None = None
        self._subreaper = subreaper

    def reap(self) -> bool:
        """Collect ended children; return whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.root.pid:
                self.root.returncode = self.returncode = os.waitstatus_to_exitcode(status)

    def end(self, wakes: Wakes) -> None:
        """SIGTERM, then SIGKILL repeatedly; at most two seconds."""
        for number, again in ((signal.SIGTERM, False), (signal.SIGKILL, True)):
            until, told = time.monotonic() + POLITE_SECONDS, False
            while self._left() and time.monotonic() < until:
                if again or not told:
                    self._signal(number)
                    told = True
                wakes.wait(stdin=False, seconds=0.02)

    def _left(self) -> bool:
        return self.reap() or (not self._subreaper and bool(marked(os.environ.get(TOKEN, ""))))

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.root.pid, number)
        with contextlib.suppress(ImportError):
            for process in self._strays():
                with contextlib.suppress(Exception):
                    process.send_signal(number)

    def _strays(self) -> list[Any]:
        import psutil

        found = {process.pid: process for process in psutil.Process().children(recursive=True)}
        if not self._subreaper:
            found |= {process.pid: process for process in marked(os.environ.get(TOKEN, ""))}
        return [process for pid, process in found.items() if _group(pid) != self.root.pid]


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def main() -> int:
    target, *command = sys.argv[1:]
    parent, wakes = os.getppid(), Wakes()
    try:
        tree = Tree(command, become_subreaper())
    except (OSError, ValueError) as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr, flush=True)
        record(target, returncode=127)
        return 127
    about = {"pid": tree.root.pid, "guard": os.getpid(), "started": time.time()}
    record(target, **about)
    while tree.returncode is None and not wakes.asked and os.getppid() == parent:
        if wakes.wait(stdin=True, seconds=PARENT_SECONDS):
            break
        tree.reap()
    tree.end(wakes)
    code = -signal.SIGKILL if tree.returncode is None else tree.returncode
    record(target, **about, returncode=code)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main())
