"""Every format is written, read again, and compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests.moving import ffmpeg, moving, psnr, tone, turned, written

from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.encode import EncodeRequest, encode
from musubi_nodes.media.formats import formats
from musubi_nodes.media.frames import ImageFiles, VideoFile, save_video, source_of
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails

LOSSLESS = ["png", "mkv-ffv1", "mp4-lossless"]
BOUNDS = {"mp4-h264": 36, "mp4-h265": 36, "webm-vp9": 36, "webm-av1": 38, "webp": 33, "gif": 24, "mov-prores": 38}
"""dB on the moving pictures at quality 75: two below what was measured."""
WORKFLOW = {"prompt": {"1": {"inputs": {"text": "a=b; #\\ \n 'ä' 猫 }{"}}}, "workflow": {"nodes": [{"id": 1}]}}


def back(made: list[Path]) -> Any:
    return ImageFiles(tuple(made)).frames() if made[0].suffix == ".png" else VideoFile(made[0]).frames()


def made_of(folder: Path, frames: Any, form: str, fps: float = 24, **wish: Any) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return encode(source_of(frames, fps), EncodeRequest(formats()[form], **wish), folder)


def test_the_bounds_cover_all_formats() -> None:
    assert {*LOSSLESS, *BOUNDS} == formats().keys()


@pytest.mark.parametrize("size", [(96, 64), (95, 63), (7, 9)])
@pytest.mark.parametrize("form", LOSSLESS)
def test_8_bit_values_survive_bit_for_bit(tmp_path: Path, form: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (5, size[1], size[0], 3)).astype(np.float32) / np.float32(255)
    assert np.array_equal(back(made_of(tmp_path, frames, form)), frames)


@pytest.mark.parametrize("form", BOUNDS)
def test_a_lossy_format_comes_back_near_enough(tmp_path: Path, form: str) -> None:
    frames = moving(24)
    again = back(made_of(tmp_path, frames, form))
    assert again.shape == frames.shape
    assert psnr(again, frames) > BOUNDS[form]


@pytest.mark.parametrize("form", sorted(formats().keys() - {"png"}))
def test_rate_count_duration_and_sound_are_right(tmp_path: Path, form: str) -> None:
    made = made_of(tmp_path, moving(30), form, fps=20, audio=tone(9))[0]
    facts = probe(made)
    assert (facts.width, facts.height, facts.frames) == (96, 64, 30)
    assert facts.fps == 20 and facts.duration == 1.5
    sound = VideoFile(made).audio(30)
    assert (sound is not None) == bool(formats()[form].audio)
    assert sound is None or (abs(sound.seconds - 1.5) < 0.01 and np.abs(sound.samples).max() > 0.3)


@pytest.mark.parametrize("form", ["mp4-h264", "mp4-h265", "webm-vp9", "webm-av1", "mov-prores"])
def test_odd_sizes_are_made_even_by_repeating_the_edge(tmp_path: Path, form: str) -> None:
    frames = moving(6, 95, 63)
    again = back(made_of(tmp_path, frames, form))
    assert again.shape == (6, 64, 96, 3)
    assert psnr(again[:, :63, :95], frames) > BOUNDS[form] - 1
    assert psnr(again[:, :63, 95], frames[:, :, 94]) > 25 and psnr(again[:, 63, :95], frames[:, 62]) > 25


@pytest.mark.parametrize("form", [name for name, form in formats().items() if form.quality])
def test_more_quality_is_nearer_and_larger(tmp_path: Path, form: str) -> None:
    frames = moving(8) * np.random.default_rng(2).uniform(0.7, 1, (8, 64, 96, 1)).astype(np.float32)
    low, high = (made_of(tmp_path / str(q), frames, form, quality=q)[0] for q in (0, 100))
    assert low.stat().st_size < high.stat().st_size
    assert psnr(VideoFile(low).frames(), frames) < psnr(VideoFile(high).frames(), frames)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((1, 8, 8, 3), np.nan), 0.0),
        (np.full((1, 8, 8, 3), 7.0), 1.0),
        (np.full((1, 8, 8, 3), -1.0), 0.0),
        (np.full((1, 8, 8, 4), 1.0), 1.0),
        (np.full((1, 8, 8, 1), 1.0), 1.0),
    ],
    ids=["NaN", "above", "below", "alpha", "grey"],
)
def test_strange_values_are_clipped(tmp_path: Path, values: Any, expected: float) -> None:
    assert np.all(back(made_of(tmp_path, values.astype(np.float32), "png")) == expected)


def container(path: Path) -> dict[str, Any]:
    """The tags as another program of ffmpeg's reads them."""
    text = ffmpeg("-i", path, "-f", "ffmetadata", "-").decode()
    lines = text.replace("\\\n", "\n").split("\n")
    found = dict(line.partition("=")[::2] for line in lines if "=" in line)
    unescape = json.dumps("\\")[1:-1][:1]
    return {key.lower(): json.loads(_unescaped(value, unescape)) for key, value in found.items() if "{" in value}


def _unescaped(text: str, mark: str) -> str:
    out, taken = [], False
    for letter in text:
        taken = letter == mark and not taken
        if not taken:
            out.append(letter)
    return "".join(out)


@pytest.mark.parametrize("form", [name for name, form in formats().items() if form.metadata == "container"])
@pytest.mark.parametrize("sound", [None, tone(1)], ids=["silent", "sound"])
def test_the_workflow_comes_back_from_a_container(tmp_path: Path, form: str, sound: Any) -> None:
    assert container(made_of(tmp_path, moving(3), form, audio=sound, workflow=WORKFLOW)[0]) == WORKFLOW


def test_the_workflow_comes_back_from_a_picture(tmp_path: Path) -> None:
    from PIL import Image

    for path in made_of(tmp_path, moving(3), "png", workflow=WORKFLOW):
        with Image.open(path) as picture:
            assert {key: json.loads(text) for key, text in picture.text.items()} == WORKFLOW  # type: ignore[attr-defined]


def test_the_workflow_comes_back_from_webp_and_it_still_plays(tmp_path: Path) -> None:
    from PIL import Image

    path = made_of(tmp_path, moving(5), "webp", workflow=WORKFLOW)[0]
    with Image.open(path) as picture:
        texts = [picture.getexif()[tag] for tag in (0x0110, 0x010F)]
        assert picture.n_frames == 5  # type: ignore[attr-defined]
    assert {t.partition(":")[0]: json.loads(t.partition(":")[2]) for t in texts} == WORKFLOW


def test_one_frame_as_webp_keeps_the_workflow(tmp_path: Path) -> None:
    from PIL import Image

    path = made_of(tmp_path, moving(1, 95, 63), "webp", workflow=WORKFLOW)[0]
    with Image.open(path) as picture:
        assert picture.size == (95, 63) and picture.getexif()[0x0110] == f"prompt:{json.dumps(WORKFLOW['prompt'])}"
    assert psnr(back([path]), moving(1, 95, 63)) > 30


@pytest.mark.parametrize("form", sorted(formats().keys() - {"png"}))
def test_frames_that_are_equal_stay_as_many(tmp_path: Path, form: str) -> None:
    path = made_of(tmp_path, np.repeat(moving(1), 9, 0), form, fps=16)[0]
    assert len(VideoFile(path).frames()) == 9


@pytest.mark.parametrize("tag", ["hev1", "hvc1"])
def test_hevc_in_mp4_has_the_tag_that_quicktime_plays(tmp_path: Path, tag: str) -> None:
    first = tmp_path / "first.mp4"
    ffmpeg("-i", written(tmp_path / "a", moving(3)), "-c:v", "libx265", "-pix_fmt", "yuv420p", "-tag:v", tag, first)
    copied, encoded = (made_of(tmp_path / s, f, "mp4-h265")[0] for s, f in (("b", VideoFile(first)), ("c", moving(3))))
    assert all(b"hvc1" in path.read_bytes() and b"hev1" not in path.read_bytes() for path in (copied, encoded))


def packets(path: Path) -> bytes:
    return ffmpeg("-i", path, "-map", "0:v", "-c", "copy", "-f", "framemd5", "-").split(b"#software", 1)[-1]


@pytest.mark.parametrize("form", [name for name, form in formats().items() if form.copies])
def test_what_already_has_the_format_is_copied_and_gets_its_sound(tmp_path: Path, form: str) -> None:
    first = written(tmp_path / "a", moving(12), form, quality=40)
    again = made_of(tmp_path / "b", VideoFile(first), form, quality=100, audio=tone(2), workflow=WORKFLOW)[0]
    assert [line.split(b",")[-1] for line in packets(first).splitlines()[-12:]] == [
        line.split(b",")[-1] for line in packets(again).splitlines()[-12:]
    ]
    assert bool(probe(again).audio) == bool(formats()[form].audio)


def test_a_file_in_another_format_is_encoded_with_its_sound(tmp_path: Path) -> None:
    first = written(tmp_path / "a", moving(12), "mkv-ffv1", audio=tone(0.5))
    made = made_of(tmp_path / "b", VideoFile(first), "webm-vp9")[0]
    assert probe(made).codec == "vp9" and probe(made).audio == "opus" and probe(made).frames == 12
    assert psnr(VideoFile(made).frames(), moving(12)) > 34


def test_a_part_of_a_file_is_encoded_with_its_part_of_the_sound(tmp_path: Path) -> None:
    first = written(tmp_path / "a", moving(48), "mp4-h264", fps=24, audio=tone(2))
    made = made_of(tmp_path / "b", VideoFile(first, ClipSpec(start=0.5, length=12, width=48)), "mp4-h264")[0]
    facts, sound = probe(made), VideoFile(made).audio(12)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (48, 32, 12, 24)
    assert sound and abs(sound.seconds - 0.5) < 0.03
    expected = VideoFile(first, ClipSpec(start=0.5, length=12, width=48)).frames()
    assert psnr(VideoFile(made).frames(), expected) > 34


def test_a_small_copy_is_made_where_browsers_cannot_play_the_file(tmp_path: Path) -> None:
    for form in ("mov-prores", "gif", "mp4-h264"):
        made_of(tmp_path / form, moving(6, 95, 63), form, preview=True)
        assert (tmp_path / form / "preview.mp4").is_file() == (form != "mp4-h264")
    assert probe(tmp_path / "gif" / "preview.mp4").frames == 6


def test_a_killed_ffmpeg_is_one_error(tmp_path: Path) -> None:
    def kill(done: int, total: int) -> None:
        for child in psutil.Process().children():
            child.kill()

    with fails("video-not-written", "mp4-h264"):
        encode(source_of(moving(50, 640, 480), 24), EncodeRequest(formats()["mp4-h264"]), tmp_path, kill)


def test_a_file_that_cannot_grow_is_one_error_with_ffmpegs_last_words(tmp_path: Path) -> None:
    """What a full disk does; ffmpeg is told to stop at a size by the system."""
    resource = pytest.importorskip("resource")
    frames = np.random.default_rng(3).random((60, 240, 320, 3), np.float32)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with fails("video-not-written", "mkv-ffv1"):
            made_of(tmp_path, frames, "mkv-ffv1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_cancel_ends_ffmpeg(tmp_path: Path) -> None:
    def cancel(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(source_of(moving(9), 24), EncodeRequest(formats()["mp4-h264"]), tmp_path, cancel)
    assert not psutil.Process().children()


def test_a_gif_cannot_be_faster_than_its_clock(tmp_path: Path) -> None:
    with fails("fps-too-high", "gif", 50, 60):
        made_of(tmp_path, moving(3), "gif", fps=60)


def test_pictures_are_read_from_disk_one_by_one(tmp_path: Path) -> None:
    pictures = made_of(tmp_path / "a", moving(4), "png")
    made = made_of(tmp_path / "b", ImageFiles(tuple(pictures)), "mkv-ffv1")
    assert np.array_equal(back(made), moving(4))


@pytest.mark.parametrize("size", [(96, 64), (95, 63)])
def test_a_video_for_musubi_tuner_keeps_its_size(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save_video(moving(9, *size), tmp_path / "v.mp4", 16, tone(2))
    facts = probe(path)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (*size, 9, 16)
    assert facts.audio and psnr(VideoFile(path).frames(), moving(9, *size)) > 40
    assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("form", sorted(formats().keys() - {"png"}))
def test_a_video_for_other_programs_is_encoded_only_where_they_could_not_read_it(tmp_path: Path, form: str) -> None:
    video = VideoFile(written(tmp_path, moving(5), form, audio=tone(1)), ClipSpec(resize="crop"))
    path = save_video(video, tmp_path / "other.mp4", 0)
    assert (path == video.path) == (form not in ("gif", "webp", "mov-prores"))
    assert path == video.path or probe(path).codec == "h264"


def test_a_turned_video_is_upright_for_other_programs(tmp_path: Path) -> None:
    """PyAV ignores how the file asks players to turn its pictures."""
    made = written(tmp_path, moving(5), "mp4-h264")
    path = save_video(VideoFile(turned(made, tmp_path / "turned.mp4")), tmp_path / "upright.mp4", 0)
    assert (probe(path).width, probe(path).height, probe(path).rotation) == (64, 96, 0)
    assert psnr(VideoFile(path).frames(), np.rot90(moving(5), axes=(1, 2))) > 34
