"""What is told of a video, in particular where its packets are not its frames."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.giving_up import GivenUp, GivesUp
from tests.moving import H264, HEARD, barred, bars, ffmpeg, moving, turned, written

from musubi_nodes.budget import limited_by
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.frames import VideoFile
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails

OPEN_GOP = ["-c:v", "libx264", "-x264-params", "open-gop=1:keyint=12:bframes=3", "-pix_fmt", "yuv420p"]


def coloured(transfer: str, primaries: str, matrix: str) -> list[str]:
    """Options that label a video: older versions of ffmpeg take them from the encoder's, newer from the frames."""
    label = f"setparams=color_trc={transfer}:color_primaries={primaries}:colorspace={matrix}"
    return ["-color_trc", transfer, "-color_primaries", primaries, "-colorspace", matrix, "-vf", label]


def all_frames(path: Path) -> list[int]:
    found = bars(VideoFile(path).frames())
    assert probe(path).frames == VideoFile(path).count() == len(found)
    return found


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("sound", [False, True])
def test_of_a_clip_that_was_cut_without_encoding_the_shown_frames_count(
    tmp_path: Path, ending: str, sound: bool
) -> None:
    whole = barred(tmp_path / f"whole{ending}", *H264, *(["-c:a", "aac"] if sound else []), frames=75, sound=sound)
    ffmpeg("-ss", 1.3, "-i", whole, "-c", "copy", "-t", 1.2, tmp_path / f"cut{ending}")
    found = all_frames(tmp_path / f"cut{ending}")
    assert found == sorted(found) and len(found) < 75


def test_of_a_stream_that_begins_in_the_middle_the_frames_that_can_be_decoded_count(tmp_path: Path) -> None:
    whole = barred(tmp_path / "whole.ts", *OPEN_GOP, frames=75)
    packets = whole.read_bytes()
    (tmp_path / "middle.ts").write_bytes(packets[: 3 * 188] + packets[30 * 188 :])
    found = all_frames(tmp_path / "middle.ts")
    assert found and found[-1] == 74


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts", ".avi", ".webm", ".gif", ".mpg"])
def test_a_whole_file_has_as_many_frames_as_were_written(tmp_path: Path, ending: str) -> None:
    codec = {".mpg": ["-c:v", "mpeg2video", "-q:v", 2], ".avi": ["-c:v", "mpeg4", "-bf", 2, "-q:v", 2]}.get(ending, [])
    assert probe(barred(tmp_path / f"whole{ending}", *codec, frames=40)).frames == 40


def test_counting_the_packets_of_a_long_video_can_be_given_up(tmp_path: Path) -> None:
    video = barred(tmp_path / "a.mp4", frames=40)
    with limited_by(GivesUp(after=2)), pytest.raises(GivenUp):
        probe(video)


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_an_ffmpeg_that_ends_in_the_middle_of_a_line_is_an_error(tmp_path: Path, monkeypatch: Any) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho '#tb 0: 1/25'; printf '0, 12, 1'; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("musubi_nodes.media.ffmpeg.executable", lambda: str(program))
    (tmp_path / "a.mp4").write_bytes(b"x")
    with fails("video-unreadable", "a.mp4"):
        probe(tmp_path / "a.mp4")


def test_a_turned_video_tells_its_rotation(tmp_path: Path) -> None:
    path = turned(barred(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    assert abs(probe(path).rotation) == 90
    assert (probe(path).width, probe(path).height, probe(path).upright) == (96, 32, (32, 96))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], {"pixel_aspect": 1.0, "hdr": False, "interlaced": False}),
        (["-vf", "setsar=16/15"], {"pixel_aspect": 16 / 15}),
        (coloured("arib-std-b67", "bt2020", "bt2020nc"), {"hdr": True}),
        (coloured("smpte2084", "bt2020", "bt2020nc"), {"hdr": True}),
        (coloured("bt709", "bt709", "bt709"), {"hdr": False}),
        (["-vf", "setfield=tff", "-flags", "+ildct+ilme", "-x264-params", "tff=1"], {"interlaced": True}),
    ],
)
def test_what_players_do_to_the_pictures_is_told(tmp_path: Path, options: list[str], told: dict[str, object]) -> None:
    facts = probe(barred(tmp_path / "a.mp4", *H264, *options))
    assert {name: getattr(facts, name) for name in told} == told


@pytest.mark.parametrize(
    "title",
    ["displaymatrix: rotation of 90", "Display Matrix: rotation of 90", "start: 7", "x\nDuration: 01:00:00, start: 7,"],
)
def test_a_title_says_nothing_of_the_video(tmp_path: Path, title: str) -> None:
    plain = barred(tmp_path / "a.mp4")
    ffmpeg(
        "-i", plain, "-c", "copy", "-metadata", f"title={title}", "-metadata:s:v", f"title={title}", tmp_path / "b.mp4"
    )
    assert probe(tmp_path / "b.mp4") == probe(plain)
    assert (probe(tmp_path / "b.mp4").begin, probe(tmp_path / "b.mp4").end) == (probe(plain).begin, probe(plain).end)


def test_why_a_file_is_no_video_is_told_by_ffmpegs_errors_only(tmp_path: Path) -> None:
    path = barred(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:1000])
    with fails("video-unreadable", path) as error:
        probe(path)
    assert error.value.why and "Stream" not in error.value.why and "0x" not in error.value.why
    sound = tmp_path / "b.mka"
    ffmpeg(*HEARD, sound)
    with fails("video-without-pictures", sound) as error:
        probe(sound)
    assert "Stream #" not in error.value.why


def test_sound_that_begins_before_the_picture_moves_no_frame(tmp_path: Path) -> None:
    barred(tmp_path / "a.mp4")
    ffmpeg(
        *HEARD,
        "-itsoffset",
        0.5,
        "-i",
        tmp_path / "a.mp4",
        "-map",
        "1:v",
        "-map",
        "0:a",
        "-c:v",
        "copy",
        tmp_path / "b.mkv",
    )
    assert probe(tmp_path / "b.mkv").begin == pytest.approx(0.5, abs=0.03)
    assert bars(VideoFile(tmp_path / "b.mkv", ClipSpec(start=1, length=3)).frames()) == [25, 26, 27]


def test_an_empty_tail_of_the_index_is_no_frame(tmp_path: Path) -> None:
    path = written(tmp_path, moving(12), "mp4-h264")
    assert probe(path).frames == len(np.asarray(VideoFile(path).frames())) == 12
