"""Exactly what has changed is made anew, section by section, and an interrupted caching goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from musubi_nodes.errors import Crashed

SECTIONS = [f"v{video}_00000-017-000{section}_0096x0064_fp" for video in (0, 1) for section in (0, 1)]
TEXTS = ["v0_fp_te", "v1_fp_te"]


def written(place: Any) -> dict[str, int]:
    files = place.folder.glob("output/musubi/cache/**/*.safetensors")
    return {file.stem: file.stat().st_mtime_ns for file in files}


def video(place: Any) -> None:
    folder = place.folder / "videos"
    (folder / "v1.mp4").write_bytes((folder / "v0.mp4").read_bytes())


def caption(place: Any) -> None:
    (place.folder / "videos" / "v1.txt").write_text("another", "utf-8")


def section_gone(place: Any) -> None:
    next(place.folder.glob(f"output/musubi/cache/**/{SECTIONS[2]}.safetensors")).unlink()


@pytest.mark.parametrize(
    ("change", "values", "expected"),
    [
        (video, {}, SECTIONS[2:]),
        (caption, {}, TEXTS[1:]),
        (section_gone, {}, SECTIONS[2:]),  # the script makes all of a video, or none
        (None, {"f1": True}, SECTIONS),
    ],
    ids=["a video of the same name", "a caption", "a section deleted", "f1"],
)
def test_exactly_what_has_changed_is_made_anew(place: Any, change: Any, values: Any, expected: list[str]) -> None:
    path = place.videos(17)
    place.caches(path)
    before = written(place)
    assert sorted(before) == sorted(SECTIONS + TEXTS)
    if change:
        change(place)
    place.caches(path, **values)
    assert sorted(name for name, time in written(place).items() if before.get(name) != time) == expected


def test_an_interrupted_caching_goes_on(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path, install = place.videos(17), place.services.install("miniature")
    broken = replace(install, environment={**install.environment, "MUSUBI_MINIATURE_MISBEHAVE": "killed"})
    with monkeypatch.context() as patched:
        patched.setattr(place.services, "install", lambda name=None: broken)
        with pytest.raises(Crashed):
            place.caches(path)
    before = written(place)
    assert len(before) == 2
    place.caches(path)
    assert sorted(written(place)) == sorted(SECTIONS + TEXTS)
    assert all(written(place)[name] == time for name, time in before.items())
