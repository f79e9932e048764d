"""Which frames of a video come out. The frames say their number, and the files lose nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.moving import ffmpeg, moving, numbered, numbers, written

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.cut import Cut
from musubi_nodes.media.frames import VideoFile

BOTH = pytest.mark.parametrize("form", ["mkv-ffv1", "mp4-lossless"], ids=["milliseconds", "exact times"])


def taken(path: Path, **cut: float) -> list[int]:
    video = VideoFile(path, Cut(**cut))  # type: ignore[arg-type]
    found = numbers(video.frames())
    assert video.count() == len(found)
    return found


def as_musubi_tuner(frames: int, source: float, target: float) -> list[int]:
    """dataset/media_utils.py, v0.3.4: a frame is kept where the rounded down position grows."""
    kept, previous = [], -1
    for n in range(frames):
        if int(n * target / source + 1e-6) != previous:
            kept.append(n)
        previous = int(n * target / source + 1e-6)
    return kept


@BOTH
def test_without_a_choice_every_frame_comes_once(tmp_path: Path, form: str) -> None:
    for fps in (16, 23.976, 24, 30, 60):
        assert taken(written(tmp_path / f"{fps}", numbered(40), form, fps=fps)) == list(range(40))


@BOTH
@pytest.mark.parametrize(("source", "target"), [(30, 16), (24, 16), (60, 24), (29.97, 16), (25, 24), (24, 24), (30, 1)])
def test_a_lower_rate_drops_the_frames_that_musubi_tuner_drops(
    tmp_path: Path, form: str, source: float, target: float
) -> None:
    path = written(tmp_path, numbered(120), form, fps=source)
    assert taken(path, fps=target) == as_musubi_tuner(120, source, target)


@BOTH
def test_a_higher_rate_repeats_frames_and_keeps_the_speed(tmp_path: Path, form: str) -> None:
    found = taken(written(tmp_path, numbered(24), form, fps=12), fps=24)
    assert len(found) in (47, 48, 49) and found == sorted(found) and set(found) == set(range(24))


@BOTH
def test_start_counts_from_the_frame_that_begins_there(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, numbered(48), form, fps=24)
    assert taken(path, start=1) == list(range(24, 48))
    assert taken(path, start=1 / 24) == list(range(1, 48))
    assert taken(path, start=1.51)[0] == 37  # the first frame at or after it


def test_length_counts_frames_that_come_out(tmp_path: Path) -> None:
    path = written(tmp_path, numbered(60), fps=30)
    assert taken(path, length=5) == [0, 1, 2, 3, 4]
    assert taken(path, length=3, every=4, start=1) == [30, 34, 38]
    assert taken(path, length=200) == list(range(60))


def test_every_nth_comes_after_the_rate(tmp_path: Path) -> None:
    path = written(tmp_path, numbered(60), fps=30)
    assert taken(path, fps=16, every=3) == as_musubi_tuner(60, 30, 16)[::3]
    assert float(Cut(fps=16, every=2).rate(_facts(path))) == 8


def test_a_varying_rate_is_resampled_by_time(tmp_path: Path) -> None:
    """20 frames at 20 a second, then 10 at 10 a second."""
    even = written(tmp_path, numbered(30), fps=20)
    path = tmp_path / "varying.mkv"
    times = r"setpts=if(lt(N\,20)\,N/20\,1+(N-20)/10)/TB"
    ffmpeg("-i", even, "-vf", times, "-fps_mode", "vfr", "-c:v", "ffv1", "-pix_fmt", "bgr0", path)
    assert taken(path, fps=10) == [*range(0, 20, 2), *range(20, 30)]
    assert taken(path, start=1.1) == list(range(21, 30)) and taken(path, start=0.5) == list(range(10, 30))


def test_frames_are_whole_numbers_of_255_in_one_float_array(tmp_path: Path) -> None:
    frames = VideoFile(written(tmp_path, moving())).frames()
    assert frames.dtype == np.float32 and frames.shape == (12, 64, 96, 3) and frames.flags.c_contiguous
    assert np.array_equal(frames, np.rint(frames * 255).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        ({"width": 48}, (32, 48)),
        ({"height": 32}, (32, 48)),
        ({"width": 64, "height": 64, "resize": "stretch"}, (64, 64)),
        ({"width": 64, "height": 64, "resize": "crop"}, (64, 64)),
        ({"width": 101, "height": 33, "resize": "pad"}, (33, 101)),
        ({"width": 31, "height": 97, "resize": "crop"}, (97, 31)),
    ],
)
def test_the_size_is_the_one_that_was_asked_for(tmp_path: Path, wanted: dict[str, int], size: tuple[int, int]) -> None:
    cut = Cut(**wanted)  # type: ignore[arg-type]
    assert VideoFile(written(tmp_path, moving(3)), cut).frames().shape == (3, *size, 3)


def test_crop_keeps_the_middle_and_pad_adds_black_bars(tmp_path: Path) -> None:
    picture = np.zeros((1, 64, 128, 3), np.float32)
    picture[:, :, 32:96] = 1
    path = written(tmp_path, picture)
    assert VideoFile(path, Cut(width=64, height=64, resize="crop")).frames().min() > 0.95
    padded = VideoFile(path, Cut(width=128, height=128, resize="pad")).frames()[0]
    assert padded[:30].max() == padded[98:].max() == 0 and padded[40:88, 40:88].min() > 0.95


def test_a_turned_video_comes_upright(tmp_path: Path) -> None:
    flat, turned = written(tmp_path, moving(3), "mp4-lossless"), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", 90, "-i", flat, "-c", "copy", turned)
    frames = VideoFile(turned).frames()
    assert frames.shape == (3, 96, 64, 3)
    assert np.array_equal(np.rot90(VideoFile(flat).frames(), axes=(1, 2)), frames)


def test_a_start_behind_the_end_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, numbered(24), fps=24)
    for start in (1, 1.2, 99):
        with pytest.raises(MusubiError, match="behind the end"):
            VideoFile(path, Cut(start=start)).frames()


def _facts(path: Path):  # type: ignore[no-untyped-def]
    from musubi_nodes.media.probe import probe

    return probe(path)
