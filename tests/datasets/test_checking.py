from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.links import symlink
from tests.moving import ffmpeg, turned

from musubi_nodes.datasets.checks.check import Report, check
from musubi_nodes.datasets.config.frames import PICTURES, FrameRule
from musubi_nodes.datasets.config.toml import parse
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.errors import Problem
from musubi_nodes.families.family import Family
from musubi_nodes.families.judging import judge
from musubi_nodes.files import CAPTION
from musubi_nodes.testing.errors import fails, says

Make = Callable[..., Path]


@pytest.fixture
def report(config: Callable, tmp_path: Path) -> Callable[..., Report]:
    def one(*datasets: dict[str, object], general: dict[str, object] | None = None, **options: object) -> Report:
        settings = config(*datasets, **(general or {}))
        return check(scan(settings), settings, **options)  # type: ignore[arg-type]

    return one


def _names(finding: Problem) -> str:
    """The files that a finding names."""
    return finding.text.split(": ")[-1].partition(";")[0]


IMAGES = {"image_directory": "set"}
VIDEOS = {"video_directory": "set", "target_frames": [5]}


def test_a_good_dataset_has_nothing_to_say(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a cat")
    found = report({**IMAGES, "num_repeats": 3})
    assert (found.errors, found.warnings) == ((), ())
    assert "1 image, 1 with caption, 3 times each, 64x64 in buckets, batch 1" in found.summary()
    found.raise_errors()


def test_a_wrong_folder_is_an_error_that_tells_what_musubi_tuner_would_delete(
    tmp_path: Path, image: Make, report: Callable
) -> None:
    image(tmp_path / "sets" / "a.png", "a")
    found = report(IMAGES)
    assert says(found.errors[0], "folder-missing", "'sets'", "--keep_cache")
    with fails("dataset-not-ready"):
        found.raise_errors()


def test_an_empty_folder_is_an_error_that_tells_what_is_there(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "deep" / "a.png", "a")
    (tmp_path / "set" / "x.gif").write_bytes(b"GIF")
    (error,) = report(IMAGES).errors
    assert says(error, "dataset-empty", "deep", "x.gif")


def test_images_without_caption_are_an_error_unless_they_may_be_skipped(
    tmp_path: Path, image: Make, report: Callable
) -> None:
    image(tmp_path / "set" / "a.png", "a")
    image(tmp_path / "set" / "b.png")
    assert says(report(IMAGES).errors[0], "caption-missing", ".txt", "b.png")
    skipped = report(IMAGES, missing_captions="skip")
    assert skipped.errors == () and says(skipped.warnings[0], "caption-missing", "b.png")


def test_videos_without_caption_are_always_an_error(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4")
    video(tmp_path / "set" / "b.mp4", caption=None)
    assert says(report(VIDEOS, missing_captions="skip").errors[0], "caption-missing", "b.mp4")


def test_empty_broken_and_undecodable_files_are_errors(tmp_path: Path, image: Make, report: Callable) -> None:
    folder = tmp_path / "set"
    image(folder / "a.png", "")
    image(folder / "b.png", "b").write_bytes(b"")
    image(folder / "c.png", "c").write_bytes(b"<html>")
    image(folder / "d.png")
    (folder / "d.txt").write_bytes(b"\xff")
    found = report(IMAGES)
    encoded, empty, broken = found.errors
    assert says(encoded, "file-not-utf8", "datasets[0]", "d.txt")
    assert says(empty, "file-empty", "b.png")
    assert says(broken, "image-unreadable", "c.png")
    (warning,) = found.warnings
    assert says(warning, "caption-empty", "datasets[0]", "a.txt")


def test_of_a_caption_that_cannot_be_opened_no_encoding_is_blamed(
    tmp_path: Path, image: Make, report: Callable
) -> None:
    image(tmp_path / "set" / "a.png", "a" * (CAPTION.most + 1))
    image(tmp_path / "set" / "b.png").with_suffix(".txt").write_bytes(b"\xff")
    large, broken = report(IMAGES).errors
    assert says(large, "file-unreadable", "a.txt")
    assert says(broken, "file-not-utf8", "b.txt")


def test_a_shared_cache_folder_is_an_error_however_it_is_spelt(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a")
    image(tmp_path / "other" / "b.png", "b")
    (tmp_path / "cache").mkdir()
    symlink(tmp_path / "link", tmp_path / "cache")
    found = report({**IMAGES, "cache_directory": "cache"}, {"image_directory": "other", "cache_directory": "x/../link"})
    assert says(found.errors[0], "cache-folder-shared", "datasets[0]", "datasets[1]")


def test_datasets_without_cache_directory_share_none(tmp_path: Path, image: Make) -> None:
    picture = image(tmp_path / "set" / "a.png", "a")
    (tmp_path / "set.jsonl").write_text(json.dumps({"image_path": str(picture), "caption": "x"}))
    one = {**IMAGES, "caption_extension": ".txt", "resolution": 64, "enable_bucket": True}
    listed = {"image_jsonl_file": "set.jsonl", "resolution": 64, "enable_bucket": True}
    settings = parse({"datasets": [one, {**one, "resolution": 512}, listed, listed]}, base=tmp_path)
    assert check(scan(settings), settings).errors == ()


def test_a_cache_folder_that_a_glob_cannot_find_is_an_error(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a")
    error = report({**IMAGES, "cache_directory": "cache [1]"}).errors[0]
    assert says(error, "cache-folder-not-found-by-glob", "cache [1]")


def test_two_images_of_one_stem_are_an_error(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "x.png", "x")
    image(tmp_path / "set" / "x.jpg")
    assert says(report(IMAGES).errors[0], "cache-file-shared", "x.png", "x.jpg")


def test_missing_controls_are_errors(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a")
    (tmp_path / "ctl").mkdir()
    assert says(report({**IMAGES, "control_directory": "ctl"}).errors[0], "control-missing", "a.png")
    image(tmp_path / "ctl" / "a.png")
    assert report({**IMAGES, "control_directory": "ctl"}).errors == ()
    two = report({**IMAGES, "control_directory": "ctl", "fp_1f_clean_indices": [0, 5]})
    assert says(two.errors[0], "control-missing", "2", "fp_1f_clean_indices")


def test_a_control_folder_that_is_not_there_is_named(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "set" / "a.png", "a")
    (error,) = report({**IMAGES, "control_directory": "ctl"}).errors
    assert says(error, "folder-missing", "control_directory", tmp_path / "ctl")
    (tmp_path / "ctl").write_text("a file")
    assert says(report({**IMAGES, "control_directory": "ctl"}).errors[0], "path-not-a-folder", tmp_path / "ctl")


def test_a_file_in_place_of_a_folder_is_not_proposed_again(tmp_path: Path, image: Make, report: Callable) -> None:
    image(tmp_path / "pal.png")
    (error,) = report({"image_directory": "pal.png"}).errors
    assert says(error, "path-not-a-folder", "pal.png") and error.text.count("pal.png") == 1


def test_each_bad_line_is_told_once_and_a_backslash_with_its_remedy(tmp_path: Path, report: Callable) -> None:
    (tmp_path / "set.jsonl").write_text(r'{"image_path": "C:\data\a.png", "caption": "x"}')
    told = [error for error in report({"image_jsonl_file": "set.jsonl"}).errors if "line 1" in error.text]
    assert [error.code for error in told] == ["backslash-not-escaped"]


def test_short_videos_are_an_error_and_unreachable_targets_a_warning(
    tmp_path: Path, video: Make, report: Callable
) -> None:
    video(tmp_path / "set" / "a.mp4", frames=9)
    video(tmp_path / "set" / "b.mp4", frames=4)
    found = report({**VIDEOS, "target_frames": [5, 13]})
    assert says(found.errors[0], "video-too-short", "5", "b.mp4", "4") and "a.mp4" not in found.errors[0].text
    (warning,) = found.warnings
    assert says(warning, "target-frames-unused", "datasets[0]", "13")


def test_dropping_frames_counts_and_a_slow_source_ends_the_head_early(
    tmp_path: Path, video: Make, report: Callable
) -> None:
    video(tmp_path / "set" / "a.mp4", frames=9, fps=32)
    fast = report({**VIDEOS, "source_fps": 32, "target_frames": [9]}, fps=16.0)
    assert says(fast.errors[0], "video-too-short", "a.mp4", "5 of 9", "16 fps")
    slow = report({**VIDEOS, "source_fps": 8, "target_frames": [9]}, fps=16.0)
    assert says(slow.errors[0], "video-too-short", "a.mp4", "5 of 9", "16 fps")
    differs, too_low = slow.warnings
    assert says(differs, "frame-rate-differs", "source_fps 8", "a.mp4")
    assert says(too_low, "source-fps-too-low", "8", "16")


def test_another_speed_than_the_models_is_a_warning(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4", fps=30)
    (warning,) = report(VIDEOS, fps=16.0).warnings
    assert says(warning, "frame-rate-differs", "a.mp4", "30", "source_fps")
    assert report({**VIDEOS, "source_fps": 30, "target_frames": [1]}, fps=16.0).warnings == ()


def test_target_frames_must_fit_the_model(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4", frames=12)
    cut = report({**VIDEOS, "target_frames": [8]})
    assert cut.errors == () and says(cut.warnings[0], "frames-not-allowed", "target_frames", "8", "5 or 9")
    (error,) = report({**VIDEOS, "fp_latent_window_size": 2}, frame_rule=FrameRule(window=9)).errors
    assert says(error, "frames-not-allowed", "N*8+1", "use 9")
    full = {"video_directory": "set", "frame_extraction": "full"}
    assert says(report(full, frame_rule=FrameRule(window=9)).errors[0], "video-too-short", "37", "a.mp4")
    assert report(full).errors == ()


def test_the_longest_clip_of_full_must_fit_the_model(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4")
    full = {"video_directory": "set", "frame_extraction": "full"}
    (warning,) = report({**full, "max_frames": 7}).warnings
    assert says(warning, "frames-not-allowed", "max_frames", "7", "5 or 9")
    assert report({**full, "max_frames": 9}).warnings == ()
    (error,) = report({**full, "max_frames": 9}, frame_rule=FrameRule(window=9)).errors
    assert says(error, "frames-not-allowed", "max_frames", "9", "37")


def test_one_frame_clips_by_oversight_are_a_warning(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4")
    assert says(report({"video_directory": "set"}).warnings[0], "target-frames-missing")
    chunked = report({**VIDEOS, "target_frames": [1, 5], "frame_extraction": "chunk"})
    assert says(chunked.warnings[0], "chunk-of-one-frame")


def test_broken_and_empty_videos_are_errors(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4").write_bytes(b"no video")
    video(tmp_path / "set" / "b.mp4").write_bytes(b"")
    empty, broken = report(VIDEOS).errors
    assert says(empty, "file-empty", "b.mp4") and "a.mp4" not in empty.text
    assert says(broken, "video-unreadable", "a.mp4") and "b.mp4" not in broken.text


def test_videos_of_several_shapes_need_buckets_for_a_batch(tmp_path: Path, video: Make, report: Callable) -> None:
    video(tmp_path / "set" / "a.mp4")
    video(tmp_path / "set" / "b.mp4", size="64x96")
    assert report(VIDEOS, general={"batch_size": 2}).errors == ()
    found = report(VIDEOS, general={"batch_size": 2, "enable_bucket": False})
    assert says(found.errors[0], "video-sizes-differ", "enable_bucket = true")


def test_control_directory_with_jsonl_is_a_warning(tmp_path: Path, image: Make, report: Callable) -> None:
    path = image(tmp_path / "a.png")
    (tmp_path / "set.jsonl").write_text(f'{{"image_path": "{path.as_posix()}", "caption": "x"}}')
    found = report({"image_jsonl_file": "set.jsonl", "control_directory": "ctl"})
    assert found.errors == () and says(found.warnings[0], "setting-ignored", "control_directory")


def test_images_that_are_learned_otherwise_than_they_look_are_warnings(tmp_path: Path, report: Callable) -> None:
    from PIL import Image

    folder = tmp_path / "set"
    folder.mkdir()
    rgb, turned = Image.new("RGB", (48, 32)), Image.Exif()
    turned[0x0112] = 6
    Image.new("RGBA", (48, 32), (255, 0, 0, 0)).save(folder / "a.png")
    Image.new("RGBA", (48, 32), (255, 0, 0, 0)).save(folder / "b.webp", lossless=True)
    Image.new("RGBA", (48, 32), (255, 0, 0, 0)).save(folder / "c.webp")
    Image.new("I;16", (48, 32)).save(folder / "d.png")
    rgb.save(folder / "e.jpg", exif=turned)
    Image.new("RGB", (48, 32), "red").save(folder / "f.webp", save_all=True, append_images=[rgb])
    turned[0x0112] = 1
    rgb.save(folder / "g.jpg", exif=turned)
    rgb.save(folder / "h.webp", lossless=True)
    rgb.save(folder / "i.png", exif=turned)
    turned[0x0112] = 8
    rgb.save(folder / "j.png", exif=turned)
    rgb.save(folder / "k.webp", exif=turned)
    palette = Image.new("P", (48, 32))
    palette.save(folder / "l.png", transparency=0)
    Image.new("L", (48, 32)).save(folder / "m.png", transparency=0)
    palette.save(folder / "n.png")
    rgb.save(folder / "o.png", save_all=True, append_images=[Image.new("RGB", (48, 32), "red")])
    for path in list(folder.iterdir()):
        path.with_suffix(".txt").write_text("x")
    found = report(IMAGES)
    assert {warning.code: _names(warning) for warning in found.warnings} == {
        "image-transparent": "a.png, b.webp, c.webp, l.png, m.png",
        "image-16-bit": "d.png",
        "image-rotated": "e.jpg, j.png, k.webp",
        "image-animated": "f.webp, o.png",
    }
    assert found.errors == ()


def test_videos_that_are_learned_otherwise_than_they_look_are_warnings(
    tmp_path: Path, video: Make, report: Callable
) -> None:
    plain = video(tmp_path / "set" / "plain.mp4")
    turned(plain, video(tmp_path / "set" / "turned.mp4"))
    for name, change in {
        "wide": ["-vf", "setsar=4/3"],
        "bright": ["-vf", "setparams=color_trc=arib-std-b67", "-color_trc", "arib-std-b67"],
        "lines": ["-vf", "setfield=tff", "-flags", "+ildct+ilme", "-x264-params", "tff=1"],
    }.items():
        path = video(tmp_path / "set" / f"{name}.mp4")
        ffmpeg("-i", plain, *change, "-c:v", "libx264", path)
    found = report(VIDEOS)
    assert found.errors == ()
    assert {warning.code: _names(warning) for warning in found.warnings} == {
        "video-rotated": "turned.mp4",
        "video-pixels-not-square": "wide.mp4",
        "video-hdr": "bright.mp4",
        "video-interlaced": "lines.mp4",
    }


def test_the_alpha_of_a_control_is_a_mask_and_no_warning(tmp_path: Path, image: Make, report: Callable) -> None:
    from PIL import Image

    image(tmp_path / "set" / "a.png", "a")
    (tmp_path / "ctl").mkdir()
    Image.new("RGBA", (48, 32)).save(tmp_path / "ctl" / "a.png")
    assert report({**IMAGES, "control_directory": "ctl"}).warnings == ()
    Image.new("I;16", (48, 32)).save(tmp_path / "ctl" / "a.png")
    assert says(report({**IMAGES, "control_directory": "ctl"}).warnings[0], "image-16-bit", "a.png")


def test_videos_are_one_error_for_a_family_of_pictures(
    tmp_path: Path, config: Callable, image: Make, video: Make
) -> None:
    image(tmp_path / "pictures" / "a.png", "a")
    video(tmp_path / "set" / "a.mp4", frames=3)
    settings = config({"image_directory": "pictures"}, VIDEOS)
    family = Family("heron", "Heron", "he", "networks.lora_heron", frame_rule=PICTURES)
    (error,) = judge(scan(settings), settings, "error", family).errors
    assert says(error, "videos-not-allowed", "Heron", "datasets[1]")
