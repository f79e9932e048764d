"""What a run writes for a case: pictures, lines of a batch, prompts of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from musubi_nodes.families.generating.batching import items_of, prompt_line
from musubi_nodes.families.generating.generator import Generator
from musubi_nodes.families.generating.media_files import media_fields
from musubi_nodes.families.picture_count import PICTURE_KINDS, PictureCount
from musubi_nodes.families.prompts import Prompt, Prompts
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Optimizer, Sampling
from musubi_nodes.families.training.sample_prompts import SampleRules, sample_fields, write_prompts
from musubi_nodes.families.training.trainer import Trainer
from musubi_nodes.media.frames import Frames
from musubi_nodes.testing.fill import build, default_value

SAMPLED = Sampling(sample_prompts="a cat --l 2", sample_every_n_epochs=1, sample_at_first=True)
"""A scale without a negative prompt, so that the family's empty one is sent."""
WARM_UP = Optimizer(lr_scheduler="constant_with_warmup", lr_warmup_steps=10)


def written_cases(node: type[ScriptNode]) -> Iterator[tuple[str, Any]]:
    """Yield inputs with all pictures, a batch, a warm-up, and samples."""
    if issubclass(node, Generator):
        yield (
            "pictures",
            build(node.Inputs, default_value, **{name: frames(1) for name, _ in media_fields(node.Inputs)}),
        )
        yield "batch", build(node.Inputs, default_value, prompts=Prompts(items=(full_prompt(node), Prompt(prompt="b"))))
    if issubclass(node, Trainer):
        yield "warm-up", build(node.Inputs, default_value, optimizer=WARM_UP)
        shown = {field: frames(1) for field in sample_fields(node.Inputs).values()}
        yield "samples", build(node.Inputs, default_value, sampling=SAMPLED, **shown)


def write(node: type[ScriptNode], inputs: Any) -> tuple[Any, dict[str, Any]]:
    """Write the files of ``inputs``; return the inputs of a single start, and the pictures by option."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if issubclass(node, Trainer) and inputs.sampling:
            _write_samples(node(), inputs, folder)
        if not issubclass(node, Generator):
            return inputs, {}
        if inputs.prompts is not None:
            inputs = _first_of_batch(node, inputs)
        shown = any(getattr(inputs, field) is not None for field, _ in media_fields(type(inputs)))
        return inputs, dict(node().media(inputs, folder)) if shown else {}


def frames(count: int) -> Frames:
    return np.zeros((count, 16, 16, 3), np.float32)


def full_prompt(node: type[Generator]) -> Prompt:
    """Return a prompt that sets each field which it replaces in the node."""
    inputs = build(node.Inputs)
    values = {name: getattr(inputs, own) for name, own in node.replaced().items()}
    pictures = {name: frames(1) for name in PICTURE_KINDS if name in values}
    return Prompt(**{name: value for name, value in values.items() if value is not None}, **pictures)


def _first_of_batch(node: type[Generator], inputs: Any) -> Any:
    items = items_of(inputs.prompts, inputs, node.replaced(), node.title)
    for item in items:
        shown = [name for name in PICTURE_KINDS if getattr(item.prompt, name) is not None]
        prompt_line(item.prompt, node.lines(), {name: [Path("/run/a.png")] for name in shown})
    return items[0].inputs


def _write_samples(trainer: Trainer, inputs: Any, folder: Path) -> None:
    """Write as many pictures as each sample needs."""
    takes = trainer.sample_pictures(inputs)
    needed = {name: PictureCount(0, None) for name in takes}
    own = {name: getattr(inputs, field) for name, field in sample_fields(type(inputs)).items()}
    rules = SampleRules(needed, trainer.sample_options(inputs), trainer.family.empty_negative_prompt)
    write_prompts(inputs.sampling, own, rules, folder)
