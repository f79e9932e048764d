"""Which frames of a video come out. The frames say their number, and the files lose nothing."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tests.moving import H264, HEARD, barred, bars, ffmpeg, moving, numbered, numbers, written

from musubi_nodes.families.input_files import SUFFIXES
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.encode import EncodeRequest, encode
from musubi_nodes.media.formats import formats
from musubi_nodes.media.frames import VideoFile, source_of
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails

BOTH = pytest.mark.parametrize("form", ["mkv-ffv1", "mp4-lossless"], ids=["milliseconds", "exact times"])


def taken(path: Path, **cut: float) -> list[int]:
    video = VideoFile(path, ClipSpec(**cut))  # type: ignore[arg-type]
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


@pytest.mark.parametrize("sound", [False, True], ids=["silent", "sound"])
@pytest.mark.parametrize("suffix", [*SUFFIXES["video"], ".flv"])
def test_start_is_exact_in_every_container(tmp_path: Path, suffix: str, sound: bool) -> None:
    if suffix in (".gif", ".webp") and sound:
        pytest.skip("it is silent")
    path = barred(tmp_path / f"x{suffix}", sound=sound)
    for first in (1, 10, 19, 20, 50):
        found = bars(VideoFile(path, ClipSpec(start=first / 25)).frames())
        assert found == list(range(first, 75))
    assert bars(VideoFile(path, ClipSpec(start=2.0, length=3, every=3)).frames()) == [50, 53, 56]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fragmented.mp4", [*H264, "-movflags", "frag_keyframe+empty_moov"]),
        ("open.mp4", [*H264, "-x264-params", "open-gop=1:bframes=8:b-adapt=0"]),
        ("live.webm", ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "4", "-g", "20", "-live", "1"]),
        ("raw.mpg", ["-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-f", "mpeg2video"]),
    ],
)
def test_start_is_exact_where_the_index_is_poor(tmp_path: Path, name: str, options: list[str]) -> None:
    path = barred(tmp_path / name, *options)
    for first in (1, 18, 19, 20, 39, 50):
        assert bars(VideoFile(path, ClipSpec(start=first / 25)).frames()) == list(range(first, 75))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".flv"])
def test_a_picture_that_begins_later_than_the_sound_keeps_its_place_in_it(tmp_path: Path, suffix: str) -> None:
    """Sound is heard from second 1 on, the picture begins at 0.48: frame 13 is the first that is heard."""
    path, picture = tmp_path / f"x{suffix}", barred(tmp_path / "picture.mp4")
    ffmpeg("-itsoffset", 0.48, "-i", picture, *HEARD, "-map", "0:v", "-map", "1:a", "-c:v", "copy", path)
    for first in (0, 10):
        video = VideoFile(path, ClipSpec(start=first / 25, length=50))
        found, sound = bars(video.frames()), video.audio(50)
        assert found == list(range(first, first + 50)) and sound
        assert abs(np.argmax(np.abs(sound.samples[0]) > 0.1) / sound.rate - (13 - first) / 25) < 0.03


def test_length_counts_frames_that_come_out(tmp_path: Path) -> None:
    path = written(tmp_path, numbered(60), fps=30)
    assert taken(path, length=5) == [0, 1, 2, 3, 4]
    assert taken(path, length=3, every=4, start=1) == [30, 34, 38]
    assert taken(path, length=200) == list(range(60))


def test_every_nth_comes_after_the_rate(tmp_path: Path) -> None:
    path = written(tmp_path, numbered(60), fps=30)
    assert taken(path, fps=16, every=3) == as_musubi_tuner(60, 30, 16)[::3]
    assert float(ClipSpec(fps=16, every=2).rate(probe(path))) == 8


def test_a_varying_rate_is_resampled_by_time(tmp_path: Path) -> None:
    """20 frames at 20 a second, then 10 at 10 a second."""
    even = written(tmp_path, numbered(30), fps=20)
    path = tmp_path / "varying.mkv"
    times = r"setpts=if(lt(N\,20)\,N/20\,1+(N-20)/10)/TB"
    ffmpeg("-i", even, "-vf", times, "-fps_mode", "vfr", "-c:v", "ffv1", "-pix_fmt", "bgr0", path)
    assert taken(path, fps=10) == [*range(0, 20, 2), *range(20, 30)]
    assert taken(path, start=1.1) == list(range(21, 30)) and taken(path, start=0.5) == list(range(10, 30))


def test_no_frame_is_lost_where_a_varying_rate_tells_a_mean(tmp_path: Path) -> None:
    """50 frames in 10 seconds, then 45 in one, as a phone in the dark and then in the light."""
    times = r"setpts=if(lt(N\,50)\,N/5\,10+(N-50)/50)/TB"
    raw = barred(tmp_path / "even.mkv", "-c:v", "ffv1", frames=95)
    varying = ["-i", raw, "-vf", times, "-fps_mode", "vfr", "-enc_time_base", "1/1000", *H264]
    ffmpeg(*varying, "-use_editlist", "0", tmp_path / "varying.mp4")  # ffmpeg 7.0's list leaves the last frame out
    assert bars(VideoFile(tmp_path / "varying.mp4").frames()) == list(range(95))
    video = VideoFile(tmp_path / "varying.mp4", ClipSpec(start=10.0))
    assert bars(video.frames()) == list(range(50, 95)) and video.count() == 45
    part = encode(source_of(video, 0), EncodeRequest(formats()["mkv-ffv1"]), tmp_path)[0]
    assert bars(VideoFile(part).frames()) == list(range(50, 95))
    ffmpeg(*varying, tmp_path / "varying.mkv")
    facts = probe(tmp_path / "varying.mkv")
    assert abs(facts.duration - facts.end) < 0.1 and 10.8 < facts.end < 11.1  # ffmpeg 7.0 makes the last frame longer


@pytest.mark.parametrize("fps", [11.99, 14.985, 23.976, 23.98, 29.97, 59.94])
def test_the_rate_of_the_file_itself_drops_nothing(tmp_path: Path, fps: float) -> None:
    path = written(tmp_path, numbered(82), "mp4-lossless", fps=fps)
    assert taken(path, fps=fps) == list(range(82))
    exact = probe(path).rate
    assert exact.denominator == 1001 and ClipSpec(fps=fps).rate(probe(path)) == exact


def test_frames_of_a_part_that_an_edit_list_shows_are_counted(tmp_path: Path) -> None:
    """A cut without encoding, as phones do it: the file holds more frames than it shows."""
    whole = barred(tmp_path / "whole.mp4")
    ffmpeg("-ss", 0.6, "-i", whole, "-c", "copy", tmp_path / "part.mp4")
    video = VideoFile(tmp_path / "part.mp4")
    assert bars(video.frames()) == list(range(15, 75)) and video.count() == 60
    assert bars(VideoFile(video.path, ClipSpec(start=1)).frames()) == list(range(40, 75))


@pytest.mark.parametrize(
    ("form", "fps"),
    [*product(["gif", "webp"], [16, 24, 30]), *((form, formats()[form].max_fps) for form in ("gif", "webp"))],
)
def test_a_coarse_clock_keeps_the_length(tmp_path: Path, form: str, fps: float) -> None:
    """GIF counts hundredths of a second, WebP thousandths; the first frames' delay alone is another rate."""
    path = written(tmp_path, moving(81), form, fps=fps)
    assert probe(path).frames == 81 and abs(probe(path).duration - 81 / fps) < 0.02
    assert len(VideoFile(path, ClipSpec(start=0.5)).frames()) == 81 - fps / 2


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
    cut = ClipSpec(**wanted)  # type: ignore[arg-type]
    assert VideoFile(written(tmp_path, moving(3)), cut).frames().shape == (3, *size, 3)


def test_crop_keeps_the_middle_and_pad_adds_black_bars(tmp_path: Path) -> None:
    picture = np.zeros((1, 64, 128, 3), np.float32)
    picture[:, :, 32:96] = 1
    path = written(tmp_path, picture)
    assert VideoFile(path, ClipSpec(width=64, height=64, resize="crop")).frames().min() > 0.95
    padded = VideoFile(path, ClipSpec(width=128, height=128, resize="pad")).frames()[0]
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
        with fails("video-start-behind-end", start):
            VideoFile(path, ClipSpec(start=start)).frames()
