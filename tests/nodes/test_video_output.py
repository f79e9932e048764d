from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests.moving import moving, psnr, tone, written

from musubi_nodes.families.context import Context
from musubi_nodes.hosts.terminal.host import TerminalHost
from musubi_nodes.hosts.terminal.run import run_file
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.formats import formats
from musubi_nodes.media.frames import ImageFiles, VideoFile
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace


def run(place: Workplace, context: Context | None = None, **values: Any) -> Any:
    node = place.node("VideoOutput")
    context = context or Context(place.host, place.services, node.title)
    out = node().run(node.parse(values), context)
    place.texts = context.texts
    return out


def left(place: Workplace) -> list[str]:
    return sorted(path.name for path in (place.host.output_folder / "musubi").iterdir())


@pytest.mark.parametrize("form", ["mkv-ffv1", "mp4-lossless"])
def test_frames_survive_the_way_out_and_in_bit_for_bit(place: Workplace, form: str) -> None:
    out = run(place, images=moving(9, 95, 63), format=form, fps=16, audio=tone(1))
    again = place.run("VideoInput", file=out.path)
    assert np.array_equal(again.frames, moving(9, 95, 63))
    assert (again.fps, again.count, again.width, again.height) == (16, 9, 95, 63)
    assert abs(again.audio.seconds - 9 / 16) < 0.001


def test_pictures_survive_in_a_folder_of_their_own(place: Workplace) -> None:
    out = run(place, images=moving(5), format="png", filename_prefix="cat")
    names = [path.name for path in sorted(Path(out.path).iterdir())]
    assert names == [f"cat_{n:05d}.png" for n in range(1, 6)] and out.video is None
    pictures = ImageFiles(tuple(sorted(Path(out.path).iterdir())))
    assert np.array_equal(pictures.frames(), moving(5))


@pytest.mark.parametrize("form", formats())
def test_nothing_is_overwritten_and_nothing_else_is_left(place: Workplace, form: str) -> None:
    paths = [run(place, images=moving(3), format=form, filename_prefix="a").path for _ in range(3)]
    suffix = "" if formats()[form].pictures else formats()[form].suffix
    assert [Path(path).name for path in paths] == [f"a{suffix}", f"a-2{suffix}", f"a-3{suffix}"]
    assert left(place) == sorted(Path(path).name for path in paths)


def test_a_video_keeps_its_rate_and_sound(place: Workplace) -> None:
    source = written(place.folder / "in", moving(12), "mp4-h264", fps=12, audio=tone(1))
    out = run(place, video=VideoFile(source), fps=99)
    facts = probe(Path(out.path))
    assert (facts.frames, facts.fps, facts.audio) == (12, 12, "aac") and "copied" in place.texts[0]
    out = run(place, video=VideoFile(source, ClipSpec(length=6)), format="webm-vp9", audio=tone(3))
    assert probe(Path(out.path)).frames == 6 and "copied" not in place.texts[0]
    assert abs(out.video.audio(6).seconds - 0.5) < 0.03
    assert psnr(out.video.frames(), moving(12)[:6]) > 33


@pytest.mark.parametrize("values", [{}, {"width": 96}, {"resize": "pad"}, {"length": 6}, {"width": 48}])
def test_a_video_that_video_input_leaves_as_it_is_is_copied(place: Workplace, values: dict[str, Any]) -> None:
    source = written(place.folder / "in", moving(12), "mp4-h264", audio=tone(1))
    run(place, video=place.run("VideoInput", file=str(source), **values).video)
    assert ("copied, not encoded again" in place.texts[0]) == ("length" not in values and values.get("width") != 48)


@pytest.mark.parametrize("values", [{}, {"images": moving(2), "video": VideoFile(Path("x.mp4"))}])
def test_frames_or_a_video_must_be_connected(place: Workplace, values: dict[str, Any]) -> None:
    with fails("inputs-conflict"):
        run(place, **values)


@pytest.mark.parametrize("form", formats())
def test_a_batch_without_frames_is_told_and_leaves_nothing(place: Workplace, form: str) -> None:
    with fails("frames-missing"):
        run(place, images=moving(3)[:0], format=form)
    assert left(place) == []


@pytest.mark.parametrize(
    ("values", "linked", "told"),
    [
        ({}, {"images", "video"}, ("inputs-conflict",)),
        ({}, {"audio"}, ("inputs-conflict",)),
        ({"format": "gif", "fps": 120.0}, {"images"}, ("fps-too-high", "gif", 50, 120)),
        ({"format": "gif", "fps": 120.0}, {"images", "fps"}, ()),
        ({"format": "gif", "fps": 120.0}, {"video"}, ()),
        ({"format": "gif", "fps": 50.0}, {"images"}, ()),
        ({"format": "webp", "fps": 91.0}, {"images"}, ("fps-too-high", "webp", 90, 91)),
    ],
)
def test_what_cannot_be_written_is_told_before_the_queue_runs(
    place: Workplace, values: dict[str, Any], linked: set[str], told: tuple[Any, ...]
) -> None:
    node = place.node("VideoOutput")
    with fails(*told) if told else contextlib.nullcontext():
        node().validate(node.known(values), linked, Context(place.host, place.services))


@pytest.mark.parametrize("prefix", ["../x", "a/b", "", "con", "/etc/x", "a\\b", ".x"])
def test_the_prefix_is_a_plain_name(place: Workplace, prefix: str) -> None:
    with fails("file-name-invalid", "filename_prefix"):
        run(place, images=moving(2), filename_prefix=prefix)


def test_what_was_done_differently_is_told(place: Workplace) -> None:
    run(place, images=moving(3, 95, 63))
    assert (
        "96 x 64 " in place.texts[0]
        and "padded to an even size" in place.texts[0]
        and "musubi/video.mp4" in place.texts[0]
    )
    run(place, images=moving(3), format="gif", audio=tone(1), fps=16)
    assert "without sound" in place.texts[0] and "16 fps on average: frames last 6 or 7 of 100" in place.texts[0]
    run(place, images=moving(3), format="gif", fps=20)
    assert "average" not in place.texts[0]


def test_a_cancel_leaves_nothing(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt() -> None:
        raise Interrupted

    monkeypatch.setattr(place.host, "raise_if_interrupted", interrupt)
    with pytest.raises(Interrupted):
        run(place, images=moving(3))
    assert left(place) == []


def test_an_ffmpeg_that_is_killed_leaves_nothing(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill() -> None:
        for child in psutil.Process().children():
            child.kill()

    monkeypatch.setattr(place.host, "raise_if_interrupted", kill)
    with fails("video-not-written", "mp4-h264"):
        run(place, images=moving(30, 320, 240))
    assert left(place) == []


def test_the_preview_is_a_copy_where_browsers_need_one(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TerminalHost, "preview_folder", place.folder / "temp")
    shown = {}
    for form in formats():
        context = Context(place.host, place.services)
        run(place, context, images=moving(20), format=form)
        shown[form] = context.pictures
    assert {form for form, pictures in shown.items() if pictures[0].parent == place.folder / "temp"} == {
        "mp4-h265", "gif", "mov-prores", "mkv-ffv1", "mp4-lossless",
    }  # fmt: skip
    assert len(shown["png"]) == 16 and all(probe(shown[form][0]).codec == "h264" for form in ("gif", "mkv-ffv1"))


def test_a_preview_that_cannot_be_written_fails_no_video(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TerminalHost, "preview_folder", place.folder / "temp")
    (place.folder / "temp").write_text("no folder")
    context = Context(place.host, place.services)
    out = run(place, context, images=moving(20), format="gif")
    assert context.pictures == [Path(out.path)] and Path(out.path).is_file()


def test_a_workflow_file_runs_both_in_a_terminal_and_is_inside_what_it_made(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    written(place.folder / "made", moving(12), "mkv-ffv1", audio=tone(1)).rename(place.folder / "input" / "clip.mkv")
    graph = {
        "1": {"class_type": "MusubiTuner_VideoInput", "inputs": {"file": "clip.mkv", "fps": 12.0, "upload": "image"}},
        "2": {
            "class_type": "MusubiTuner_VideoOutput",
            "inputs": {"images": ["1", 0], "audio": ["1", 2], "fps": ["1", 3], "format": "png"},
        },
    }
    path = place.folder / "workflow.json"
    path.write_text(json.dumps(graph), "utf-8")
    assert run_file(path, [], place.host.output_folder) == 0
    assert "6 frames" in capsys.readouterr().out
    pictures = sorted((place.host.output_folder / "musubi" / "video").iterdir())
    with Image.open(pictures[0]) as picture:
        assert json.loads(picture.text["prompt"]) == graph  # type: ignore[attr-defined]
    assert np.array_equal(ImageFiles(tuple(pictures)).frames(), moving(12)[::2])
