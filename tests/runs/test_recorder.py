"""How far a run is, as it is kept in its folder."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from musubi_nodes.runs.record import recorder
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.values import PROGRESS


def test_the_last_progress_is_written_although_the_script_says_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(recorder.time, "monotonic", lambda: now[0])
    folder = RunFolder.create(tmp_path, "WanLoRATrainer")
    kept = recorder.Recorder(folder, dict)
    kept.note(Progress("loading"))
    kept.look()
    kept.note(Progress("saving"))
    kept.look()
    assert folder.progress()["stage"] == "loading" and "gpu_use" not in folder.progress()
    now[0] += recorder.SECONDS_BETWEEN
    kept.look()
    assert folder.progress()["stage"] == "saving"


def test_beside_the_progress_it_tells_of_the_gpu(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "WanLoRATrainer")
    kept = recorder.Recorder(folder, lambda: {"gpu_used": 5, "gpu_total": 9, "gpu_use": None})
    kept.note(Progress("loading"))
    kept.look()
    assert {"gpu_used": 5, "gpu_total": 9}.items() <= folder.progress().items()
    assert folder.progress().get("gpu_use") is None


def test_the_page_gets_each_field_of_progress() -> None:
    assert {field.name for field in fields(Progress)} <= PROGRESS.keys()
