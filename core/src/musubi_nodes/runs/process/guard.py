"""Runs one command in a session of its own and ends the whole tree when its own stdin closes (POSIX).

``guard.py RECORD COMMAND...``: RECORD becomes a JSON file with ``pid`` at the start and ``returncode`` at the end
(negative = the signal that ended it). Stdin is held open by the host: a byte asks for a stop, end of file means that
the host is gone. It imports nothing of this project, because it must start fast and outlive its parent.

On Linux it is a subreaper: what leaves the group, or doubly forks away, becomes its child and is found. Elsewhere such
processes are found by the token in their environment. One thread, no polling but for the parent's death.
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

TOKEN = "MUSUBI_NODES_RUN"
"""This environment variable marks every process of a run."""

POLITE_SECONDS = 1.0
"""musubi-tuner has no handler for SIGTERM (facts on v0.3.4): a group is gone in 0.05 s, so a second is generous."""

PARENT_SECONDS = 0.5
"""How often the parent is looked for: a process that it forked may hold our stdin open after its death."""

PART = ".part"
"""What the record is called until it is renamed into place."""

PR_SET_CHILD_SUBREAPER = 36

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(os.path.abspath(__file__))]


def record(path: str, **values: Any) -> None:
    """Write the record beside and rename it; a full disk must not keep the tree alive."""
    try:
        with open(path + PART, "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(path + PART, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(path + PART)  # noqa: PTH107


def marked(token: str) -> list[Any]:
    """The living processes of this user whose environment holds ``token``, but for this one."""
    import psutil

    found = []
    for process in psutil.process_iter() if token else ():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(TOKEN) == token:
                found.append(process)
    return [process for process in found if alive(process)]


def alive(process: Any) -> bool:
    """Whether it runs; what is dead and only not yet collected does not count, what cannot be asked does."""
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except Exception:  # of the system, which psutil lets through
        return True


def become_subreaper() -> bool:
    """Linux: orphans of the tree become our children instead of init's."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(Exception):
        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


class Wakes:
    """Signals as something to select on: the child's end wakes, a request to end is remembered."""

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
        """Sleep until something happens; whether stdin spoke or closed."""
        ready, _, _ = select.select([self.fd, 0] if stdin else [self.fd], [], [], seconds)
        if self.fd in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.fd, 4096)
        return 0 in ready


class Tree:
    """The command's process and all that descends from it."""

    def __init__(self, command: list[str], subreaper: bool) -> None:
        self.root = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self.returncode: int | None = None
        self._subreaper = subreaper

    def reap(self) -> bool:
        """Collect what has ended; whether a child is left."""
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
        """Polite signal, a short wait, then force for as long as new ones appear; ends after two seconds at most."""
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
        """What left the group; the group itself has its signal already."""
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
    """Run the command; the exit code is the command's, or 128 + signal."""
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
