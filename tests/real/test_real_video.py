"""The video nodes in a real ComfyUI: upload, queue, history, and the workflow inside what they wrote."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.media.test_encoding import container
from tests.moving import moving, psnr, tone, written
from tests.real.comfy import Comfy, message, start

from musubi_nodes.media.formats import formats
from musubi_nodes.media.frames import ImageFiles, VideoFile
from musubi_nodes.media.probe import probe

pytestmark = pytest.mark.comfyui

WORKFLOW = {"nodes": [{"id": 1, "type": "猫"}], "links": []}


@pytest.fixture(scope="module", params=["", "--disable-metadata"])
def comfy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    flags = [request.param] if request.param else []
    started = start(tmp_path_factory.mktemp("comfy"), 'install = "miniature"\n', *flags)
    yield started
    started.end()


@pytest.fixture
def clip(comfy: Comfy, tmp_path: Path) -> str:
    return comfy.upload(written(tmp_path, moving(24), "mp4-lossless", audio=tone(1)))


def run(comfy: Comfy, graph: dict[str, Any]) -> Any:
    status, answer = comfy.post("/prompt", {"prompt": graph, "extra_data": {"extra_pnginfo": {"workflow": WORKFLOW}}})
    assert status == 200, answer
    entry = comfy.wait(answer["prompt_id"])
    assert entry["status"]["status_str"] == "success", message(entry)
    return entry["outputs"]


def node(name: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": name, "inputs": inputs}


def graph_of(clip: str, **output: Any) -> dict[str, Any]:
    return {
        "1": node("MusubiTuner_VideoInput", file=clip),
        "2": node("MusubiTuner_VideoOutput", images=["1", 0], audio=["1", 2], **output),
    }


def file_of(comfy: Comfy, shown: dict[str, str]) -> Path:
    return comfy.folder / shown["type"] / shown["subfolder"] / shown["filename"]


def served(comfy: Comfy, shown: dict[str, str]) -> bytes:
    """What the page gets for a picture of the history."""
    query = "&".join(f"{key}={value}" for key, value in shown.items())
    with urllib.request.urlopen(f"http://127.0.0.1:{comfy.port}/view?{query}", timeout=30) as answer:
        return bytes(answer.read())


def metadata_off(comfy: Comfy) -> bool:
    return "--disable-metadata" in comfy.process.args  # type: ignore[operator]


def test_the_file_is_a_combo_with_an_upload_button(comfy: Comfy, clip: str) -> None:
    known = comfy.get("/object_info/MusubiTuner_VideoInput")["MusubiTuner_VideoInput"]["input"]["required"]
    names, options = known["file"]
    assert clip in names and options["video_upload"] is True


def test_an_uploaded_file_comes_out_bit_for_bit_with_its_workflow(comfy: Comfy, clip: str) -> None:
    graph = graph_of(clip, format="mp4-lossless", fps=["1", 3], filename_prefix="exact")
    shown = run(comfy, graph)["2"]
    made = comfy.folder / "output" / "musubi" / "exact.mp4"
    assert np.array_equal(VideoFile(made).frames(), moving(24))
    sound = VideoFile(made).audio(24)
    assert sound and sound.seconds == 1 and np.abs(sound.samples - tone(1).samples).max() < 0.001
    found = container(made)
    for step in found.get("prompt", {}).values():
        step.pop("is_changed", None)  # ComfyUI's own note in the running prompt
    assert found == ({} if metadata_off(comfy) else {"prompt": graph, "workflow": WORKFLOW})
    assert shown["animated"] == [True] and shown["images"][0]["type"] == "temp"
    assert len(served(comfy, shown["images"][0])) > 500


@pytest.mark.parametrize("form", formats())
def test_each_format_is_shown_and_served(comfy: Comfy, clip: str, form: str) -> None:
    shown = run(comfy, graph_of(clip, format=form, fps=24.0, filename_prefix=f"all-{form}"))["2"]
    assert len(shown["images"]) == (16 if form == "png" else 1)
    assert ("animated" in shown) == (form != "png")
    assert all(served(comfy, one) for one in shown["images"])
    if form == "png":
        pictures = sorted((comfy.folder / "output" / "musubi").glob(f"all-{form}*/*.png"))[:24]
        assert np.array_equal(ImageFiles(tuple(pictures)).frames(), moving(24))


def test_videos_and_sound_go_to_and_come_from_comfyuis_own_nodes(comfy: Comfy, clip: str) -> None:
    saving = {"format": "auto", "codec": "auto"}
    run(comfy, {
        "1": node("MusubiTuner_VideoInput", file=clip, start=0.5, length=6, width=48),
        "2": node("SaveVideo", video=["1", 1], filename_prefix="cut", **saving),
        "3": node("CreateVideo", images=["1", 0], fps=["1", 3], audio=["1", 2]),
        "4": node("MusubiTuner_VideoOutput", video=["3", 0], filename_prefix="created"),
        "5": node("GetVideoComponents", video=["4", 0]),
        "6": node("PreviewImage", images=["5", 0]),
    })  # fmt: skip
    for made in (next(comfy.folder.glob("output/cut*.mp4")), comfy.folder / "output" / "musubi" / "created.mp4"):
        facts, sound = probe(made), VideoFile(made).audio(6)
        assert (facts.frames, facts.width, facts.height, facts.fps) == (6, 48, 32, 24)
        assert sound and abs(sound.seconds - 0.25) < 0.03
    expected = VideoFile(comfy.folder / "input" / clip).frames()[12:18, ::2, ::2]
    assert psnr(VideoFile(comfy.folder / "output" / "musubi" / "created.mp4").frames(), expected) > 25


def test_a_whole_video_goes_to_comfyuis_own_nodes_without_encoding(comfy: Comfy, tmp_path: Path) -> None:
    clip = comfy.upload(written(tmp_path, moving(24), "mp4-h264", audio=tone(1)).rename(tmp_path / "whole.mp4"))
    saving = {"format": "auto", "codec": "auto"}
    run(comfy, {
        "1": node("MusubiTuner_VideoInput", file=clip),
        "2": node("SaveVideo", video=["1", 1], filename_prefix="whole", **saving),
    })  # fmt: skip
    saved = next(comfy.folder.glob("output/whole*.mp4"))
    assert np.array_equal(VideoFile(saved).frames(), VideoFile(comfy.folder / "input" / clip).frames())


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_what_comfyui_cannot_save_is_encoded_for_it(comfy: Comfy, clip: str, form: str) -> None:
    saving = {"format": "auto", "codec": "auto"}
    graph = graph_of(clip, format=form, filename_prefix=f"for-{form}")
    run(comfy, graph | {"3": node("SaveVideo", video=["2", 0], filename_prefix=f"saved-{form}", **saving)})
    assert probe(next(comfy.folder.glob(f"output/saved-{form}*.mp4"))).frames == 24


def test_frames_that_are_connected_later_are_there(comfy: Comfy, clip: str) -> None:
    """ComfyUI keeps outputs; what nobody used was not decoded."""
    first = node("MusubiTuner_VideoInput", file=clip, every_nth=5)
    run(comfy, {"1": first, "2": node("MusubiTuner_VideoOutput", video=["1", 1], filename_prefix="later")})
    shown = run(comfy, {"1": first, "3": node("PreviewImage", images=["1", 0])})
    assert len(shown["3"]["images"]) == 5


@pytest.mark.parametrize("file", ["../x.mp4", "none.mp4"])
def test_a_file_that_is_not_there_is_refused_before_the_queue(comfy: Comfy, file: str) -> None:
    status, answer = comfy.post("/prompt", {"prompt": graph_of(file, format="gif")})
    assert status == 400 and list(answer["node_errors"]) == ["1"]


def test_an_interrupt_leaves_no_file(comfy: Comfy, tmp_path: Path) -> None:
    import time

    noise = np.random.default_rng(0).random((20, 480, 640, 3), np.float32)
    clip = comfy.upload(written(tmp_path, noise, "mkv-ffv1").rename(tmp_path / "noise.mkv"))
    graph = graph_of(clip, format="mp4-h265", quality=100, filename_prefix="never")
    graph["1"]["inputs"] |= {"fps": 200.0}
    prompt = comfy.queue(graph)
    until = time.monotonic() + 60
    while not list(comfy.folder.glob("output/musubi/.*.part/video.mp4")) and time.monotonic() < until:
        time.sleep(0.05)
    comfy.post("/interrupt", {})
    entry = comfy.wait(prompt, 20)
    assert any(m[0] == "execution_interrupted" for m in entry["status"]["messages"])
    assert not list(comfy.folder.glob("output/musubi/*never*")) and not list(comfy.folder.glob("output/musubi/.*"))
