"""Finished trainings whose LoRA could not be published."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.lora import check_trained
from musubi_nodes.families.lora_fits import check_fits
from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder, run_folders

FINISHED = "finished.json"
"""File with the ``key``, written between check and publishing."""


def note_finished(folder: RunFolder, key: str) -> None:
    with suppress(OSError):
        write_json(folder.path / FINISHED, {"key": key})


def find_unpublished(output: Path, key: str, name: str, dit: Path) -> tuple[RunFolder, Path] | None:
    """Return the newest such run with ``key`` and a valid LoRA."""
    for run in run_folders(output):
        if run.read_json(FINISHED).get("key") == key and not run.status().get("made"):
            with suppress(MusubiError):
                check_trained(run.out / name, run.log)
                check_fits(run.out / name, dit)
                return run, run.out / name
    return None
