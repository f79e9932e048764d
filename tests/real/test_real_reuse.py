"""The real scripts encode again exactly what has changed: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``.

``--skip_existing`` of v0.3.4 looks at names only, and FramePack's makes all sections of a video or none.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.real.toys import MODELS, videos

from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi


def written(place: Workplace) -> dict[str, int]:
    """When each cache file was written, by its name without ending."""
    return {file.stem: file.stat().st_mtime_ns for file in place.folder.glob("output/musubi/cache/**/*.safetensors")}


def cached(place: Workplace, family: str, toml: Path) -> set[str]:
    """The cache files that were written anew."""
    before, models = written(place), place.run(f"{family}Models", **MODELS[family]).models
    for kind in ("LatentCache", "TextEncoderCache"):
        place.run(f"{family}{kind}", dataset=place.load(toml), models=models)
    return {name for name, time in written(place).items() if before.get(name) != time}


@pytest.mark.parametrize("family", sorted(MODELS.keys() - {"FluxKontext"}))  # its items need control pictures
def test_exactly_what_has_changed_is_encoded_again(place: Workplace, family: str) -> None:
    toml = videos(place.folder) if family == "FramePack" else place.dataset()
    assert len(cached(place, family, toml)) == 8
    (part,) = place.load(toml).config.datasets
    assert part.directory
    first, second, *_ = captions = sorted(part.directory.glob("*.txt"))
    first.write_text("another caption", "utf-8")
    media = [next(file for file in text.parent.glob(f"{text.stem}.*") if file != text) for text in captions]
    shutil.copy(media[2], media[1])
    place.forget()
    anew = cached(place, family, toml)
    assert {name for name in anew if name.endswith("_te")} == {f"{first.stem}_{architecture(place, family)}_te"}
    assert all(name.startswith(f"{second.stem}_") for name in anew if not name.endswith("_te")) and len(anew) == 2
    assert all(second_half(place).values())
    for file in (captions[3], media[3]):
        file.unlink()
    place.forget()
    assert not cached(place, family, toml) and not place.started_since() and len(written(place)) == 6


def architecture(place: Workplace, family: str) -> str:
    return str(place.node(f"{family}LatentCache").family.architecture)  # type: ignore[attr-defined]


def second_half(place: Workplace) -> dict[str, Any]:
    """Whether HunyuanVideo's second encoder has been over each of its text caches."""
    files = place.folder.glob("output/musubi/cache/**/*_hv_te.safetensors")
    return {file.name: any(name.startswith("clipL") for name in read_header(file).tensors) for file in files}
