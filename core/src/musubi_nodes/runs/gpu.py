"""GPU memory through NVML: what is free, and what a process tree holds. Without an NVIDIA GPU nothing is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any


@contextlib.contextmanager
def nvml() -> Iterator[Any]:
    """The pynvml module, initialised; ``None`` where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def present() -> bool:
    """Whether there is an NVIDIA driver to ask."""
    with nvml() as library:
        return library is not None


def memory(gpu: str) -> tuple[int, int] | None:
    """Free and total bytes of a GPU (its number or UUID, as CUDA_VISIBLE_DEVICES names it); ``None``: not known."""
    with nvml() as library:
        if library is None:
            return None
        with contextlib.suppress(library.NVMLError, ValueError):
            facts = library.nvmlDeviceGetMemoryInfo(_handle(library, gpu))
            return int(facts.free), int(facts.total)
    return None


def held_by(pids: Iterable[int]) -> int | None:
    """Bytes that these processes hold on the GPU where they hold most; ``None``: not known (no GPU, or WDDM)."""
    wanted = set(pids)
    with nvml() as library:
        if library is None:
            return None
        found: list[int] = []
        for number in range(library.nvmlDeviceGetCount()):
            with contextlib.suppress(library.NVMLError):
                processes = library.nvmlDeviceGetComputeRunningProcesses(library.nvmlDeviceGetHandleByIndex(number))
                held = [int(p.usedGpuMemory) for p in processes if p.pid in wanted and p.usedGpuMemory is not None]
                found += [sum(held)] if held else []
    return max(found, default=None)


def _handle(library: Any, gpu: str) -> Any:
    if gpu.isdigit():
        return library.nvmlDeviceGetHandleByIndex(int(gpu))
    return library.nvmlDeviceGetHandleByUUID(gpu.encode())
