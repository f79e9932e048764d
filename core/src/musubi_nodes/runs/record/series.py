"""Metrics for display: read as they grow, smoothed and thinned."""

from __future__ import annotations

import bisect
import math
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from musubi_nodes.files import is_own, open_file
from musubi_nodes.parsing import is_number, parse_json

MOST = 2_000  # points, beside the last one
SPAN = 100  # steps
CHUNK = 1 << 20
LONGEST_LINE = 1 << 16
COLUMNS = ("step", "loss", "smooth", "average", "lr", "effective_lr", "epoch", "time")
"""``smooth`` is the moving average of ``loss``, or else of ``average``."""

Point = dict[str, Any]


class Series:
    """First, last and every ``stride``-th point of ``metrics.jsonl``.

    ``version`` changes when earlier points do; ``single``: it has losses of single steps.
    """

    def __init__(self, path: Path, most: int = MOST, span: int = SPAN) -> None:
        self._path, self._most, self._decay = path, most, math.exp(-1 / span) if span else 0.0
        self.version = 0
        self._begin()

    def _begin(self) -> None:
        self.version += 1
        self.stride = 1
        self.count = 0
        self.single = False
        self.last: Point | None = None
        self.kept: list[Point] = []
        self._offset = 0
        self._sum = self._weight = 0.0

    def read(self) -> None:
        try:
            size = self._path.stat().st_size if is_own(self._path) else 0
            if size < self._offset:
                self._begin()
            if size > self._offset:
                for row in self._appended():
                    self._take(row)
        except OSError:
            return

    def points(self) -> list[Point]:
        return [*self.kept, *([self.last] if self.last else [])]

    def _appended(self) -> Iterator[Any]:
        with open_file(self._path, follow=False) as file:
            file.seek(self._offset)
            rest = b""
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._offset += len(line) + 1
                    yield _row(line)
                if len(rest) > LONGEST_LINE:
                    self._offset += len(rest)
                    rest = b""

    def _take(self, row: Any) -> None:
        step = row.get("step") if isinstance(row, dict) else None
        if type(step) is not int or step < 0:
            return
        if self.last is None or step > self.last["step"]:
            self._keep_last()
            self.last = {"step": step}
            self.count += 1
            point: Point | None = self.last
        else:
            point = self._earlier(step)
        if point is not None:
            point |= {name: _finite(row[name]) for name in COLUMNS[1:] if name in row and name != "smooth"}
            if "loss" in row and not self.single:
                self.single, self._sum, self._weight = True, 0.0, 0.0
            told = "loss" if self.single else "average"
            if told in row:
                point["smooth"] = self._smoothed(point[told])

    def _keep_last(self) -> None:
        """Keep the first of ``stride`` points that is no gap."""
        if self.last is None:
            return
        if (self.count - 1) % self.stride == 0:
            self.kept.append(self.last)
        elif _is_gap(self.kept[-1]) and not _is_gap(self.last):
            self.kept[-1] = self.last
            self.version += 1
        if len(self.kept) >= self._most:
            pairs = zip_longest(self.kept[::2], self.kept[1::2])
            self.kept = [second if second and _is_gap(first) else first for first, second in pairs]
            self.stride *= 2
            self.version += 1

    def _earlier(self, step: int) -> Point | None:
        if self.last and step == self.last["step"]:
            return self.last
        at = bisect.bisect_left(self.kept, step, key=lambda point: point["step"])
        if at < len(self.kept) and self.kept[at]["step"] == step:
            self.version += 1
            return self.kept[at]
        if self.stride > 1:
            return None
        self.version += 1
        self.count += 1
        self.kept.insert(at, {"step": step})
        return self.kept[at]

    def _smoothed(self, loss: float | None) -> float | None:
        """Exponential moving average, unbiased at its beginning."""
        if loss is None:
            return None
        self._sum = self._decay * self._sum + (1 - self._decay) * loss
        self._weight = self._decay * self._weight + (1 - self._decay)
        return self._sum / self._weight


def _is_gap(point: Point) -> bool:
    return point.get("smooth", 0) is None


def whole(path: Path, span: int = SPAN) -> Series:
    series = Series(path, sys.maxsize, span)
    series.read()
    return series


def _row(line: bytes) -> Any:
    try:
        return parse_json(line.decode())
    except ValueError:
        return None


def _finite(value: Any) -> float | None:
    return value if is_number(value) else None
