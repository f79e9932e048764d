"""A workplace with files around it that nobody may touch, where a script's command is looked at instead of started."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tests.hostile.every_node import every_node

from musubi_nodes.commands.option_owners import names_file
from musubi_nodes.commands.tables import table
from musubi_nodes.config import cache_folder
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.node import Node
from musubi_nodes.files import is_inside
from musubi_nodes.media.frames import save_video
from musubi_nodes.runs.process.executor import ProcessSpec, RunningProcess
from musubi_nodes.testing.hostile import assert_clear
from musubi_nodes.testing.parsers import parser_for
from musubi_nodes.testing.workplace import Workplace

FRAMES = np.zeros((5, 64, 96, 3), np.float32)
WRITTEN = frozenset(
    "dataset_config output_dir logging_dir save_path from_file input output output_file save_merged_model".split()
)


class NotStarted(MusubiError):
    """The command was looked at."""


class Looking:
    """An executor that starts nothing."""

    name = "looking"

    def __init__(self) -> None:
        self.seen: list[ProcessSpec] = []

    def start(self, spec: ProcessSpec) -> RunningProcess:
        self.seen.append(spec)
        raise NotStarted("nothing-started", "nothing is started here", fix="This is a test.")


class World(Workplace):
    """``<folder>/place`` is the workplace, ``<folder>/outside`` what a stranger would like to read or change."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "place")
        self.root, self.outside, self.executor = folder, folder / "outside", Looking()
        self.outside.mkdir(parents=True)
        self.folder.mkdir()
        for name in ("secret.toml", "secret.txt", "secret.csv", "secret.jsonl"):
            (self.outside / name).write_text("prompt\nthe secret\n", "utf-8")
        save_video(FRAMES, self.outside / "secret.mp4", 8.0)

    def node(self, name: str) -> type[Node]:
        """Also the nodes of the example family and of the terminal."""
        return next(node for node in every_node() if node.id in (name, f"MusubiTuner_{name}"))

    def look_only(self) -> None:
        """From now on no script starts."""
        self.services.executor = lambda: self.executor  # type: ignore[method-assign]

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing outside of the workplace's output folder has changed afterwards."""
        before = self._state()
        yield
        assert self._state() == before

    def _state(self) -> dict[str, str]:
        kept = self.host.output_folder
        files = (p for p in self.root.rglob("*") if not p.is_relative_to(kept))
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder" for p in files}

    def attempt(self, name: str, /, **values: Any) -> list[ProcessSpec]:
        """Run a node; the commands that it would have started. It ends well, or in one clear :class:`MusubiError`."""
        count = len(self.executor.seen)
        try:
            self.run(name, **values)
        except MusubiError as error:
            assert_clear(error)
        return self.executor.seen[count:]

    def files_of(self, spec: ProcessSpec, script: str) -> list[Path]:
        """Every file and folder that the command names, as the script's own parser reads it."""
        words = list(spec.command)
        own = words[next(n for n, word in enumerate(words) if word.endswith(script)) + 1 :]
        known = table(script) or {}
        read = vars(parser_for(known, script).parse_args(own))
        files = WRITTEN.union(name for name, spec in known.items() if names_file(spec))
        named = [value for name, value in read.items() if name in files and value is not None]
        return [Path(each) for value in named for each in (value if isinstance(value, list) else [value])]

    def is_ours(self, path: Path) -> bool:
        """Whether a command may name it: below the workplace, or a toy model."""
        return is_inside(path, [self.folder, cache_folder()])
