from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.datasets.config.keys import GENERAL_KEYS, KEYS
from musubi_nodes.datasets.config.toml import (
    DatasetConfig,
    ImageDataset,
    VideoDataset,
    effective,
    load,
    with_cache_directories,
)
from musubi_nodes.datasets.config.writing import dump
from musubi_nodes.testing.errors import codes, fails

GOOD = '[general]\ncaption_extension = ".txt"\nenable_bucket = true\n\n[[datasets]]\nimage_directory = "cats"\n'


def _load(folder: Path, text: str | bytes, name: str = "set.toml") -> DatasetConfig:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def test_a_dataset_takes_what_it_leaves_out_from_general_then_from_the_defaults(tmp_path: Path) -> None:
    text = (
        '[general]\ncaption_extension = ".txt"\nbatch_size = 4\nresolution = 512\n[[datasets]]\nimage_directory = "a"\n'
    )
    config = _load(tmp_path, text + '[[datasets]]\nvideo_directory = "b"\nbatch_size = 2\n')
    first, second = effective(config)
    assert isinstance(first, ImageDataset) and isinstance(second, VideoDataset)
    assert (first.batch_size, first.resolution, first.num_repeats) == (4, (512, 512), 1)
    assert (second.batch_size, second.target_frames, second.frame_extraction) == (2, (1,), "head")


def test_general_may_be_missing(tmp_path: Path) -> None:
    config = _load(tmp_path, '[[datasets]]\nimage_directory = "a"\ncaption_extension = ".txt"\n')
    assert effective(config)[0].resolution == (960, 544)


def test_paths_count_from_the_toml_and_lose_quotes_and_blanks(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD.replace('"cats"', "' \"cats dir\" '"))
    assert config.datasets[0].directory == tmp_path / "cats dir"
    assert _load(tmp_path, GOOD.replace('"cats"', f"'{tmp_path}'")).datasets[0].directory == tmp_path


def test_json_is_read_as_well(tmp_path: Path) -> None:
    text = '{"datasets": [{"image_directory": "a", "caption_extension": ".txt", "cache_directory": null}]}'
    assert _load(tmp_path, text, "set.json").datasets[0].directory == tmp_path / "a"


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert _load(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()).general.enable_bucket


def test_a_whole_number_is_a_frame_rate_too(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD.replace("image", "video") + "source_fps = 30\n")
    written = dump(with_cache_directories(config, tmp_path / "cache"), tmp_path / "out.toml")
    assert "source_fps = 30.0" in written.read_text()


def test_old_spellings_are_mapped(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD + "qwen_image_edit_control_resolution = 64\nflux_kontext_no_resize_control = true\n")
    first = config.datasets[0]
    assert isinstance(first, ImageDataset) and first.control_resolution == (64, 64) and first.no_resize_control


def test_a_misspelt_source_is_told_with_what_is_missing(tmp_path: Path) -> None:
    with fails("key-of-another-trainer", "'image_directory'") as told:
        _load(tmp_path, GOOD.replace("image_directory", "image_dir"))
    assert "dataset-source-missing" in codes(told.value)


def test_several_mistakes_come_in_one_error(tmp_path: Path) -> None:
    text = GOOD + 'cache_dir = "c"\nbatch_size = 0\n[[datasets]]\nvideo_directory = "v"\nnum_repeat = 2\n'
    with fails("dataset-invalid", "datasets[0].cache_dir", "datasets[0].batch_size", "datasets[1].num_repeat") as told:
        _load(tmp_path, text)
    assert codes(told.value)[1:] == ["key-unknown", "greater-than-equal", "key-unknown"]


def test_a_syntax_error_names_file_line_and_column(tmp_path: Path) -> None:
    with fails("toml-invalid", "set.toml", "line 2, column 12", "batch_size 1"):
        _load(tmp_path, "[general]\nbatch_size 1\n")


def test_windows_backslashes_get_their_own_hint(tmp_path: Path) -> None:
    with fails("backslash-not-escaped", "line 6"):
        _load(tmp_path, GOOD.replace('"cats"', '"C:\\Users\\me"'))
    with fails("path-control-character", "datasets[0].image_directory"):
        _load(tmp_path, GOOD.replace('"cats"', '"C:\\train\\new"'))


@pytest.mark.parametrize(
    ("data", "code", "values"),
    [
        ("caption = 'é'".encode("latin-1"), "file-not-utf8", ("0xe9", "line 1")),
        (GOOD.encode("utf-16"), "file-not-utf8", ("UTF-16",)),
        (b"a = " + b"[" * 99_000, "toml-invalid", ()),
    ],
)
def test_unreadable_bytes_are_named(tmp_path: Path, data: bytes, code: str, values: tuple[str, ...]) -> None:
    with fails(code, *values):
        _load(tmp_path, data)


def test_a_missing_file_and_a_foreign_ending_are_refused(tmp_path: Path) -> None:
    with fails("file-missing", "none.toml"):
        load(tmp_path / "none.toml")
    with fails("file-type-unsupported", "set.yaml"):
        _load(tmp_path, GOOD, "set.yaml")


def test_json_that_holds_no_object_is_refused(tmp_path: Path) -> None:
    with fails("json-invalid", "line 1, column 2"):
        _load(tmp_path, "{", "set.json")
    with fails("json-not-an-object", "set.json"):
        _load(tmp_path, "[]", "set.json")


def test_general_keys_are_those_that_every_dataset_takes() -> None:
    assert set(GENERAL_KEYS) == set(KEYS["image"]) & set(KEYS["video"]) - {
        "cache_directory",
        "control_directory",
        "fp_latent_window_size",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[general]\nshuffle_caption = true\nkeep_tokens = 1\n[[datasets]]\nresolution = 512\n"
            "[[datasets.subsets]]\nimage_dir = 'cats'\nclass_tokens = 'sks cat'\nnum_repeats = 10\n",
            ("sd-scripts", "image_directory = '...'"),
        ),
        ("[[datasets]]\nimage_dir = 'cats'\n", ("sd-scripts", "image_directory")),
        (
            "resolutions = [512]\nenable_ar_bucket = true\nframe_buckets = [1, 33]\n[[directory]]\npath = 'cats'\n",
            ("diffusion-pipe", "[[datasets]]", "image_directory"),
        ),
    ],
)
def test_a_file_of_another_trainer_is_called_so_with_what_to_write_instead(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    with fails("key-of-another-trainer", *words) as told:
        _load(tmp_path, text)
    assert not {"key-unknown", "section-unknown"} & {*codes(told.value)}
