"""Measured memory of earlier runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from musubi_nodes.families.memory.footprint import GIB, Shape, total
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.settings import Memory
from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder, run_folders

LOOKED_AT = 300
NAME = "memory.json"


def record_estimate(folder: RunFolder, family: str, size: DitSize, shape: Shape, memory: Memory) -> None:
    facts = {"family": family, "size": size.name, "shape": asdict(shape), "estimate": total(size, shape, memory)}
    write_json(folder.path / NAME, facts)


def correction(output: Path, family: str, size: DitSize, shape: Shape) -> float:
    """Return peak / estimate of the newest such run, or 1."""
    wanted = json.loads(json.dumps({"family": family, "size": size.name, "shape": asdict(shape)}))
    for facts, peak in _measured(output):
        if wanted.items() <= facts.items():
            return float(peak / GIB / facts["estimate"])
    return 1.0


def _measured(output: Path) -> Iterator[tuple[dict[str, Any], int]]:
    for folder in islice(run_folders(output), LOOKED_AT):
        facts, status = folder.read_json(NAME), folder.status()
        peak = status.get("peak_gpu_bytes")
        if status["status"] in ("done", "stopped") and isinstance(peak, int) and facts.get("estimate"):
            yield facts, peak
