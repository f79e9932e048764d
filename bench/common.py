"""What the measurements share: one row of the table, and a run of a small script."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.config import load_config
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.run import Command, Outcome, run


@dataclass(frozen=True)
class Row:
    """One measured value; ``limit`` is the promise, ``None`` where there is none.

    ``anchor``: the same work without this pack, measured in the same call, e.g. ``1.1 s, list and open``.
    """

    measure: str
    value: float
    unit: str
    limit: float | None = None
    anchor: str = ""

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.limit is None or self.value <= self.limit


class Watching:
    """Hands on what the runner tells."""

    def __init__(self, progress: Callable[[Progress], None], look: Callable[[], None]) -> None:
        self.progress, self.raise_if_interrupted = progress, look


def script(folder: Path, code: str, *arguments: str) -> list[str]:
    """The command of a Python script with ``code``."""
    path = folder / "script.py"
    path.write_text(code, encoding="utf-8")
    return [sys.executable, str(path), *arguments]


def run_script(
    folder: Path,
    command: list[str],
    progress: Callable[[Progress], None] = lambda now: None,
    look: Callable[[], None] = lambda: None,
) -> tuple[Outcome, RunFolder]:
    """Run ``command`` as a node would."""
    made = RunFolder.create(folder, "bench")
    whole = Command("script.py", command, folder, dict(os.environ))
    return run(whole, made, LocalProcess(), Watching(progress, look)), made


def told(value: float, unit: str) -> str:
    """``0.0391 s``"""
    return f"{value:.3g} {unit}".rstrip()


def quantile(values: list[float], share: float) -> float:
    """The value below which ``share`` of all lie."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@contextmanager
def configured(folder: Path, config: str) -> Iterator[None]:
    """This pack with a config.toml and caches of its own, and with nothing of the surroundings'."""
    (folder / "config.toml").write_text(config, "utf-8")
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("MUSUBI_")]:
        del os.environ[name]
    os.environ |= {"MUSUBI_NODES_CONFIG": str(folder / "config.toml"), "MUSUBI_NODES_CACHE": str(folder / "c")}
    _forget()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        _forget()


def _forget() -> None:
    load_config.cache_clear()
    plugins.cache_clear()
