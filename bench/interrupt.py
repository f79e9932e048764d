"""From the user's interrupt until launcher, trainer and workers are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from bench.common import Row, run_script, script

CODE = """
import signal, subprocess, sys, time
from pathlib import Path
role, folder, stubborn = sys.argv[1:4]
if role == "worker" and stubborn == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
children = {"launcher": ["trainer"], "trainer": ["worker"] * 2}.get(role, [])
started = [subprocess.Popen([sys.executable, __file__, name, folder, stubborn]) for name in children]
Path(folder, f"{role}-{time.monotonic_ns()}").touch()
time.sleep(600)
"""


class Interrupted(Exception):
    """What a host raises."""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """The worst of several, with workers that end when asked, and with workers that ignore it."""
    for kind in ("polite", "stubborn"):
        worst = max(_once(folder / f"{kind}{number}", kind) for number in range(2 if quick else 5))
        yield Row(f"interrupt until the tree is gone, {kind} workers", worst, "s", 2)


def _once(folder: Path, kind: str) -> float:
    ready = folder / "ready"
    ready.mkdir(parents=True)
    asked = 0.0

    def look() -> None:
        nonlocal asked
        if asked:
            raise Interrupted
        if len(list(ready.iterdir())) == 4:
            asked = time.perf_counter()  # seen at the next look: the longest that a user can wait for it

    try:
        run_script(folder, script(folder, CODE, "launcher", str(ready), kind), look=look)
    except Interrupted:
        while any(str(ready) in (p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])):
            time.sleep(0.005)
        return time.perf_counter() - asked
    raise AssertionError("the script ended by itself")
