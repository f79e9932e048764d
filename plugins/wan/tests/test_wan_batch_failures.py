"""Batches that fail in part, or are stopped: what is finished counts, and the rest is tried sensibly."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails

NO_ROOM_FOR = """
texts = [open(w.split('=', 1)[1]).read() for w in words if w.startswith('--from_file=')]
if '--w {width}' in ' '.join(texts) or (not texts and '{width}' in words):
    raise RuntimeError('CUDA out of memory. Tried to allocate 2.25 GiB')
"""
AT_THE_THIRD = """
import itertools, time
sys.path.insert(0, {source!r})
from musubi_tuner.miniature import outputs
def fault():
    {fault}
real, number = outputs.{write}, itertools.count(1)
def write(path, *rest):
    if next(number) == 3:
        open(path, 'wb').write(b'half of it')
        fault()
    return real(path, *rest)
outputs.{write} = write
"""


class Interrupted(Exception):
    pass


def table(place: Any, *rows: str, **values: Any) -> Any:
    path = place.folder / "prompts.csv"
    path.write_text("\n".join(["prompt,width", *rows]), "utf-8")
    return place.run("BatchProcessor", file=str(path), **values).prompts


def starts(place: Any) -> list[Path]:
    return [run for run in place.started() if "WanGenerator" in run.name]


def recorded(place: Any) -> int:
    return len(list(place.folder.glob("output/musubi/generated/*.json")))


def no_room_for(place: Any, width: int) -> None:
    place.misbehaving("wan_generate_video.py", NO_ROOM_FOR.format(width=width))


def at_the_third(place: Any, fault: str, write: str = "write_video") -> None:
    """The third file that the script writes is half there when ``fault`` happens."""
    source = str(place.services.install("miniature").root / "src")
    place.misbehaving("wan_generate_video.py", AT_THE_THIRD.format(source=source, fault=fault, write=write))


def stop_at_half_a_file(place: Any) -> None:
    def stop() -> None:
        files = [file for file in place.folder.glob("output/musubi/runs/*/out/*") if file.is_file()]
        if any(file.read_bytes() == b"half of it" for file in files):
            raise Interrupted

    place.host.raise_if_interrupted = stop


def test_a_prompt_too_large_for_the_gpu_takes_no_other_with_it(place: Any) -> None:
    no_room_for(place, 128)
    made = place.generate(prompts=table(place, "a cat,", "a whale,128", "a dog,", "an ant,"))
    assert len(made.video) == 3 and len(starts(place)) == 3
    assert "4" in place.texts[0] and "'a whale'" in place.texts[0] and "'a cat'" not in place.texts[0]


def test_prompts_of_one_size_that_do_not_fit_are_tried_once_and_told_once(place: Any) -> None:
    no_room_for(place, 128)
    made = place.generate(prompts=table(place, "a whale,128", "a cat,", "a ship,128"))
    assert probe(made.video.path).width == 96 and len(starts(place)) == 3
    assert place.texts[0].count("out of memory") == 1 and "1, 3" in place.texts[0]
    with fails("gpu-out-of-memory"):
        place.generate(prompts=table(place, "a whale,128", "a ship,128"))
    assert len(starts(place)) == 4


def test_what_a_failing_start_had_made_counts(place: Any) -> None:
    at_the_third(place, "raise RuntimeError('CUDA out of memory')")
    made = place.generate(prompts=table(place, *(f"prompt {n}," for n in range(5))))
    assert len(made.video) == 2 and len(starts(place)) == 1
    assert "3, 4, 5" in place.texts[0]


@pytest.mark.parametrize(("output_type", "write"), [("video", "write_video"), ("latent", "write_latent")])
def test_a_stopped_start_keeps_what_is_whole(place: Any, output_type: str, write: str) -> None:
    at_the_third(place, "time.sleep(600)", write)
    stop_at_half_a_file(place)
    prompts = place.run("BatchProcessor", text="\n".join(f"prompt {n}" for n in range(8))).prompts
    with pytest.raises(Interrupted):
        place.generate(prompts=prompts, output_type=output_type)
    del place.host.raise_if_interrupted
    assert recorded(place) == 2 and len(starts(place)) == 1
    assert json.loads((starts(place)[0] / "status.json").read_text("utf-8"))["status"] == "cancelled"
    firsts = prompts.model_copy(update={"items": prompts.items[:2]})
    found = place.generate(prompts=firsts, output_type=output_type)
    assert len(starts(place)) == 1
    assert len(getattr(found, output_type)) == 2


def test_a_prompt_that_fails_for_another_reason_does_not_stop_the_others(place: Any) -> None:
    at_the_third(place, "raise ValueError('bad prompt')")
    made = place.generate(prompts=table(place, *(f"prompt {n}," for n in range(4))))
    assert len(made.video) == 4 and len(starts(place)) == 3


def test_an_error_of_all_prompts_is_raised(place: Any) -> None:
    place.misbehaving("wan_generate_video.py", "raise ValueError('bad prompt')")
    with fails("script-failed", "bad prompt"):
        place.generate(prompts=table(place, "a cat,", "a dog,"))


CUT = """
import os
sys.path.insert(0, {source!r})
from musubi_tuner.miniature import media
write = media.write_image
def cut(path, frame):
    write(path, frame)
    media.write_image.first = getattr(media.write_image, "first", path)
    if path == media.write_image.first and any(word.startswith("--from_file") for word in words):
        os.truncate(path, path.stat().st_size // 2)
media.write_image = cut
"""


def test_a_picture_that_is_cut_off_is_made_again(place: Any) -> None:
    from PIL import Image

    source = str(place.services.install("miniature").root / "src")
    place.misbehaving("wan_generate_video.py", CUT.format(source=source))
    prompts = place.run("BatchProcessor", text="a cat\na dog").prompts
    assert len(place.generate(prompts=prompts, prompt="", output_type="images").images) == 2
    pictures = list(place.folder.glob("output/musubi/*.png"))
    for picture in pictures:
        Image.open(picture).load()
    assert len(pictures) == 10 and len(starts(place)) == 2 and recorded(place) == 2


def bomb(path: Path) -> Path:
    """A picture of 40,000 by 40,000 pixels in some bytes."""
    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(data)
    return path


def cut(path: Path) -> Path:
    path.write_bytes((path.parent / "pictures" / "p0.png").read_bytes()[:60])
    return path


def no_picture(path: Path) -> Path:
    path.write_bytes(b"no picture")
    return path


@pytest.mark.parametrize("make", [bomb, cut, no_picture])
@pytest.mark.parametrize("gone_bad", [1, 2])
def test_a_picture_that_cannot_be_read_takes_no_other_prompt_with_it(place: Any, make: Any, gone_bad: int) -> None:
    place.dataset()
    models = place.models(
        task="i2v-14B", dit="miniature/wan_i2v_14b.safetensors", clip="miniature/clip_vision_h.safetensors"
    )
    pictures = [place.folder / "pictures" / f"p{number}.png" for number in range(3)]
    pictures[gone_bad - 1] = make(place.folder / "bad.png")
    prompts = None
    for number, picture in enumerate(pictures):
        image = ImageFiles((picture,))
        prompts = place.run("Prompt", previous=prompts, prompt=f"a square {number}", image=image).prompts
    made = place.generate(models=models, prompts=prompts)
    assert len(made.video) == 2
    assert f"'a square {gone_bad - 1}'" in place.texts[0] and "bad.png" in place.texts[0]
