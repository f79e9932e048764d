from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.links import symlink
from tests.moving import moving, numbered, numbers, tone, written

from musubi_nodes.families.context import Context
from musubi_nodes.families.input_files import input_names
from musubi_nodes.media import frames as media_frames
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def clip(place: Workplace) -> str:
    """48 numbered frames at 24 a second with sound, in the input folder."""
    written(place.folder / "made", numbered(48), audio=tone(2)).rename(place.folder / "input" / "clip.mkv")
    return "clip.mkv"


def run(place: Workplace, linked: set[str] | None = None, **values: Any) -> Any:
    node = place.node("VideoInput")
    context = Context(place.host, place.services, node.title, None if linked is None else frozenset(linked))
    return node().run(node.parse(values), context)


def test_everything_of_a_file_comes_out(place: Workplace, clip: str) -> None:
    out = run(place, file=clip)
    assert numbers(out.frames) == list(range(48)) and out.frames.dtype == np.float32
    assert (out.fps, out.count, out.width, out.height) == (24, 48, 16, 16)
    assert out.audio.samples.shape == (2, 88200) and out.video.path == place.folder / "input" / clip


def test_all_outputs_are_the_same_part(place: Workplace, clip: str) -> None:
    out = run(place, file=clip, start=0.5, length=20, fps=12, width=32, height=64, resize="pad", rounding="N*8+1")
    assert (out.count, out.fps, out.width, out.height) == (17, 12, 32, 64)
    assert out.frames.shape == (17, 64, 32, 3) and np.array_equal(out.video.frames(), out.frames)
    assert numbers(out.frames[:, 32:33]) == list(range(12, 46, 2))
    assert abs(out.audio.seconds - 17 / 12) < 0.001


@pytest.mark.parametrize(("rounding", "count"), [("none", 48), ("N*4+1", 45), ("N*8+1", 41), ("N*36+1", 37)])
def test_the_number_of_frames_is_rounded_down(place: Workplace, clip: str, rounding: str, count: int) -> None:
    out = run(place, file=clip, rounding=rounding)
    assert out.count == len(out.frames) == count and abs(out.audio.seconds - count / 24) < 0.001


def test_what_is_not_connected_is_not_decoded(place: Workplace, clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_frames, "decode", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(media_frames, "read_audio", lambda *_: pytest.fail("decoded"))
    out = run(place, {"video", "count"}, file=clip, fps=12, start=1)
    assert out.frames is None and out.audio is None and out.count == 12 and out.video.cut.length == 12


def test_too_few_frames_for_the_rounding_are_told(place: Workplace, clip: str) -> None:
    with fails("frames-too-few", 8, "N*36+1"):
        run(place, file=clip, length=8, rounding="N*36+1")


def test_a_cancel_while_decoding_is_the_hosts_own_exception(
    place: Workplace, clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt() -> None:
        raise Interrupted

    monkeypatch.setattr(place.host, "raise_if_interrupted", interrupt)
    with pytest.raises(Interrupted):
        run(place, file=clip)


@pytest.mark.parametrize(
    ("file", "code", "value"),
    [
        ("none.mp4", "file-missing", "'none.mp4'"),
        ("clip.mp4", "file-missing", "'clip.mkv'"),
        ("", "file-missing", "''"),
        ("../made/x.mkv", "path-outside-folder", "input"),
        ("sub\\..\\..\\x.mkv", "path-outside-folder", "input"),
        ("../x.mkv [output]", "path-outside-folder", "output"),
        ("empty.mp4", "file-empty", "empty.mp4"),
        ("text.mp4", "video-unreadable", "text.mp4"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(
    place: Workplace, clip: str, file: str, code: str, value: str
) -> None:
    (place.folder / "input" / "empty.mp4").touch()
    (place.folder / "input" / "text.mp4").write_text("no video at all")
    with fails(code, value):
        run(place, file=file)


@pytest.mark.parametrize(
    ("values", "linked", "code"),
    [
        ({"file": "none.mp4"}, set(), "file-missing"),
        ({"file": "text.mp4"}, {"start"}, "video-unreadable"),
        ({"file": "clip.mkv", "start": 2.0}, set(), "video-start-behind-end"),
        ({"file": "clip.mkv", "start": 2.0}, {"start"}, ""),
        ({"file": "none.mp4"}, {"file"}, ""),
        ({"file": "clip.mkv", "start": 1.9, "fps": 12.0}, set(), ""),
    ],
)
def test_what_cannot_be_read_is_told_before_the_queue_runs(
    place: Workplace, clip: str, values: dict[str, Any], linked: set[str], code: str
) -> None:
    (place.folder / "input" / "text.mp4").write_text("no video at all")
    node = place.node("VideoInput")
    with fails(code) if code else contextlib.nullcontext():
        node().validate(node.known(values), linked, Context(place.host, place.services))


def test_files_are_found_in_subfolders_the_output_folder_and_by_path(place: Workplace, clip: str) -> None:
    source = place.folder / "input" / clip
    for folder in (place.folder / "input" / "sub", place.host.output_folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "x.mkv").write_bytes(source.read_bytes())
    for name in ("sub/x.mkv", "sub\\x.mkv", "x.mkv [output]", "clip.mkv [input]", str(source), f'"{source}"'):
        assert run(place, file=name).count == 48


def test_beyond_loopback_only_allowed_folders_are_read(
    place: Workplace, clip: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(place.host, "trusted", False)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.mkv"
    elsewhere.write_bytes((place.folder / "input" / clip).read_bytes())
    assert run(place, file=clip).count == 48
    with fails("path-not-allowed"):
        run(place, file=str(elsewhere))
    link = place.folder / "input" / "link.mkv"
    symlink(link, elsewhere)
    with fails("path-not-allowed"):
        run(place, file="link.mkv")


def test_the_list_offers_videos_of_the_folder_itself(tmp_path: Path) -> None:
    for name in ("b.MP4", "a.webm", "c.txt", "d.png", "sub/e.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name, frames in {"moving.webp": 3, "still.webp": 1}.items():
        written(tmp_path / "made", moving(frames), "webp").rename(tmp_path / name)
    assert input_names(tmp_path, "video") == ["a.webm", "b.MP4", "moving.webp"]
    assert input_names(tmp_path, "image") == ["d.png", "moving.webp", "still.webp"]
    assert input_names(tmp_path / "none", "video") == []


def test_a_clip_of_noise_is_one_error(place: Workplace) -> None:
    path = written(place.folder / "made", moving(24), "mp4-h264")
    data = path.read_bytes()
    middle = data.index(b"mdat") + 200
    (place.folder / "input" / "x.mp4").write_bytes(data[:middle] + bytes(range(256)) * ((len(data) - middle) // 256))
    with fails("video-unreadable", "x.mp4"):
        run(place, file="x.mp4")


@pytest.mark.parametrize("suffix", [".m3u8", ".mp4"])
def test_a_list_of_other_files_is_no_video(place: Workplace, clip: str, tmp_path: Path, suffix: str) -> None:
    """It would show videos of the server that no workflow may read."""
    source = (place.host.input_folder() / clip).absolute()
    playlist = tmp_path / f"list{suffix}"
    playlist.write_text(f"#EXTM3U\n#EXTINF:1,\n{source}\n#EXT-X-ENDLIST\n", "utf-8")
    with fails("video-unreadable", playlist):
        run(place, file=str(playlist))
