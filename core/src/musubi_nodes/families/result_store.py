"""Store of finished results, which survives restarts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from musubi_nodes.files import KEPT, FileStamp, read_json, write_json
from musubi_nodes.json_types import fitting, text, texts_by_name
from musubi_nodes.log import log
from musubi_nodes.runs.record.folder import runs_of

KINDS = {"files": texts_by_name, "state": text, "run": text}


class ResultStore:
    """Results by key in ``<output>/musubi/<kind>``."""

    def __init__(self, output: Path, kind: str) -> None:
        self._output, self._folder = output, output / "musubi" / kind

    def find(self, key: str) -> tuple[Path, ...]:
        """Return the files if all are unchanged."""
        stamps = self._read(key).get("files") or {}
        try:
            files = {self._output / name: known for name, known in stamps.items()}
            return tuple(files) if all(_lasting(file) == known for file, known in files.items()) else ()
        except (OSError, ValueError):
            return ()

    def holds(self, key: str, state: str) -> bool:
        """Whether many files still have this ``state``."""
        return bool(state) and self._read(key).get("state") == state

    def run_of(self, key: str) -> Path:
        return runs_of(self._output) / str(self._read(key).get("run", ""))

    def keep(self, key: str, files: Iterable[Path], run: Path | None = None, state: str = "") -> None:
        """Store files, or the ``state`` of many; failures are logged."""
        stamps = {self._name(path): _lasting(path) for path in files}
        record = {"files": stamps, "state": state, "run": run.name if run else ""}
        try:
            write_json(self._folder / f"{key}.json", record)
        except OSError as error:
            log.warning("what was made cannot be remembered, so it will be made again next time: %s", error)

    def _read(self, key: str) -> dict[str, Any]:
        return fitting(read_json(self._folder / f"{key}.json", KEPT), KINDS)

    def _name(self, path: Path) -> str:
        inside = path.is_relative_to(self._output)
        return (path.relative_to(self._output) if inside else path.absolute()).as_posix()


def _lasting(path: Path) -> str:
    return str(FileStamp.lasting(path))
