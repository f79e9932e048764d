from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.datasets.documented_media import TOMLS, make_media

from musubi_nodes.datasets.config.keys import KEYS
from musubi_nodes.datasets.config.toml import effective, load
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documented")
    make_media(folder)
    return folder


@pytest.mark.parametrize("toml", TOMLS, ids=lambda toml: toml.stem)
def test_each_documented_toml_is_loaded_edited_and_written(toml: Path, media: Path, tmp_path: Path) -> None:
    path, place = Path(shutil.copy(toml, media)), Workplace(tmp_path)
    before = place.load(path).config
    outputs = place.run("DatasetConfigEditor", toml=str(path), name="edited", num_repeats=7)
    first, *others = effective(load(Path(outputs.path)))
    assert Path(outputs.path).read_text("utf-8") == outputs.toml
    old, *old_others = effective(before)
    assert first.model_dump() == {**old.model_dump(), "num_repeats": 7}
    assert [one.model_dump() for one in others] == [one.model_dump() for one in old_others]


def test_together_they_use_every_key() -> None:
    used = {key for toml in TOMLS for one in load(toml).datasets for key in one.model_fields_set}
    assert used == {*KEYS["image"], *KEYS["video"]}
