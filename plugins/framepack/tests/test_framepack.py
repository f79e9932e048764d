"""FramePack from videos to a LoRA and a video by sections."""

from __future__ import annotations

from typing import Any

import pytest

from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import read_header
from musubi_nodes_framepack.sections import Section, indices, joined


def options(place: Any) -> dict[str, str]:
    """The options of the newest command."""
    return dict(word.lstrip("-").partition("=")[::2] for word in place.command() if word.startswith("--"))


def test_videos_become_a_lora_and_a_video_by_sections(place: Any) -> None:
    trained = place.train()
    names = read_header(trained.lora.path).tensors
    assert any(name.startswith("lora_unet_single_transformer_blocks_0_") for name in names)
    made = place.generate(lora=trained.lora, image=place.picture(), section=place.parts("first", "then"))
    assert probe(made.video.path).frames == 17
    assert options(place)["prompt"] == "0:first;;;1:then"


def test_a_picture_of_a_section_goes_to_its_place(place: Any) -> None:
    first = place.parts("first")
    second = place.run("FramePackSection", prompt="then", previous=first, image=place.picture()).section
    place.generate(image=place.picture(), section=second)
    assert options(place)["image_path"].count(";;;") == 1 and "1:" in options(place)["image_path"]


def test_one_part_for_the_whole_video_is_its_prompt_without_a_place(place: Any) -> None:
    """Without a separator the script takes the whole text for the prompt, also ``0-1:first`` (v0.3.4)."""
    section = place.run("FramePackSection", prompt="first", image=place.picture()).section
    place.generate(section=section)
    assert options(place)["prompt"] == "first"
    assert options(place)["image_path"].endswith("image-0-1.png")


@pytest.mark.parametrize(
    ("lengths", "total", "expected"),
    [((1,), 3, ["0-2"]), ((1, 1), 2, ["0", "1"]), ((2, 1), 4, ["0-1", "2-3"]), ((1, 2, 1), 4, ["0", "1-2", "3"])],
)
def test_parts_lie_one_behind_the_other_and_the_last_lasts_to_the_end(
    lengths: tuple[int, ...], total: int, expected: list[str]
) -> None:
    assert indices([Section(prompt="x", sections=n) for n in lengths], total) == expected


def test_a_separator_in_a_prompt_is_refused() -> None:
    with fails("framepack-separator-not-allowed", ";;;"):
        joined(["0"], ["a;;;1:b"])


def test_control_pictures_from_files_are_all_handed_on(place: Any, tmp_path: Any) -> None:
    """A loaded picture is a file on disk, which has no length of its own."""
    from musubi_nodes.media.frames import ImageFiles, save_pngs

    folder = place.dataset().with_suffix("")
    pictures = ImageFiles((folder / "p0.png", folder / "p1.png"))
    saved = save_pngs(pictures, tmp_path, "control")
    assert [path.name for path in saved] == ["control-0.png", "control-1.png"]
    assert saved[1].read_bytes() == (folder / "p1.png").read_bytes()


@pytest.mark.parametrize("ratios", ["...", "1,,2", "1,", "one"])
def test_ratios_that_the_script_could_not_read_are_refused(place: Any, ratios: str) -> None:
    with fails("string-pattern-mismatch", "magcache_mag_ratios"):
        place.generate(magcache_mag_ratios=ratios)
    assert not place.started_since()


def test_a_single_frame_is_no_section(place: Any) -> None:
    with fails("frames-not-allowed", "video_frames 1 ", 9, 17):
        place.generate(video_frames=1)


def batch(place: Any, *rows: str) -> Any:
    """Prompts of a table with a seed."""
    path = place.folder / "prompts.csv"
    path.write_text("\n".join(["prompt,seed,width", *rows]), "utf-8")
    return place.run("BatchProcessor", file=str(path)).prompts


def generators(place: Any) -> list[Any]:
    return [run for run in place.started() if "FramePackGenerator" in run.name]


def test_the_same_text_and_the_same_seed_share_one_start(place: Any) -> None:
    picture = place.picture()
    made = place.generate(prompts=batch(place, "a cat,7,", "a dog,7,", "a cat,8,"), prompt="", image=picture)
    assert len(generators(place)) == 1
    place.forget_generated()
    single = [place.generate(prompt=p, seed=s, image=picture).video for p, s in (("a cat", 7), ("a dog", 7))]
    assert [v.path.read_bytes() for v in made.video[:2]] == [v.path.read_bytes() for v in single]


NO_ROOM = """
import pathlib
sys.path.insert(0, {source!r})
from musubi_tuner.miniature import framepack_generation as script
real = script.generate
def generate(args, *rest):
    if args.video_size[1] == 128:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.25 GiB")
    return real(args, *rest)
script.generate = generate
"""


def test_a_prompt_that_the_script_leaves_out_is_not_taken_for_another(place: Any) -> None:
    """fpack_generate_video.py logs the error of a prompt and goes on (v0.3.4)."""
    source = str(place.services.install("miniature").root / "src")
    place.misbehaving("fpack_generate_video.py", NO_ROOM.format(source=source))
    prompts = batch(place, "a cat,8,", "a whale,7,128", "a dog,7,", "a ship,7,128")
    made = place.generate(prompts=prompts, prompt="", image=place.picture())
    assert "2, 4" in place.texts[0]
    assert len(generators(place)) == 3
    place.forget_generated()
    alone = place.generate(prompt="a dog", seed=7, image=place.picture()).video
    assert made.video[1].path.read_bytes() == alone.path.read_bytes()


@pytest.mark.parametrize("cache", ["FramePackLatentCache", "FramePackTextEncoderCache"])
def test_pictures_without_control_pictures_are_refused_by_both_caches(place: Any, cache: str) -> None:
    dataset = place.load(place.dataset())
    values = {"one_frame": True} if cache == "FramePackLatentCache" else {}
    with fails("framepack-control-directory-missing", "FramePack", "datasets[0]", "control_directory"):
        place.run(cache, dataset=dataset, models=place.models(), **values)
    assert not place.started()
