"""Run folders as a training leaves them, so that a page can be tested without waiting for one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image
from tests.moving import moving, written

from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder, Status
from musubi_nodes.runs.record.heartbeat import this_host


def made_run(output: Path, status: Status = "done", rows: Iterable[dict[str, Any]] = (), **progress: Any) -> RunFolder:
    """A training with these rows of metrics and this progress; one that runs does so in this process."""
    folder = RunFolder.create(output, "WanLoRATrainer")
    add_rows(folder, rows)
    if progress:
        write_json(folder.path / "progress.json", progress)
    folder.write_status(status, **(this_host() if status == "running" else {}))
    return folder


def add_rows(folder: RunFolder, rows: Iterable[dict[str, Any]]) -> None:
    """More metrics."""
    with folder.metrics.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def add_samples(folder: RunFolder, count: int, video: int | None = None) -> None:
    """Samples after steps 1, 2, 3 ...; number ``video`` of them moves."""
    (folder.path / "prompts.json").write_text("[]")
    folder.samples.mkdir()
    for number in range(1, count + 1):
        file = folder.samples / f"lora_{number:06d}_00_20260101000000.{'webm' if number == video else 'png'}"
        if number == video:
            written(folder.path / "video", moving(8), "webm-vp9").rename(file)
        else:
            Image.new("RGB", (64, 48), (number, 90, 120)).save(file)
        os.utime(file, (number, number))
