from __future__ import annotations

from pathlib import Path

import tomli

from musubi_nodes.datasets.config.keys import KEYS
from musubi_nodes.datasets.config.toml import DatasetConfig, effective, load, parse, with_cache_directories
from musubi_nodes.datasets.config.writing import dump
from musubi_nodes.testing.errors import fails

GOOD = '[general]\ncaption_extension = ".txt"\nenable_bucket = true\n\n[[datasets]]\nimage_directory = "cats"\n'


def _load(folder: Path, text: str) -> DatasetConfig:
    path = folder / "set.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_the_normalised_copy_is_complete_and_reads_back_the_same(tmp_path: Path) -> None:
    text = GOOD + 'resolution = [96, 64]\n[[datasets]]\nvideo_jsonl_file = "v.jsonl"\nsource_fps = 24\n'
    config = with_cache_directories(_load(tmp_path, text), tmp_path / "cache")
    written = tomli.loads(dump(config, tmp_path / "run" / "dataset.toml").read_text(encoding="utf-8"))
    first, second = written["datasets"]
    assert "general" not in written
    assert first["image_directory"] == (tmp_path / "cats").as_posix()
    assert (first["resolution"], first["enable_bucket"], first["batch_size"]) == ([96, 64], True, 1)
    assert second["source_fps"] == 24.0 and isinstance(second["source_fps"], float)
    assert first["cache_directory"] != second["cache_directory"]
    assert set(first) <= set(KEYS["image"]) and set(second) <= set(KEYS["video"])
    again = load(tmp_path / "run" / "dataset.toml")
    assert [d.model_dump() for d in effective(again)] == [d.model_dump() for d in effective(config)]
    assert load(dump(config, tmp_path / "run" / "dataset.json")) == again


def test_the_copy_needs_cache_folders(tmp_path: Path) -> None:
    with fails("cache-directory-missing", "datasets[0]"):
        dump(_load(tmp_path, GOOD), tmp_path / "out.toml")


def test_cache_folders_are_unique_steady_and_never_replace_a_given_one(tmp_path: Path) -> None:
    one = {"image_directory": "x/猫 [1]", "caption_extension": ".txt"}
    given = {**one, "cache_directory": "mine"}
    many = with_cache_directories(parse({"datasets": [given, one, one]}, base=tmp_path), tmp_path / "cache")
    alone = with_cache_directories(parse({"datasets": [one]}, base=tmp_path), tmp_path / "cache")
    folders = [dataset.cache_directory for dataset in many.datasets]
    assert folders[0] == tmp_path / "mine" and folders[1] == alone.datasets[0].cache_directory
    assert len(set(folders)) == 3 and all(not set("[]*?") & set(str(folder)) for folder in folders)
