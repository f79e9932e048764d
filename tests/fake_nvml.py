"""A library that answers as pynvml does, for machines without a GPU. It stands in for the driver only: what reads it is
the real code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

GIB = 1 << 30


@dataclass
class FakeGpu:
    """``compute`` and ``graphics``: GiB by process, ``None`` as on WDDM. ``refuses``: questions that it does not
    support, by the end of their names (``Temperature``)."""

    used: float = 1.0
    total: float = 24.0
    use: int = 0
    temperature: int = 40
    watts: float = 30.0
    reasons: int = 0
    compute: Mapping[int, float | None] = field(default_factory=dict)
    graphics: Mapping[int, float | None] = field(default_factory=dict)
    name: Any = "NVIDIA GeForce RTX 4090"
    uuid: str = ""
    refuses: tuple[str, ...] = ()


class FakeNvml:
    """The functions and names of pynvml that are used. Each GPU's handle is itself."""

    NVML_TEMPERATURE_GPU = 0
    nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40

    class NVMLError(Exception):
        """As NVMLError_NotSupported."""

    def __init__(self, *gpus: FakeGpu) -> None:
        self.gpus = gpus

    @contextlib.contextmanager
    def opened(self) -> Iterator[FakeNvml]:
        """As ``gpu.nvml``."""
        yield self

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> FakeGpu:
        self._answer(self.gpus[number], "Handle", None)
        return self.gpus[number]

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "UUID", gpu.uuid or f"GPU-{self.gpus.index(gpu)}")

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "Name", gpu.name)

    def nvmlDeviceGetMemoryInfo(self, gpu: FakeGpu) -> Any:
        used, total = round(gpu.used * GIB), round(gpu.total * GIB)
        return self._answer(gpu, "MemoryInfo", SimpleNamespace(used=used, total=total, free=total - used))

    def nvmlDeviceGetUtilizationRates(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "UtilizationRates", SimpleNamespace(gpu=gpu.use, memory=0))

    def nvmlDeviceGetTemperature(self, gpu: FakeGpu, sensor: int) -> Any:
        return self._answer(gpu, "Temperature", gpu.temperature)

    def nvmlDeviceGetPowerUsage(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "PowerUsage", round(gpu.watts * 1000))

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "EnforcedPowerLimit", 450_000)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "CurrentClocksThrottleReasons", gpu.reasons)

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "ComputeRunningProcesses", _processes(gpu.compute))

    def nvmlDeviceGetGraphicsRunningProcesses(self, gpu: FakeGpu) -> Any:
        return self._answer(gpu, "GraphicsRunningProcesses", _processes(gpu.graphics))

    def _answer(self, gpu: FakeGpu, question: str, answer: Any) -> Any:
        if question in gpu.refuses:
            raise self.NVMLError("Not Supported")
        return answer


def _processes(held: Mapping[int, float | None]) -> list[Any]:
    return [
        SimpleNamespace(pid=pid, usedGpuMemory=None if gib is None else round(gib * GIB)) for pid, gib in held.items()
    ]
