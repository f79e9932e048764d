"""The machine that a table was measured on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import psutil


def machine() -> str:
    """``2 cores of Intel(R) Xeon(R) 2.20GHz, 24 GB, Linux, Python 3.11.7, load 0.1``"""
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {_processor()}, {_memory():.0f} GB, {system}, load {psutil.getloadavg()[0]:.1f}"


def _memory() -> float:
    return psutil.virtual_memory().total / 1e9


def _processor() -> str:
    """Only Linux keeps the name where Python does not look."""
    told = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", told.read_text(), re.MULTILINE) if told.is_file() else None
    return found[1] if found else platform.processor() or platform.machine()
