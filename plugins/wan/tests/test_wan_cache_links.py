"""Caches are written through no link, and into no other dataset's folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import TOML

OWN = f"{TOML}cache_directory = 'own'\n"
LATENT, TEXT = "p0_0096x0064_wan.safetensors", "p0_wan_te.safetensors"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")


@pytest.fixture
def precious(place: Any) -> Path:
    path: Path = place.folder / "precious.txt"
    path.write_text("years of work", "utf-8")
    return path


def kept(precious: Path, *caches: Path) -> None:
    assert precious.read_text("utf-8") == "years of work"
    assert all(path.is_file() and not path.is_symlink() for path in caches)


@pytest.mark.parametrize("name", [LATENT, TEXT])
def test_a_link_in_a_folder_of_the_users_own_is_not_written_through(place: Any, precious: Path, name: str) -> None:
    path, folder = place.dataset(toml=OWN), place.folder / "own"
    folder.mkdir()
    (folder / name).symlink_to(precious)
    assert place.train(place.caches(path)).lora
    kept(precious, folder / LATENT, folder / TEXT)


@pytest.mark.parametrize("name", [LATENT, TEXT])
def test_a_link_that_replaced_a_cache_is_not_written_through(place: Any, precious: Path, name: str) -> None:
    path, folder = place.dataset(toml=OWN), place.folder / "own"
    place.caches(path)
    (folder / name).unlink()
    (folder / name).symlink_to(precious)
    place.caches(path)
    kept(precious, folder / LATENT, folder / TEXT)


def test_a_link_to_a_whole_cache_is_not_taken_for_one(place: Any) -> None:
    """An interrupted caching keeps what is whole, and a script of two encoders adds to it."""
    path, folder = place.dataset(toml=OWN), place.folder / "own"
    place.caches(path)
    outside = (folder / LATENT).rename(place.folder / "outside.safetensors")
    before = outside.read_bytes()
    (folder / LATENT).symlink_to(outside)
    note = folder / ".musubi-nodes_wan.json"
    note.write_text(note.read_text("utf-8").replace("true", "false"), "utf-8")
    shutil.rmtree(place.host.output_folder / "musubi" / "cached")
    place.caches(path)
    assert outside.read_bytes() == before and not (folder / LATENT).is_symlink()


def test_links_to_nothing_make_nothing(place: Any) -> None:
    path, folder = place.dataset(toml=OWN), place.folder / "own"
    folder.mkdir()
    for name in (LATENT, TEXT):
        (folder / name).symlink_to(place.folder / f"new-{name}")
    place.caches(path)
    assert not list(place.folder.glob("new-*")) and not (folder / LATENT).is_symlink()


def test_a_link_that_no_script_writes_stays(place: Any, precious: Path) -> None:
    path, folder = place.dataset(toml=OWN), place.folder / "own"
    folder.mkdir()
    (folder / "notes.txt").symlink_to(precious)
    place.caches(path)
    assert (folder / "notes.txt").is_symlink()


def test_a_cache_folder_may_be_a_link(place: Any) -> None:
    """Caches are large, and another drive has room."""
    path, drive = place.dataset(toml=OWN), place.folder / "drive"
    drive.mkdir()
    (place.folder / "own").symlink_to(drive, target_is_directory=True)
    assert place.train(place.caches(path)).lora
    assert (drive / LATENT).is_file()


def states(folder: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in folder.iterdir()}


@pytest.mark.parametrize("family", ["latent", "text"])
def test_another_dataset_with_the_same_names_is_refused_before_anything_starts(place: Any, family: str) -> None:
    place.caches(place.dataset("cats", toml=OWN))
    before, other = states(place.folder / "own"), place.dataset("dogs", toml=OWN)
    place.forget()
    node = {"latent": "WanLatentCache", "text": "WanTextEncoderCache"}[family]
    with fails("cache-folder-shared", place.folder / "cats", place.folder / "own"):
        place.run(node, dataset=place.load(other), models=place.models())
    assert not place.started_since() and states(place.folder / "own") == before


def test_within_one_toml_too(place: Any) -> None:
    place.dataset("dogs")
    both = OWN + "[[datasets]]\nimage_directory = 'dogs'\ncache_directory = './own/../own'\n"
    with fails("cache-folder-shared", place.folder / "own"):
        place.load(place.dataset("cats", toml=both))


def test_a_dataset_that_was_moved_keeps_its_caches(place: Any) -> None:
    place.caches(place.dataset("cats", toml=OWN))
    (place.folder / "cats").rename(place.folder / "felines")
    path = place.folder / "felines.toml"
    path.write_text(OWN.replace("{folder}", str(place.folder / "felines")), "utf-8")
    place.forget()
    place.caches(path)
    assert not place.started_since()


def test_the_same_dataset_by_another_spelling_keeps_its_caches(place: Any) -> None:
    place.caches(place.dataset("cats", toml=OWN))
    (place.folder / "again").symlink_to(place.folder / "cats", target_is_directory=True)
    path = place.folder / "again.toml"
    path.write_text(OWN.replace("{folder}", str(place.folder / "again")), "utf-8")
    place.forget()
    place.caches(path)
    assert not place.started_since()


def test_a_folder_whose_dataset_was_emptied_may_be_taken_over(place: Any) -> None:
    place.caches(place.dataset("cats", toml=OWN))
    for file in list((place.folder / "cats").iterdir()):
        file.unlink()
    assert place.train(place.caches(place.dataset("dogs", toml=OWN))).lora
