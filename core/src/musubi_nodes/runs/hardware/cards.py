"""Queries to NVML; values that the driver can't provide are ``None``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Card:
    """One GPU in bytes, percent, degrees Celsius and watts.

    ``held``: bytes by process, each ``None`` under WDDM (Windows).
    """

    number: int
    uuid: str = ""
    name: str = "a GPU that does not answer"
    used: int | None = None
    total: int | None = None
    use: int | None = None
    temperature: int | None = None
    power: float | None = None
    power_limit: float | None = None
    hot: bool | None = None
    held: Mapping[int, int | None] | None = None

    @property
    def free(self) -> int | None:
        return None if self.used is None or self.total is None else self.total - self.used

    def held_by(self, pids: Collection[int]) -> int | None:
        found = [held for pid, held in (self.held or {}).items() if pid in pids and held is not None]
        return sum(found) if found else None

    def is_called(self, name: str) -> bool:
        """Whether CUDA_VISIBLE_DEVICES means this card by ``name``."""
        return name == str(self.number) or (bool(self.uuid) and name == self.uuid)


def cards(library: Any) -> list[Card]:
    if library is None:
        return []
    return [_card(library, number) for number in range(_query(library, "nvmlDeviceGetCount") or 0)]


def held(library: Any, handle: Any) -> dict[int, int | None] | None:
    """Return bytes by process; NVML may list one twice."""
    lists = [_query(library, f"nvmlDeviceGet{kind}RunningProcesses", handle) for kind in ("Compute", "Graphics")]
    if all(found is None for found in lists):
        return None
    by_pid: dict[int, int | None] = {}
    for process in (process for found in lists for process in found or ()):
        known = [figure for figure in (by_pid.get(process.pid), process.usedGpuMemory) if figure is not None]
        by_pid[int(process.pid)] = max(map(int, known), default=None)
    return by_pid


def _card(library: Any, number: int) -> Card:
    handle = _query(library, "nvmlDeviceGetHandleByIndex", number)
    if handle is None:  # lost or not permitted
        return Card(number)

    def query(name: str, *arguments: Any) -> Any:
        return _query(library, f"nvmlDeviceGet{name}", handle, *arguments)

    memory, rates = query("MemoryInfo"), query("UtilizationRates")
    return Card(
        number,
        _text(query("UUID")),
        _text(query("Name")) or "NVIDIA GPU",
        used=int(memory.total - memory.free) if memory else None,
        total=int(memory.total) if memory else None,
        use=int(rates.gpu) if rates else None,
        temperature=query("Temperature", library.NVML_TEMPERATURE_GPU),
        power=_watts(query("PowerUsage")),
        power_limit=_watts(query("EnforcedPowerLimit")),
        hot=_hot(library, query("CurrentClocksThrottleReasons")),
        held=held(library, handle),
    )


def _query(library: Any, name: str, *arguments: Any) -> Any:
    try:
        return getattr(library, name)(*arguments)
    except library.NVMLError:
        return None


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")


def _watts(milliwatts: Any) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _hot(library: Any, reasons: Any) -> bool | None:
    if reasons is None:
        return None
    heat = library.nvmlClocksThrottleReasonSwThermalSlowdown | library.nvmlClocksThrottleReasonHwThermalSlowdown
    return bool(reasons & heat)
