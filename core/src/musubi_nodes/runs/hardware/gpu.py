"""The NVIDIA driver through NVML: whether it answers, and what is free. Other makers' GPUs are not known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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


def refusal() -> str:
    """Why the driver does not answer, in NVML's words; empty where it does."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return str(error)
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlShutdown()
    return ""


def memory(gpu: str) -> tuple[int, int] | None:
    """Free and total bytes of a GPU (its number or UUID, as CUDA_VISIBLE_DEVICES names it); ``None``: not known."""
    with nvml() as library:
        if library is None:
            return None
        with contextlib.suppress(library.NVMLError, ValueError):
            facts = library.nvmlDeviceGetMemoryInfo(_handle(library, gpu))
            return int(facts.free), int(facts.total)
    return None


def names_in(visible: str) -> list[str]:
    """The GPUs that a run's CUDA_VISIBLE_DEVICES names."""
    return [name.strip() for name in visible.split(",") if name.strip()]


def _handle(library: Any, gpu: str) -> Any:
    if gpu.isdigit():
        return library.nvmlDeviceGetHandleByIndex(int(gpu))
    return library.nvmlDeviceGetHandleByUUID(gpu.encode())
