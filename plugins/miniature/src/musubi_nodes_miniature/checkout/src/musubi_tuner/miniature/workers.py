"""Data loader processes: they only exist, so that the process tree is as deep as upstream's."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

IDLE = "import sys\nsys.stdin.buffer.read()"


class Workers:
    """``count`` idle children that end with this process, whatever ends it, because their pipe closes."""

    def __init__(self, count: int) -> None:
        command = [sys.executable, "-S", "-E", "-c", IDLE]
        self.processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(count)]

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self.processes:
            process.wait()
