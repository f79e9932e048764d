"""Starts programs, on Windows without a console window."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


def run(command: Sequence[str], *, seconds: float, **options: Any) -> subprocess.CompletedProcess[bytes]:
    options = {"stdin": subprocess.DEVNULL, "creationflags": NO_WINDOW, **options}
    return subprocess.run(command, capture_output=True, timeout=seconds, check=False, **options)


def start(command: Sequence[str], *, creationflags: int = 0, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, creationflags=creationflags | NO_WINDOW, **options)
