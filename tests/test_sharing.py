"""Files that another program holds open for a moment, as scanners, backups and players do on Windows."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.held_files import HeldFiles, held_files

from musubi_nodes import sharing
from musubi_nodes.files import publish, publish_folder, read_json, write_json
from musubi_nodes.runs import locks
from musubi_nodes.runs.record.folder import RunFolder

CORE = Path(sharing.__file__).parent
MOST = round(sharing.SECONDS / sharing.PAUSE)
"""Pauses until the use of a held file fails."""


@pytest.fixture
def held() -> Iterator[HeldFiles]:
    with held_files() as files:
        yield files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


USES: dict[str, Callable[[Path], object]] = {
    "write": lambda path: write_json(path, {"step": 2}),
    "remove": sharing.remove,
    "read": lambda path: read_json(path)["step"],
    "copy": lambda path: publish(path, path.parent / "there", "a.json"),
}


@pytest.mark.parametrize("use", USES)
def test_a_file_that_is_held_for_less_than_two_seconds_is_used_a_little_later(
    tmp_path: Path, held: HeldFiles, use: str
) -> None:
    path = write_json(tmp_path / "a.json", {"step": 1})
    held.hold(path, MOST - 1)
    USES[use](path)
    assert held.pauses == MOST - 1
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


@pytest.mark.parametrize("use", ["write", "remove", "copy"])
def test_a_file_that_is_held_for_longer_is_an_error_and_leaves_nothing(
    tmp_path: Path, held: HeldFiles, use: str
) -> None:
    path = write_json(tmp_path / "a.json", {"step": 1})
    held.hold(path)
    with pytest.raises(PermissionError):
        USES[use](path)
    assert held.pauses == MOST
    held.release()
    assert read_json(path) == {"step": 1}
    assert not list(tmp_path.rglob("*.part"))


def test_only_windows_reports_a_held_file_like_a_missing_right(
    held: HeldFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied() -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(sharing, "REFUSES", False)
    with pytest.raises(PermissionError):
        sharing.retried(denied)
    assert held.pauses == 0


@pytest.mark.parametrize("pauses", [3, 10 * MOST], ids=["for a moment", "for long"])
@pytest.mark.parametrize("readable", [True, False], ids=["player", "scanner"])
def test_what_is_moved_while_somebody_holds_it_is_published_whole(
    tmp_path: Path, held: HeldFiles, pauses: float, readable: bool
) -> None:
    source = tmp_path / "made.mp4"
    source.write_bytes(b"video")
    held.hold(source, pauses, readable=readable)
    assert publish(source, tmp_path / "out", "a.mp4", move=True).name == "a.mp4"
    assert names(tmp_path / "out") == ["a.mp4"] and source.exists() == (pauses > MOST)
    held.release()
    assert (tmp_path / "out" / "a.mp4").read_bytes() == b"video"


def test_pictures_that_somebody_looks_at_are_published_all_the_same(tmp_path: Path, held: HeldFiles) -> None:
    made = [tmp_path / f"x_{number}.png" for number in range(3)]
    for path in made:
        path.write_bytes(path.name.encode())
    held.hold(made[1], readable=True)
    published = publish_folder(made, tmp_path / "out", "v1.5")
    assert [path.name for path in published] == ["v1.5_0.png", "v1.5_1.png", "v1.5_2.png"]
    assert names(tmp_path / "out" / "v1.5") == [path.name for path in published]


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    for move, expected in ((True, "a.b.txt"), (False, "a.b-2.txt"), (True, "a.b-3.txt")):
        source = tmp_path / "source"
        source.write_text(expected)
        target = publish(source, tmp_path / "out", "a.b.txt", move=move)
        assert (target.name, target.read_text(), source.exists()) == (expected, expected, not move)


def test_a_disk_without_hard_links_takes_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")  # as FAT and some network drives do

    monkeypatch.setattr(os, "link", refuse)
    for expected in ("a.txt", "a-2.txt"):
        (tmp_path / "source").write_text(expected)
        assert publish(tmp_path / "source", tmp_path / "out", "a.txt", move=True).name == expected
    assert names(tmp_path / "out") == ["a-2.txt", "a.txt"] and not (tmp_path / "source").exists()


def test_a_reader_whose_lock_is_being_probed_ends_well(tmp_path: Path, held: HeldFiles) -> None:
    """Who waits to write opens each reader's lock file."""
    with locks.reading(tmp_path / "caches.lock", lambda: None):
        (own,) = tmp_path.glob("caches-*.lock")
        held.hold(own, readable=True)
    held.release()
    with locks.writing(tmp_path / "caches.lock", lambda: None):
        pass
    assert not list(tmp_path.glob("caches-*"))


@pytest.mark.parametrize("readable", [True, False])
def test_a_status_that_cannot_be_read_is_not_replaced_by_less(tmp_path: Path, held: HeldFiles, readable: bool) -> None:
    run = RunFolder.create(tmp_path, "node")
    run.write_status("done")
    held.hold(run.path / "status.json", readable=readable)
    run.note_made("musubi/cat.safetensors")
    held.release()
    assert run.status()["status"] == "done"


def test_a_folder_that_somebody_looks_into_is_emptied_as_far_as_possible(tmp_path: Path, held: HeldFiles) -> None:
    with sharing.scratch_folder(tmp_path, ".work-") as folder:
        for name in ("a", "b", "c"):
            (folder / name).write_text(name)
        held.hold(folder / "b")
    assert names(folder) == ["b"]


def _starts(file: Path) -> Iterator[str]:
    """Each ``subprocess.run`` and its like in a file."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in STARTERS:
                yield name


STARTERS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output", "getoutput")} | {
    f"os.{name}" for name in ("system", "popen", "startfile", "spawnv", "spawnve", "posix_spawn")
}
GUARDS = {f"runs/process/{name}.py" for name in ("guard", "guard_windows")}
"""They import nothing of this project."""


def test_programs_are_started_in_one_place_which_opens_no_console_window() -> None:
    starting = {file.relative_to(CORE).as_posix() for file in CORE.rglob("*.py") if any(_starts(file))}
    assert starting == {"children.py", *GUARDS}
    plugins = [*CORE.parents[2].glob("plugins/*/src/*/*.py")]
    assert plugins and not [file for file in plugins if any(_starts(file))]


def _removals(file: Path) -> set[str]:
    """Renames and removals of single files that are not repeated."""
    text = file.read_text("utf-8")
    return {name for name in ("os.replace(", "os.rename(", ".unlink(", "os.remove(", "shutil.move(") if name in text}


def test_files_are_renamed_and_removed_in_one_place_which_repeats_it() -> None:
    found = {file.relative_to(CORE).as_posix() for file in CORE.rglob("*.py") if _removals(file)}
    assert found - {f"testing/{name}.py" for name in ("workplace",)} == {"sharing.py", *GUARDS}
