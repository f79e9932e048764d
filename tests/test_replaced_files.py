"""A file that is replaced by another of the same size and time is another one, wherever the question is asked."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from musubi_nodes import files
from musubi_nodes.commands.code import code_of
from musubi_nodes.datasets.config.schema import effective
from musubi_nodes.datasets.config.toml import parse
from musubi_nodes.datasets.files.folder_state import FolderState
from musubi_nodes.datasets.scan.fingerprint import fingerprint, source_hashes
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.families.result_key import key_of
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.files import FileStamp
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.install import Install

timed = pytest.mark.skipif(not files.CHANGES_ARE_TIMED, reason="this system does not tell when a file was changed")
LARGE = 40 << 20
"""Bytes of a file of which not all is read."""


def replace(path: Path, data: bytes) -> None:
    """As ``rsync -t``, ``mv`` and a restored backup do."""
    before = path.stat()
    assert len(data) == before.st_size and data != path.read_bytes()
    beside = path.with_name(".new")
    beside.write_bytes(data)
    os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))
    beside.replace(path)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def weights(folder: Path) -> Path:
    return _written(folder / "weights.safetensors", b"one")


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _beside(path: Path, name: str) -> Path:
    other = path.with_name(name)
    return other if other.exists() else _written(other, b"first")


def _picture(path: Path, color: str = "#102030") -> Path:
    Image.new("RGB", (48, 32), color).save(path, format="BMP")
    return path


def _dataset(folder: Path, of: Callable[..., str]) -> str:
    table = {"image_directory": str(folder), "cache_directory": str(folder / "cache"), "resolution": 64}
    config = parse({"datasets": [table | {"caption_extension": ".txt"}]}, base=folder)
    found = scan(config)
    return fingerprint(config, found) if of is fingerprint else str(_hashes(found.datasets[0], effective(config)[0]))


def _hashes(*given: object) -> dict[str, str]:
    return source_hashes(*given, frozenset({"media"}), "vae")  # type: ignore[arg-type]


def _code(script: Path) -> str:
    return code_of(Install("small", script.parent, Path(sys.executable)), script)


ASKED: dict[str, tuple[str, bytes, bytes, Callable[[Path], object]]] = {
    "an option's file": ("a.safetensors", b"one", b"two", key_of),
    "a file on a socket": ("a.safetensors", b"one", b"two", lambda path: key_of([path])),
    "another part of a split model": (
        "a-00002-of-00002.safetensors", b"one", b"two",
        lambda path: key_of(_beside(path, "a-00001-of-00002.safetensors")),
    ),
    "a script's code": ("a.py", b"a = 1", b"a = 2", _code),
    "a folder of caches": ("a_wan.safetensors", b"one", b"two", lambda path: FolderState.of([path.parent])),
}  # fmt: skip


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=timed if row == "a folder of caches" else ()) for row in ASKED]
)
def test_another_file_of_the_same_size_and_time_is_another_one(row: str, tmp_path: Path) -> None:
    name, before, after, ask = ASKED[row]
    path = _written(tmp_path / name, before)
    first = ask(path)
    assert ask(path) == first
    replace(path, after)
    assert ask(path) != first


@timed
@pytest.mark.parametrize("of", [fingerprint, source_hashes])
def test_another_picture_of_the_same_size_and_time_is_another_one(of: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    path, other = _picture(tmp_path / "a.bmp"), _picture(tmp_path / "a.png.new", "#302010")
    first = _dataset(tmp_path, of)
    replace(path, other.read_bytes())
    assert _dataset(tmp_path, of) != first


def test_a_replaced_result_is_not_handed_on(tmp_path: Path) -> None:
    made = _written(tmp_path / "video.mp4", b"one")
    records = ResultStore(tmp_path, "generated")
    records.keep("key", [made])
    assert records.find("key") == (made,)
    replace(made, b"two")
    assert records.find("key") == ()


@timed
def test_a_replaced_video_is_looked_at_again(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (48, 32), color) for color in ("#102030", "#302010", "#203010")]
    path, other = tmp_path / "a.gif", tmp_path / "b.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    pictures[0].save(other, save_all=True, append_images=pictures[1:2], duration=100)
    other.write_bytes(other.read_bytes().ljust(path.stat().st_size, b"\0"))
    assert probe(path).frames == 3
    replace(path, other.read_bytes())
    assert probe(path).frames == 2


@pytest.mark.parametrize("place", [0, LARGE // 2, LARGE - 1])
def test_of_a_large_file_its_ends_and_pieces_between_count(place: int, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(LARGE)
    first = FileStamp.lasting(path)
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(min(place, LARGE - LARGE // 8))
        file.write(b"x" * (LARGE // 8))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert FileStamp.lasting(path) != first


def test_what_lasts_is_the_same_for_a_copy_with_its_time(tmp_path: Path) -> None:
    path = weights(tmp_path)
    copy = Path(shutil.copy2(path, tmp_path / "copy"))
    first = FileStamp.lasting(path)
    path.chmod(0o600)
    assert FileStamp.lasting(path) == FileStamp.lasting(copy) == first


@timed
def test_where_the_system_does_not_time_changes_the_content_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = weights(tmp_path)
    assert not FileStamp.of(path).content
    monkeypatch.setattr(files, "CHANGES_ARE_TIMED", False)
    first = FileStamp.of(path)
    replace(path, b"two")
    assert first.content != FileStamp.of(path).content


def test_a_file_is_another_one_also_within_one_tick_of_the_clock(tmp_path: Path) -> None:
    path = weights(tmp_path)
    facts = path.stat()
    other = os.stat_result((*facts[:1], facts.st_ino + 1, *facts[2:]), {"st_mtime_ns": facts.st_mtime_ns})
    assert FileStamp.of(facts)[:2] == FileStamp.of(other)[:2] and FileStamp.of(facts) != FileStamp.of(other)
