from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.datasets.keys import GENERAL_KEYS, KEYS
from musubi_nodes.datasets.toml import (
    DatasetConfig,
    ImageDataset,
    VideoDataset,
    dump,
    effective,
    load,
    with_cache_directories,
)
from musubi_nodes.errors import MusubiError

GOOD = '[general]\ncaption_extension = ".txt"\nenable_bucket = true\n\n[[datasets]]\nimage_directory = "cats"\n'


def _load(folder: Path, text: str | bytes, name: str = "set.toml") -> DatasetConfig:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def _error(folder: Path, text: str | bytes, name: str = "set.toml") -> str:
    with pytest.raises(MusubiError) as caught:
        _load(folder, text, name)
    return str(caught.value)


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


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('cache_dir = "c"', "datasets[0].cache_dir: unknown key (did you mean 'cache_directory'?)"),
        ("target_frames = [1]", "datasets[0].target_frames: only video datasets have it, and this is an image dataset"),
        ('batch_size = "2"', "datasets[0].batch_size: expected a whole number, found '2'"),
        ("batch_size = 0", "datasets[0].batch_size: must be 1 or more, found 0"),
        ("num_repeats = true", "datasets[0].num_repeats: expected a whole number, found true"),
        ("enable_bucket = 1", "datasets[0].enable_bucket: expected true or false, found 1"),
        ("resolution = [64]", "datasets[0].resolution"),
        ("resolution = [64, 99999]", "datasets[0].resolution[1]: must be 8192 or less"),
        ('caption_extension = "txt"', "must begin with a dot: '.txt'"),
        ('caption_extension = ".a.txt"', "must be one ending such as '.txt'"),
        ('image_jsonl_file = "x.jsonl"', "has image_directory and image_jsonl_file; keep one"),
        ('video_directory = "x"', "has image_directory and video_directory; keep one"),
        ("cache_directory = 5", "datasets[0].cache_directory: expected a path in quotes, found 5"),
        ('cache_directory = " "', "datasets[0].cache_directory: is empty"),
        (
            "enable_bucket = false\nresolution = [100, 64]",
            "100x64 is not a multiple of 16; use [96, 64] or enable_bucket",
        ),
        ("resolution = 20", "20x20 is too small for buckets"),
    ],
)
def test_a_mistake_in_an_image_dataset_is_named_with_its_place(tmp_path: Path, line: str, words: str) -> None:
    assert words in _error(tmp_path, GOOD + line + "\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "multiple_target = true",
            "datasets[0].multiple_target: only image datasets have it, and this is a video dataset",
        ),
        (
            'frame_extraction = "heads"',
            "expected one of head, chunk, slide, uniform, full, found 'heads' (did you mean",
        ),
        ("target_frames = []", "datasets[0].target_frames: the list is too short"),
        ("target_frames = [1, 0]", "datasets[0].target_frames[1]: must be 1 or more, found 0"),
        ("target_frames = 25", "datasets[0].target_frames: expected a list such as [1, 25], found 25"),
        ('source_fps = "30"', "datasets[0].source_fps: expected a number, found '30'"),
        ("source_fps = nan", "datasets[0].source_fps"),
        ("source_fps = 0", "datasets[0].source_fps: must be more than 0"),
    ],
)
def test_a_mistake_in_a_video_dataset_is_named_with_its_place(tmp_path: Path, line: str, words: str) -> None:
    assert words in _error(tmp_path, GOOD.replace("image_directory", "video_directory") + line + "\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "datasets: there is none"),
        ("datasets = []", "datasets: there is none"),
        ('[datasets]\nimage_directory = "a"', "[[datasets]]"),
        ("general = 1\n" + GOOD.split("\n\n")[1], "general: must be a section"),
        ("resolution = 64\n" + GOOD, "resolution: stands outside of every section; put it under [general]"),
        (GOOD.replace("[[datasets]]", "[[dataset]]"), "dataset: unknown section (did you mean 'datasets'?)"),
        (GOOD.replace("[[", "target_frames = [1]\n[["), "general.target_frames: does not belong in [general]"),
        (GOOD.replace("[[", "batchsize = 1\n[["), "general.batchsize: unknown key (did you mean 'batch_size'?)"),
        (GOOD.replace("image_directory", "image_dir"), "did you mean 'image_directory'?"),
        ('[[datasets]]\nimage_directory = "a"', "no caption_extension; add"),
        ("[[datasets]]\nbatch_size = 1", "nothing says where the media are"),
    ],
)
def test_a_mistake_in_the_layout_says_what_to_do(tmp_path: Path, text: str, words: str) -> None:
    assert words in _error(tmp_path, text)


def test_several_mistakes_come_in_one_error(tmp_path: Path) -> None:
    text = _error(
        tmp_path, GOOD + 'cache_dir = "c"\nbatch_size = 0\n[[datasets]]\nvideo_directory = "v"\nnum_repeat = 2\n'
    )
    assert "3 problems" in text
    assert all(word in text for word in ("datasets[0].cache_dir", "datasets[0].batch_size", "datasets[1].num_repeat"))


def test_a_syntax_error_names_file_line_and_column(tmp_path: Path) -> None:
    assert "set.toml, line 2, column 12: this is not TOML: batch_size 1" in _error(
        tmp_path, "[general]\nbatch_size 1\n"
    )


def test_windows_backslashes_get_their_own_hint(tmp_path: Path) -> None:
    text = _error(tmp_path, GOOD.replace('"cats"', '"C:\\Users\\me"'))
    assert "line 6" in text and "single quotes" in text and "forward slashes" in text
    assert "control character" in _error(tmp_path, GOOD.replace('"cats"', '"C:\\train\\new"'))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("caption = 'é'".encode("latin-1"), "not UTF-8: byte 0xe9 in line 1"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (b"a = " + b"[" * 100_000, "TOML"),
    ],
)
def test_unreadable_bytes_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in _error(tmp_path, data)


def test_a_missing_file_and_a_foreign_ending_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MusubiError, match="cannot be read"):
        load(tmp_path / "none.toml")
    assert "neither .toml nor .json" in _error(tmp_path, GOOD, "set.yaml")
    assert "line 1, column 2: this is not JSON" in _error(tmp_path, "{", "set.json")
    assert "no JSON object" in _error(tmp_path, "[]", "set.json")


def test_general_keys_are_those_that_every_dataset_takes() -> None:
    assert set(GENERAL_KEYS) == set(KEYS["image"]) & set(KEYS["video"]) - {
        "cache_directory",
        "control_directory",
        "fp_latent_window_size",
    }
