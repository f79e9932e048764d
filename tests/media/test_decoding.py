"""Files that cannot be read, memory, and a cancel while decoding."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.moving import ffmpeg, moving, tone, written

from musubi_nodes.media import audio as sound_of_files
from musubi_nodes.media import decode
from musubi_nodes.media import ffmpeg as ffmpeg_process
from musubi_nodes.media.audio import read_audio
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.frames import ImageFiles, VideoFile
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails


def test_a_clip_is_held_once(tmp_path: Path) -> None:
    path = written(tmp_path, np.broadcast_to(moving(1, 320, 240), (80, 240, 320, 3)))
    tracemalloc.start()
    try:
        frames = VideoFile(path).frames()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < frames.nbytes + 32e6 < frames.nbytes * 1.5


def test_what_does_not_fit_into_memory_is_told_before(tmp_path: Path) -> None:
    path = written(tmp_path, moving(3))
    with fails("memory-too-small", path):
        VideoFile(path, ClipSpec(width=2_000_000, height=2_000_000)).frames()


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_torn_file_is_one_error_or_the_frames_that_are_whole(tmp_path: Path, share: float) -> None:
    whole = written(tmp_path, moving(24))
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    frames = VideoFile(torn).frames()
    assert 0 < len(frames) < 24 and np.array_equal(frames[:-1], moving(24)[: len(frames) - 1])


def test_an_mp4_without_its_end_is_refused(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole.mp4", tmp_path / "torn.mp4"
    ffmpeg("-i", written(tmp_path, moving(24)), "-c:v", "libx264", whole)
    torn.write_bytes(whole.read_bytes()[:-400])
    with fails("video-unreadable", torn):
        VideoFile(torn).frames()


def test_noise_inside_a_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, moving(24), "mp4-h264")
    data, middle = path.read_bytes(), path.read_bytes().index(b"mdat") + 8
    path.write_bytes(data[:middle] + b"\xff" * (len(data) - middle))
    with fails("video-unreadable", path):
        VideoFile(path).frames()


def test_sound_without_pictures_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    with fails("video-without-pictures", path):
        probe(path)


def test_a_cancel_ends_ffmpeg(tmp_path: Path) -> None:
    path = written(tmp_path, np.broadcast_to(moving(1, 640, 480), (60, 480, 640, 3)))
    seen = []

    def cancel(done: int, total: int) -> None:
        seen.append((done, total))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VideoFile(path).frames(cancel)
    assert seen and seen[0][1] == 60 and not psutil.Process().children()
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_progress_grows_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_BLOCK_BYTES", 5 * 96 * 64 * 3)
    seen: list[int] = []
    VideoFile(written(tmp_path, moving(24))).frames(lambda done, total: seen.append(done))
    assert seen == sorted(seen) and {5, 10, 15, 20, 24} <= set(seen)


def test_sound_is_cut_like_the_pictures(tmp_path: Path) -> None:
    path = written(tmp_path, moving(48), fps=24, audio=tone(2))
    sound = VideoFile(path, ClipSpec(start=0.5, length=12)).audio(12)
    assert sound and sound.rate == 44100 and sound.samples.shape == (2, 22050) and sound.samples.dtype == np.float32
    assert np.abs(sound.samples - tone(2).samples[:, 22050:44100]).max() < 0.01


def test_sound_that_begins_later_is_silence_until_then(tmp_path: Path) -> None:
    path, late = written(tmp_path, moving(24), fps=24, audio=tone(1)), tmp_path / "late.mkv"
    ffmpeg("-i", path, "-itsoffset", 0.25, "-i", path, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    sound = read_audio(late)
    assert sound and np.abs(sound.samples[:, :11000]).max() == 0 and np.abs(sound.samples[:, 11100:]).max() > 0.3


def test_sound_that_would_fill_the_memory_is_read_to_a_limit_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_of_files, "MOST", 1 << 20)
    path = written(tmp_path, moving(240), fps=24, audio=tone(10))  # 3.5 MB of samples
    tracemalloc.start()
    try:
        with fails("audio-too-long", path):
            read_audio(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6e6
    part = read_audio(path, seconds=1)
    assert part and part.seconds == 1


def test_a_silent_video_has_no_sound(tmp_path: Path) -> None:
    assert VideoFile(written(tmp_path, moving(3))).audio(3) is None


def test_pictures_of_different_sizes_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    paths = (tmp_path / "a.png", tmp_path / "b.png")
    for path, size in zip(paths, ((8, 8), (8, 9)), strict=True):
        Image.new("RGB", size).save(path)
    with fails("image-sizes-differ", "8x8", "8x9"):
        ImageFiles(paths).frames()


def test_pipes_that_cannot_be_widened_are_used_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux refuses wide pipes once a user has many; here it refuses a size that none may have."""
    monkeypatch.setattr(ffmpeg_process, "PIPE_BYTES", 3 << 30)
    path = written(tmp_path, moving(4))
    assert np.array_equal(VideoFile(path).frames(), moving(4))
