"""What was found in a dataset is kept while its files stay the same, and not a moment longer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.context import Context
from musubi_nodes.files import CHANGES_ARE_TIMED
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

OLD = 1_700_000_000


@pytest.fixture
def place(tmp_path: Path, musubi_surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path / "cache"))
    return Workplace(tmp_path)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each whole look at a dataset."""
    from musubi_nodes.nodes.datasets import loader

    found: list[Any] = []
    scan = loader.scan
    monkeypatch.setattr(loader, "scan", lambda config: (found.append(config), scan(config))[1])
    return found


def settle(folder: Path) -> None:
    """The files were written long ago."""
    for file in folder.iterdir():
        os.utime(file, (OLD, OLD))


timed = pytest.mark.skipif(
    not CHANGES_ARE_TIMED, reason="this system does not tell when a file was changed, so that all are read each time"
)


@timed
def test_an_unchanged_dataset_is_looked_through_once_also_after_a_restart(place: Workplace, looks: list[Any]) -> None:
    path = place.dataset()
    settle(place.folder / "pictures")
    first = place.run("DatasetConfigLoader", path=str(path))
    again = Workplace(place.folder).run("DatasetConfigLoader", path=str(path))
    assert len(looks) == 1
    assert again.summary == first.summary and again.dataset.fingerprint == first.dataset.fingerprint


def caption(folder: Path) -> None:
    (folder / "p1.txt").write_text("b square, number 1", "utf-8")  # as long as before


def caption_with_its_old_time(folder: Path) -> None:
    """As rsync -t, unzip and touch -r leave it."""
    time = (folder / "p1.txt").stat().st_mtime_ns
    caption(folder)
    os.utime(folder / "p1.txt", ns=(time, time))


def renamed(folder: Path) -> None:
    (folder / "p1.png").rename(folder / "q1.png")
    (folder / "p1.txt").rename(folder / "q1.txt")


def swapped(folder: Path) -> None:
    for one, other in (("p1.png", "x"), ("p2.png", "p1.png"), ("x", "p2.png")):
        (folder / one).rename(folder / other)


def removed(folder: Path) -> None:
    for name in ("p3.png", "p3.txt"):
        (folder / name).unlink()


def subfolder(folder: Path) -> None:
    (folder / "more").mkdir()
    shutil.copy2(folder / "p0.png", folder / "more")


CHANGES: dict[str, Callable[[Path], None]] = {
    "a caption of the same length": caption,
    "a caption of the same length and time": caption_with_its_old_time,
    "an item renamed": renamed,
    "two pictures swapped": swapped,
    "an item less": removed,
    "a subfolder with pictures": subfolder,
}


@pytest.mark.parametrize("row", CHANGES)
def test_what_changes_is_seen(place: Workplace, row: str) -> None:
    path = place.dataset()
    settle(place.folder / "pictures")
    for number, file in enumerate(sorted((place.folder / "pictures").iterdir())):
        os.utime(file, (OLD + number, OLD + number))
    first = place.run("DatasetConfigLoader", path=str(path))
    CHANGES[row](place.folder / "pictures")
    again = place.run("DatasetConfigLoader", path=str(path))
    assert (again.summary, again.dataset.fingerprint) != (first.summary, first.dataset.fingerprint)
    for file in (place.folder / "cache").rglob("datasets/*.json"):
        file.unlink()
    fresh = place.run("DatasetConfigLoader", path=str(path))
    assert (again.summary, again.dataset.fingerprint) == (fresh.summary, fresh.dataset.fingerprint)


def test_a_file_that_was_just_written_is_looked_at_again(place: Workplace, looks: list[Any]) -> None:
    path = place.dataset()
    for _ in range(2):
        place.load(path)
    assert len(looks) == 2


def test_a_dataset_with_errors_is_looked_at_again(place: Workplace, looks: list[Any]) -> None:
    path = place.dataset()
    (place.folder / "pictures" / "p0.txt").write_bytes(b"\xff\xfe")
    settle(place.folder / "pictures")
    for _ in range(2):
        with fails("file-not-utf8", "p0.txt"):
            place.load(path)
    assert len(looks) == 2


def test_other_rules_are_another_question(place: Workplace) -> None:
    path = place.dataset()
    (place.folder / "pictures" / "p0.txt").unlink()
    settle(place.folder / "pictures")
    assert place.load(path, missing_captions="skip")
    with fails("caption-missing", "p0.png"):
        place.load(path)


@timed
def test_the_question_and_the_run_that_follows_share_one_look(place: Workplace) -> None:
    path = place.dataset()
    settle(place.folder / "pictures")
    place.load(path)
    loader = place.node("DatasetConfigLoader")
    inputs = loader.parse({"path": str(path)})
    asked = loader().changed(inputs, Context(place.host, place.services))
    caption(place.folder / "pictures")
    assert place.load(path).fingerprint == asked  # the answer that ComfyUI goes by, and the dataset, are of one moment
    assert place.load(path).fingerprint != asked
    assert loader().changed(inputs, Context(place.host, place.services)) != asked


def test_where_links_may_lead_outside_every_file_is_looked_at(place: Workplace, looks: list[Any]) -> None:
    path = place.dataset()
    settle(place.folder / "pictures")
    place.load(path)
    place.host.trusted = False
    with fails("path-not-allowed"):
        place.load(path)
