"""A training that came to its end, whose LoRA was not handed on: the disk was full, or the program was ended then."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.lora import check_trained
from musubi_nodes.families.lora_fits import check_fits
from musubi_nodes.files import write_json
from musubi_nodes.runs.record.folder import RunFolder, run_folders

FINISHED = "finished.json"
"""In a run's folder the ``key`` of what it has finished; written when its LoRA was checked, before it is handed on."""


def note_finished(folder: RunFolder, key: str) -> None:
    """Write the note; where that cannot be done, the LoRA is good all the same."""
    with suppress(OSError):
        write_json(folder.path / FINISHED, {"key": key})


def left_behind(output: Path, key: str, name: str, dit: Path) -> tuple[RunFolder, Path] | None:
    """The newest run that has finished ``key`` and handed nothing on, with its LoRA ``name``, if that is still good."""
    for run in run_folders(output):
        if run.read_json(FINISHED).get("key") == key and not run.status().get("made"):
            with suppress(MusubiError):
                check_trained(run.out / name, run.log)
                check_fits(run.out / name, dit)
                return run, run.out / name
    return None
