"""A JSONL history of bounded size."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musubi_nodes.files import RECORD, read_bytes, write_text
from musubi_nodes.parsing import parse_json

MOST = 500  # rows

Row = Mapping[str, Any]


class History:
    """Appends rows; when full, keeps every second one."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path, self._most = path, most
        self._rows: list[Row] = []
        self._stride, self._count = 1, 0

    def add(self, row: Row) -> None:
        self._count += 1
        if (self._count - 1) % self._stride:
            return
        self._rows.append(row)
        with contextlib.suppress(OSError):
            if not self._path.parent.is_dir():  # don't recreate a deleted run folder
                return
            if len(self._rows) == 1 or len(self._rows) > self._most:
                self._thin()
                write_text(self._path, "".join(map(_line, self._rows)))
            else:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(_line(row))

    def _thin(self) -> None:
        if len(self._rows) > self._most:
            self._rows, self._stride = self._rows[::2], self._stride * 2


def read_history(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        for line in read_bytes(path, RECORD).decode("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                rows.append(dict(parse_json(line)))
    return rows


def _line(row: Row) -> str:
    return json.dumps(row) + "\n"
