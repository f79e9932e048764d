"""An interrupted caching goes on. The text encoders write the same files, one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from musubi_nodes.errors import Crashed
from musubi_nodes.weights import read_header

SCRIPT = "cache_text_encoder_outputs.py"


def texts(place: Any) -> dict[str, set[str]]:
    """By name of each text cache, what its tensors are called without their dtypes."""
    files = sorted(place.folder.glob("output/musubi/cache/**/*_hv_te.safetensors"))
    return {file.name: {name.split("_")[0] for name in read_header(file).tensors} for file in files}


@pytest.mark.parametrize(("pictures", "left"), [(4, 2), (2, 2)], ids=["in the first encoder", "before the second"])
def test_a_text_that_only_one_encoder_has_seen_is_made_anew(
    place: Any, monkeypatch: pytest.MonkeyPatch, pictures: int, left: int
) -> None:
    """With --skip_existing such a file would never get its second half, and training fails (KeyError, v0.3.4)."""
    path, install = place.dataset(count=pictures), place.services.install("miniature")
    broken = replace(install, environment={**install.environment, "MUSUBI_MINIATURE_MISBEHAVE": f"killed {SCRIPT}"})
    with monkeypatch.context() as patched:
        patched.setattr(place.services, "install", lambda name=None: broken)
        with pytest.raises(Crashed):
            place.caches(path)
    assert list(texts(place).values()) == [{"llm"}] * left
    assert place.train(place.caches(path)).lora
    assert list(texts(place).values()) == [{"llm", "clipL"}] * pictures


def test_one_caption_is_encoded_by_both(place: Any) -> None:
    path = place.dataset()
    place.caches(path)
    before = {file: file.stat().st_mtime_ns for file in place.folder.glob("output/musubi/cache/**/*.safetensors")}
    (place.folder / "pictures" / "p1.txt").write_text("another", "utf-8")
    place.caches(path)
    assert [file.name for file, time in before.items() if file.stat().st_mtime_ns != time] == ["p1_hv_te.safetensors"]
    assert set(map(frozenset, texts(place).values())) == {frozenset({"llm", "clipL"})}
