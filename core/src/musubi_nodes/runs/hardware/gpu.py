"""The NVIDIA driver through NVML; other makers' GPUs are unknown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def nvml() -> Iterator[Any]:
    """Provide pynvml, initialised; ``None`` without a driver."""
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
    """Return why the driver doesn't answer, or ""."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return str(error)
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlShutdown()
    return ""


def memory(gpu: str) -> tuple[int, int] | None:
    """Return free and total bytes, if known."""
    with nvml() as library:
        if library is None:
            return None
        with contextlib.suppress(library.NVMLError, ValueError):
            facts = library.nvmlDeviceGetMemoryInfo(_handle(library, gpu))
            return int(facts.free), int(facts.total)
    return None


def names_in(visible: str) -> list[str]:
    return [name.strip() for name in visible.split(",") if name.strip()]


def _handle(library: Any, gpu: str) -> Any:
    if gpu.isdigit():
        return library.nvmlDeviceGetHandleByIndex(int(gpu))
    return library.nvmlDeviceGetHandleByUUID(gpu.encode())
