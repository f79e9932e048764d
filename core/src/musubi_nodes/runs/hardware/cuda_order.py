"""CUDA's order of the GPUs, fastest first, unknown to NVML."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

from musubi_nodes import children
from musubi_nodes.parsing import parse_json

SECONDS = 60.0  # without persistence mode the driver wakes each GPU

_ASK = """
import ctypes, json, os, uuid
cuda = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
count, found = ctypes.c_int(), []
assert cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0
for number in range(count.value):
    device, name = ctypes.c_int(), ctypes.create_string_buffer(16)
    assert cuda.cuDeviceGet(ctypes.byref(device), number) == 0 and cuda.cuDeviceGetUuid(name, device) == 0
    found.append(f"GPU-{uuid.UUID(bytes=name.raw)}")
print(json.dumps(found))
"""


def cuda_order() -> tuple[str, ...]:
    """Return all UUIDs; empty if CUDA doesn't answer."""
    try:
        return _answer()
    except (OSError, ValueError, TypeError, subprocess.SubprocessError):
        return ()


@cache
def _answer() -> tuple[str, ...]:
    deciding = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
    environment = {name: value for name, value in os.environ.items() if name not in deciding}
    done = children.run([sys.executable, "-I", "-c", _ASK], seconds=SECONDS, env=environment)
    return tuple(map(str, parse_json(done.stdout.decode())))


def forget() -> None:
    _answer.cache_clear()
