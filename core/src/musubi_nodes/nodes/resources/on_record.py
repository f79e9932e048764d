"""Values for the advice on a run's history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from musubi_nodes.nodes.resources.facts import Facts, gib_of
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.series import whole


@dataclass(frozen=True)
class OnRecord:
    facts: Facts
    folder: RunFolder

    @property
    def name(self) -> str:
        return self.folder.path.name

    @property
    def over(self) -> bool:
        return all(run.name != self.name for run in self.facts.runs)

    @property
    def gpu_share(self) -> float:
        return self._most("gpu_used", "gpu_total")[2]

    @property
    def gpu(self) -> str:
        used, total, _ = self._most("gpu_used", "gpu_total")
        return gib_of(used, total)

    @property
    def ram_share(self) -> float:
        return self._most("ram_used", "ram_total")[2]

    @property
    def ram(self) -> str:
        used, total, _ = self._most("ram_used", "ram_total")
        return gib_of(used, total)

    @property
    def swapped(self) -> int:
        words = self.folder.read_json("command.json").get("command")
        found = [str(word) for word in words or () if str(word).startswith("--blocks_to_swap=")]
        value = found[-1].partition("=")[2] if found else ""
        return int(value) if value.isdecimal() else 0

    @cached_property
    def use(self) -> float | None:
        """Average percentage while training; ``None`` with too few readings."""
        times = [point["time"] for point in whole(self.folder.metrics).points() if point.get("time")]
        uses = [
            row["gpu_use"]
            for row in self.facts.rows
            if "gpu_use" in row and times and times[0] <= row.get("time", 0) <= times[-1]
        ]
        return fmean(uses) if len(uses) >= 5 else None

    def _most(self, used: str, total: str) -> tuple[float, float, float]:
        """Return used, total and share of the peak."""
        told = [(row[used], row[total]) for row in self.facts.rows if used in row and row.get(total)]
        return max(((*each, each[0] / each[1]) for each in told), key=lambda each: each[2], default=(0, 0, 0.0))
