"""The disk is full: for a cache file, the LoRA, the log, the run folder, the place where LoRAs are handed on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.lora import lora_of
from musubi_nodes.runs.record.folder import run_folders
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import TOML

FULL = Path("/dev/full")
needs_dev_full = pytest.mark.skipif(os.name == "nt" or not FULL.exists(), reason="needs /dev/full")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of the given size (``64k``)."""
    made: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk{len(made)}"
        folder.mkdir()
        program = shutil.which("mount")
        command = [program or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if program is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("needs the right to mount a small tmpfs")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Write until nothing more goes, then give ``leave`` bytes back."""
    ballast = folder / "ballast"
    with ballast.open("wb", 0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            size = file.tell()
    with ballast.open("r+b") as file:
        file.truncate(max(size - leave, 0))
    return ballast


@pytest.mark.parametrize("leave", [0, 8_192])
def test_a_cache_file_that_does_not_fit(faulty: Any, small_disk: Callable[[str], Path], leave: int) -> None:
    """From "not even the note of what is to be made" to "one cache"."""
    place, disk = faulty(), small_disk("512k")
    place.dataset(toml=f"{TOML}cache_directory = '{disk}'\n")
    ballast = fill(disk, leave)
    with fails("disk-full") as caught:
        place.caches()
    ballast.unlink()
    place.survived(caught.value, log=leave > 0)


@needs_dev_full
def test_a_lora_that_does_not_fit(faulty: Any) -> None:
    place = faulty()

    def occupy(node_id: str, now: Any) -> None:
        for out in place.folder.glob("output/musubi/runs/*Trainer*/out"):
            if not (lora := out / "my_lora.safetensors").is_symlink():
                lora.symlink_to(FULL)

    place.host.progress = occupy
    with fails("disk-full") as caught:
        place.train()
    assert place.published() == []
    del place.host.progress
    place.survived(caught.value)


def test_a_lora_that_cannot_be_handed_on_stays_in_its_run(faulty: Any, small_disk: Callable[[str], Path]) -> None:
    """LoRAs lie on another disk than the runs."""
    place, disk = faulty(), small_disk("512k")
    place.services.config.models["loras"] = [str(disk)]
    ballast = fill(disk)
    with fails("disk-full", disk) as caught:
        place.train()
    assert not list(disk.rglob("*.safetensors"))
    assert place.newest.status()["status"] == "failed"
    assert (place.newest.out / "my_lora.safetensors").is_file()
    ballast.unlink()
    place.survived(caught.value)


@pytest.mark.parametrize("leave", [0, 20_480, 102_400])
def test_the_disk_of_the_output_folder_is_full(faulty: Any, small_disk: Callable[[str], Path], leave: int) -> None:
    """From "not even a run folder" to "the log fits in, but not the rest"."""
    place, disk = faulty("flood=3 wan_train_network.py"), small_disk("4m")
    place.host.output_folder = disk / "output"
    place.train()
    ballast = fill(disk, leave)
    with fails("disk-full") as caught:
        place.train("faulty", train_again=True)
    assert "running" not in [run.status()["status"] for run in run_folders(place.host.output_folder)]
    ballast.unlink()
    place.survived(caught.value, log=False)


def combined(place: Any) -> dict[str, Any]:
    return {"lora": lora_of(place.train().lora.path)}


WITHOUT_A_RUN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "LoRACombiner": combined,
    "DatasetConfigEditor": lambda place: {"source": str(place.dataset().with_suffix(""))},
}
"""Nodes that start no script, and what they need."""


@pytest.mark.parametrize("name", WITHOUT_A_RUN)
def test_a_node_without_a_script_meets_a_full_disk(
    faulty: Any, small_disk: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    place, disk = faulty(), small_disk("1m")
    given = WITHOUT_A_RUN[name](place)
    place.host.output_folder, before = disk / "output", place.host.output_folder
    place.services.config.models["loras"] = [str(disk)]
    place.host.output_folder.mkdir()
    ballast = fill(disk)
    with fails("disk-full", disk):
        place.run(name, **given)
    assert [path for path in disk.rglob("*") if path.is_file()] == [ballast]
    ballast.unlink()
    place.run(name, **given)
    place.host.output_folder = before
