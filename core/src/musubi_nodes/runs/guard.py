"""Runs one command in a process group of its own and ends the whole tree when its own stdin closes.

``guard.py RECORD COMMAND...``: RECORD becomes a JSON file with ``pid`` at the start and ``returncode`` at the end
(negative = the signal that ended it). Stdin is held open by the host: a line asks for a polite stop, end of file means
that the host is gone. It imports nothing of this project, because it must start fast and outlive its parent.

POSIX: a new session, and on Linux a subreaper, so that children which leave the group are still found as descendants.
Windows: a new process group; the tree is found through psutil.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

POLITE_SECONDS = 1.0
"""musubi-tuner has no handler for SIGTERM (facts on v0.3.4): a group is gone in 0.05 s, so a second is generous."""

PR_SET_CHILD_SUBREAPER = 36

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(os.path.abspath(__file__))]


def record(path: str, **values: Any) -> None:
    """Write the record beside and rename it; a full disk must not keep the tree alive."""
    with contextlib.suppress(OSError):
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(path + ".part", path)


def become_subreaper() -> None:
    """Linux: orphans of the tree become our children instead of init's."""
    if sys.platform == "linux":
        with contextlib.suppress(Exception):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Tree:
    """The command's process and all that descends from it."""

    def __init__(self, command: list[str]) -> None:
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        self.root = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=os.name != "nt", creationflags=flags
        )
        self._ending = threading.Lock()

    def end(self) -> None:
        """Polite signal, a short wait, then the whole tree; returns when nothing is left."""
        with self._ending:
            self._signal(signal.SIGTERM)
            self._wait(POLITE_SECONDS)
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._wait(POLITE_SECONDS)

    def _signal(self, number: int) -> None:
        for process in self._descendants():
            with contextlib.suppress(Exception):
                process.kill() if number != signal.SIGTERM else process.terminate()
        if os.name != "nt":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.root.pid, number)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._descendants() and time.monotonic() < until:
            time.sleep(0.02)

    def _descendants(self) -> list[Any]:
        import psutil

        living = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    living.append(process)
        return living


def watch(tree: Tree) -> None:
    """Ends the tree on the first line of stdin, or when stdin closes."""
    with contextlib.suppress(OSError):
        os.read(0, 1)
    tree.end()


def main() -> int:
    """Run the command; the exit code is the command's, or 128 + signal."""
    target, *command = sys.argv[1:]
    become_subreaper()
    try:
        tree = Tree(command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr)
        record(target, returncode=127)
        return 127
    record(target, pid=tree.root.pid, guard=os.getpid(), started=time.time())
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: threading.Thread(target=tree.end).start())
    threading.Thread(target=watch, args=(tree,), daemon=True).start()
    code = tree.root.wait()
    tree.end()
    record(target, pid=tree.root.pid, guard=os.getpid(), returncode=code)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the watching thread is blocked on stdin; a normal exit would wait for its lock
