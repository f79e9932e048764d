"""Eight prompts in one start of the models beside eight single runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.common import Row, configured, told
from tests.tiny_musubi.config import toy_config

from musubi_nodes.testing.workplace import Workplace

PROMPTS = 8
LIMIT = 0.4
SMALL = {"width": 96, "height": 64, "video_length": 5, "infer_steps": 2}
MINIATURE = {
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}
TOYS = {"dit": "wan21_dit.safetensors", "vae": "wan_vae.safetensors", "t5": "t5.safetensors"}
FAST = {**SMALL, "vae_dtype": "float32"}
"""The toys' VAE is as wide as the real one, and a CPU takes seconds for its convolutions in bfloat16: that would be
measured, not the start and the loading."""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """On the miniature; with MUSUBI_TUNER_ROOT also on the real Wan script with toy weights."""
    with configured(folder, 'install = "miniature"\n'):
        yield from _compared(folder / "miniature", "miniature", MINIATURE, SMALL)
    real = {name: os.environ.get(f"MUSUBI_TUNER_{name.upper()}", "") for name in ("root", "python")}
    if real["root"] and not quick:
        with configured(folder, toy_config({k: v for k, v in real.items() if v}, folder)):
            yield from _compared(folder / "toys", "real script, toy weights", TOYS, FAST)


def _compared(folder: Path, what: str, models: dict[str, str], values: dict[str, Any]) -> Iterator[Row]:
    place = Workplace(folder)
    chosen = place.run("WanModels", **models).models
    texts = [f"a red ball, number {number}" for number in range(PROMPTS)]
    place.run("WanGenerator", models=chosen, prompt="warm up", **values)
    single = _seconds(lambda: [place.run("WanGenerator", models=chosen, prompt=text, **values) for text in texts])
    prompts = place.run("BatchProcessor", text="\n".join(texts)).prompts
    together = _seconds(lambda: place.run("WanGenerator", models=chosen, prompts=prompts, **values))
    anchor = f"{told(single, 's')}, one by one"
    yield Row(f"a batch of {PROMPTS} prompts, {what}", together, "s", anchor=anchor)
    yield Row("the same, of that time", together / single, "x", LIMIT)


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
