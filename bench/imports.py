"""What the pack adds to ComfyUI's start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import ROOT, SOURCES
from bench.common import Row

CODE = """
import time, numpy, PIL.Image, pydantic
start = time.perf_counter()
from musubi_nodes.hosts.comfyui import mappings
classes, _ = mappings()
print(time.perf_counter() - start, len(classes))
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """numpy, PIL and pydantic are there already, as in ComfyUI; the bytecode was written by a start before."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment |= {"PYTHONPATH": os.pathsep.join(SOURCES), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment |= {"MUSUBI_NODES_CONFIG": str(folder / "config.toml"), "MUSUBI_NODES_CACHE": str(folder / "cache")}
    seconds, nodes = [], 0
    for _ in range(3 if quick else 10):
        command = [sys.executable, "-c", CODE]
        told = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        first, second = told.stdout.split()[-2:]
        seconds.append(float(first))
        nodes = int(second)
    yield Row("nodes of all bundled plugins", nodes, "")
    yield Row("import of the pack, first start (bytecode is compiled)", seconds[0], "s")
    yield Row("import of the pack, later starts", median(seconds[1:]), "s", 0.15)
