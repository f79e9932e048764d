"""What the pack adds to ComfyUI's start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import ROOT, SOURCES
from bench.common import Row, told

CODE = """
import time
begun = time.perf_counter()
import numpy, PIL.Image, pydantic
given = time.perf_counter() - begun
start = time.perf_counter()
from musubi_nodes.hosts.comfyui import mappings
classes, _ = mappings()
begun = time.perf_counter()
classes["MusubiTuner_TrainingConfig"].INPUT_TYPES()
print(given, begun - start, time.perf_counter() - begun, len(classes))
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """numpy, PIL and pydantic are there already, as in ComfyUI; the bytecode was written by a start before."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment |= {"PYTHONPATH": os.pathsep.join(SOURCES), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment |= {"MUSUBI_NODES_CONFIG": str(folder / "config.toml"), "MUSUBI_NODES_CACHE": str(folder / "cache")}
    given: list[float] = []
    seconds: list[float] = []
    asked: list[float] = []
    nodes = 0
    for _ in range(3 if quick else 10):
        command = [sys.executable, "-c", CODE]
        made = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        *times, count = made.stdout.split()[-4:]
        for found, value in zip((given, seconds, asked), times, strict=True):
            found.append(float(value))
        nodes = int(count)
    yield Row("nodes of all bundled plugins", nodes, "")
    yield Row("import of the pack, first start (bytecode is compiled)", seconds[0], "s")
    anchor = f"{told(median(given[1:]), 's')}, numpy, PIL, pydantic"
    yield Row("import of the pack, later starts", median(seconds[1:]), "s", 0.15, anchor)
    yield Row("loading the plugins when the page first asks", median(asked[1:]), "s")
