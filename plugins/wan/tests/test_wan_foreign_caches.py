"""Caches that this pack knows nothing of: made by hand, of another dataset, or without the note that told of them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import TOML

OWN = f"{TOML}cache_directory = 'own'\n"


def names(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("**/*_wan*.safetensors")}


def notes(folder: Path) -> list[Path]:
    return list(folder.glob("**/.musubi-nodes_*.json"))


def cached_by_hand(place: Any) -> Path:
    """A dataset whose caches lie in a folder of its own, of which no note tells."""
    path: Path = place.dataset(toml=OWN)
    place.caches(path)
    for note in notes(place.folder / "own"):
        note.unlink()
    return path


def remove_p3(place: Any) -> None:
    for ending in (".png", ".txt"):
        (place.folder / "pictures" / f"p3{ending}").unlink()


def enlarge_p1(place: Any) -> None:
    from PIL import Image

    Image.new("RGB", (192, 128)).save(place.folder / "pictures" / "p1.png")


def items_trained(place: Any) -> int:
    log = (place.started()[-1] / "log.txt").read_text("utf-8")
    (count,) = re.findall(r"num train items[^:]*: *(\d+)", log)  # another stream may go on in the same line
    return int(count)


@pytest.mark.parametrize("left", [0, 40], ids=["deleted", "cut off"])
def test_without_its_note_no_cache_of_ours_outlives_its_picture(place: Any, left: int) -> None:
    path = place.dataset()
    place.caches(path)
    cache = place.host.output_folder / "musubi" / "cache"
    for note in notes(cache):
        note.write_bytes(note.read_bytes()[:left]) if left else note.unlink()
    stray = next(cache.glob("**/p3_*x*_wan.safetensors"))
    os.truncate(stray, stray.stat().st_size // 2)
    remove_p3(place)
    enlarge_p1(place)
    caches = place.caches(path)
    latents = {"p0_0096x0064_wan", "p1_0192x0128_wan", "p2_0096x0064_wan"}
    assert names(cache) == latents | {f"p{number}_wan_te" for number in range(3)}
    place.train(caches)
    assert items_trained(place) == 3


def test_what_was_made_by_hand_goes_once_it_is_made_anew_under_another_name(place: Any) -> None:
    path = cached_by_hand(place)
    enlarge_p1(place)
    place.train(place.caches(path))
    assert {"p1_0192x0128_wan"} == {name for name in names(place.folder / "own") if name.startswith("p1_0")}
    assert items_trained(place) == 4


def test_caches_made_by_hand_that_the_script_leaves_alone_are_not_taken_for_new(place: Any) -> None:
    path = cached_by_hand(place)
    before = names(place.folder / "own")
    place.misbehaving("wan_cache_latents.py", "sys.exit(0)")
    with fails("cache-not-replaced", 4, "latent", "p0_"):
        place.caches(path)
    assert names(place.folder / "own") == before


CUT = """
import os
from musubi_tuner.miniature import cache_latents
save = cache_latents.save_item
def ending(path, *rest):
    save(path, *rest)
    if os.path.exists({flag!r}) and "noted" in str(path) and "p2" in str(path):
        os.truncate(path, os.path.getsize(path) // 2)
cache_latents.save_item = ending
"""


def test_beside_caches_made_by_hand_each_file_is_looked_at(place: Any) -> None:
    """Everything is encoded anew then, also what a note calls good."""
    toml = TOML + "cache_directory = 'hand'\n[[datasets]]\nimage_directory = 'other'\ncache_directory = 'noted'\n"
    place.dataset("other")
    path, flag = place.dataset(toml=toml), place.folder / "flag"
    place.misbehaving("wan_cache_latents.py", CUT.format(flag=str(flag)))
    place.caches(path)
    for note in notes(place.folder / "hand"):
        note.unlink()
    shutil.rmtree(place.host.output_folder / "musubi" / "cached")
    flag.touch()
    with fails("cache-damaged", 1, "latent", f"noted{os.sep}p2_"):
        place.caches(path)


def test_two_datasets_in_one_cache_directory_of_the_output_folder_are_told(place: Any) -> None:
    shared = place.host.output_folder / "musubi" / "cache" / "shared"
    toml = f"{TOML}cache_directory = '{shared.as_posix()}'\n"
    place.caches(place.dataset("cats", toml=toml))
    before = names(shared)
    other = place.dataset("dogs", toml=toml)
    for file in list((place.folder / "dogs").iterdir()):
        file.rename(file.with_name(f"dog-{file.name}"))
    with fails("cache-orphaned", 4, "latent", "cache_directory"):
        place.caches(other)
    assert names(shared) == before


LEFT = """
import atexit
from pathlib import Path
note = next(Path({cache!r}).glob("**/.musubi-nodes_wan.json"))
atexit.register(note.with_name("zz_0096x0064_wan.safetensors").write_bytes, b"half")
"""


def test_what_comes_to_lie_there_while_the_script_runs_is_told(place: Any) -> None:
    cache = place.host.output_folder / "musubi" / "cache"
    place.misbehaving("wan_cache_latents.py", LEFT.format(cache=str(cache)))
    path = place.dataset()
    with fails("cache-orphaned", 1, "latent", "zz_"):
        place.caches(path)


@pytest.mark.parametrize("what", ["a file", "a folder that cannot be listed"])
def test_a_cache_directory_that_is_no_folder_to_use_is_one_clear_error(place: Any, what: str) -> None:
    path = place.dataset(toml=OWN)
    own = place.folder / "own"
    if what == "a file":
        own.write_text("x", "utf-8")
    else:
        own.mkdir(mode=0o300)
        if os.access(own, os.R_OK):
            pytest.skip("this user may list every folder")
    try:
        with fails("folder-not-writable", own):
            place.caches(path)
    finally:
        own.chmod(0o700)
    assert not place.started()
