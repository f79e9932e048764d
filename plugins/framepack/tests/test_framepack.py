"""FramePack from videos to a LoRA and a video by sections, and what is refused before it starts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.explain import Failure
from musubi_nodes.weights import read_header
from musubi_nodes_framepack.explain import explain
from musubi_nodes_framepack.sections import Section, indices, joined


def options(place: Any) -> dict[str, str]:
    """The options of the newest command."""
    command = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    return dict(word.lstrip("-").partition("=")[::2] for word in command if word.startswith("--"))


def parts(place: Any, *prompts: str) -> Any:
    section = None
    for prompt in prompts:
        section = place.run("FramePackSection", prompt=prompt, previous=section).section
    return section


def test_videos_become_a_lora_and_a_video_by_sections(place: Any) -> None:
    trained = place.train()
    names = read_header(trained.lora.path).tensors
    assert any(name.startswith("lora_unet_single_transformer_blocks_0_") for name in names)
    made = place.generate(lora=trained.lora, image=place.picture(), section=parts(place, "first", "then"))
    assert probe(made.video.path).frames == 17
    assert options(place)["prompt"] == "0:first;;;1:then"


def test_a_picture_of_a_section_goes_to_its_place(place: Any) -> None:
    first = parts(place, "first")
    second = place.run("FramePackSection", prompt="then", previous=first, image=place.picture()).section
    place.generate(image=place.picture(), section=second)
    assert options(place)["image_path"].count(";;;") == 1 and "1:" in options(place)["image_path"]


@pytest.mark.parametrize(
    ("lengths", "total", "expected"),
    [((1,), 3, ["0-2"]), ((1, 1), 2, ["0", "1"]), ((2, 1), 4, ["0-1", "2-3"]), ((1, 2, 1), 4, ["0", "1-2", "3"])],
)
def test_parts_lie_one_behind_the_other_and_the_last_lasts_to_the_end(
    lengths: tuple[int, ...], total: int, expected: list[str]
) -> None:
    assert indices([Section(prompt="x", sections=n) for n in lengths], total) == expected


def test_a_separator_in_a_prompt_is_refused() -> None:
    with pytest.raises(MusubiError, match=";;;"):
        joined(["0"], ["a;;;1:b"])


def with_batches(place: Any) -> Any:
    return place.train(place.caches(place.videos(extra="batch_size = 2")))


REFUSED = {
    "8 other model as DiT": (lambda p: p.models(dit="miniature/wan_t2v_14b.safetensors"), "no FramePack DiT"),
    "8 VAE of another model": (lambda p: p.models(vae="miniature/wan_vae.safetensors"), "not HunyuanVideo's VAE"),
    "8 pictures without one_frame": (lambda p: p.caches(p.dataset()), "one_frame"),
    "8 video too short": (lambda p: p.caches(p.videos(5)), "shorter|section|frames"),
    "8 size not divisible by 16": (lambda p: p.generate(image=p.picture(), width=104), "divisible by 16"),
    "12 batch_size without split_attn": (with_batches, "split_attn"),
    "12 fpack_cache_latents refuses vae_dtype": (
        lambda p: p.run(
            "FramePackLatentCache", dataset=p.load(p.videos()), models=p.models(), extra_options="vae_dtype = 'float32'"
        ),
        "takes no vae_dtype",
    ),
    "13 fp8 alone fails": (
        lambda p: p.generate(image=p.picture(), memory=p.run("MemoryOptimizer", fp8="fp8").memory),
        "fp8 alone",
    ),
    "13 a black picture is used": (lambda p: p.generate(), "begins with a picture"),
    "12 sections that do not fit": (
        lambda p: p.generate(image=p.picture(), section=parts(p, "a", "b", "c")),
        "need 3 sections, but the video has 2",
    ),
    "4 frames that are not whole sections": (
        lambda p: p.generate(image=p.picture(), video_frames=20),
        "whole sections",
    ),
    "an empty section": (lambda p: parts(p, " "), "prompt is empty"),
}
SHOWN_AFTERWARDS = {"12 fpack_cache_latents refuses vae_dtype"}


@pytest.mark.parametrize("row", REFUSED)
def test_a_trap_is_refused_or_an_error_afterwards(place: Any, row: str) -> None:
    provoke, message = REFUSED[row]
    with pytest.raises(MusubiError, match=message):
        provoke(place)
    if row not in SHOWN_AFTERWARDS:
        assert not [folder for folder in place.started() if "Trainer" in folder.name or "Generator" in folder.name]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("ValueError: Not enough frames for FramePack: 9 frames ..., minimum required: 37", "shorter than one section"),
        ("TypeError: unsupported operand type(s) for -: 'NoneType' and 'int'", "one_frame"),
        ("AttributeError: module 'torch' has no attribute 'float8e4m3fn'", "fp8"),
        ("NotImplementedError: Unsupported solver.", "unipc"),
        ("TypeError: object of type 'float' has no len()", "multiplier"),
        ("RuntimeError: The size of tensor a (12) must match the size of tensor b (13)", "divisible by 16"),
    ],
)
def test_what_only_shows_afterwards_is_explained(line: str, cause: str) -> None:
    found = explain(Failure("fpack_train_network.py", "framepack", 1, [line]))
    assert found is not None and cause in found.why and found.fix


def test_control_pictures_from_files_are_all_handed_on(place: Any, tmp_path: Any) -> None:
    """A loaded picture is a file on disk, which has no length of its own."""
    from musubi_nodes.media.frames import ImageFiles, save_pngs

    folder = place.dataset().with_suffix("")
    pictures = ImageFiles((folder / "p0.png", folder / "p1.png"))
    saved = save_pngs(pictures, tmp_path, "control")
    assert [path.name for path in saved] == ["control-0.png", "control-1.png"]
    assert saved[1].read_bytes() == (folder / "p1.png").read_bytes()
