"""Many prompts from a text, a file or a table."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.models.files import stamp
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.prompts import Prompt, Prompts, check_count, written_prompts
from musubi_nodes.nodes.prompt_tables import read_prompts
from musubi_nodes.nodes.reading import readable_file


class BatchProcessor(Node):
    """Prompts for a whole batch: typed one a line, or from a file (.txt one a line, .csv and .jsonl with a column for
    each option: prompt, negative_prompt, width, height, frames, steps, seed, guidance_scale, cfg_scale, flow_shift,
    lora_multiplier, image). Connect it to the input prompts of a generator: the models are loaded once for several
    prompts where musubi-tuner can do that, a prompt that fails does not stop the others, and a stopped batch goes on
    where it was."""

    id, title, category = "MusubiTuner_BatchProcessor", "Batch Processor", "MusubiTuner/Generation"
    search = ("batch", "queue", "csv", "jsonl", "many prompts", "multi gpu", "一括", "まとめて生成")

    class Inputs(NodeInputs):
        previous: Prompts | None = Field(None, description="Prompts that come before these.")
        text: Annotated[str, Widget(multiline=True)] = Field(
            "", description="Prompts, one a line. Empty lines and lines that begin with # are left out."
        )
        file: str = Field("", description="A .txt, .csv or .jsonl file with prompts; below input, or a whole path.")
        repeats: int = Field(1, ge=1, le=1000, description="Videos of each prompt, each with a seed of its own.")
        first_seed: int | None = Field(
            None, ge=0, le=2**32 - 1, description="Seeds count up from this one. -1: from the generator's."
        )
        workers: Annotated[int, Widget(advanced=True)] = Field(
            1, ge=1, le=8, description="GPUs that work side by side, from the generator's device on."
        )
        per_start: Annotated[int, Widget(advanced=True)] = Field(
            8, ge=1, le=1000, description="Prompts that share a start of the models; a stop loses at most these."
        )
        strict: Annotated[bool, Widget(advanced=True)] = Field(
            False, description="Stop at the first prompt that fails, and hand on nothing."
        )

    class Outputs(NodeOutputs):
        prompts: Prompts = Field(description="All prompts, for a generator.")
        summary: str = Field(description="How many, and the first ones, as text.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        own = written_prompts(inputs.text)
        if inputs.file.strip():
            own += read_prompts(readable_file(inputs.file, "prompt file", context), context)
        before = inputs.previous.items if inputs.previous else ()
        if not own and not before:
            raise MusubiError("the batch has no prompts", fix="Type some into text, or name a file.")
        check_count(len(before) + len(own) * inputs.repeats)
        items = (*before, *_repeated(own, inputs.repeats, inputs.first_seed))
        prompts = Prompts(items=items, workers=inputs.workers, per_start=inputs.per_start, strict=inputs.strict)
        shown = [f"{number}. {prompt.prompt[:80]}" for number, prompt in enumerate(items[:5], 1)]
        more = [f"and {len(items) - 5} more"] if len(items) > 5 else []
        summary = "\n".join([f"{len(items)} prompts", *shown, *more])
        context.show(text=summary)
        return self.Outputs(prompts=prompts, summary=summary)

    def changed(self, inputs: Any, context: Context) -> str:
        if not inputs.file.strip():
            return ""
        path = readable_file(inputs.file, "prompt file", context)
        pictures = [file for prompt in read_prompts(path, context) if prompt.image for file in prompt.image.paths]
        return " ".join(stamp(file) for file in (path, *pictures))


def _repeated(prompts: list[Prompt], repeats: int, first_seed: int | None) -> list[Prompt]:
    """Each prompt ``repeats`` times; a prompt's own seed counts up with its repeats."""
    found: list[Prompt] = []
    for prompt in prompts:
        for number in range(repeats):
            seed = prompt.seed
            if seed is not None:
                seed = (seed + number) % 2**32
            elif first_seed is not None:
                seed = (first_seed + len(found)) % 2**32
            found.append(prompt.model_copy(update={"seed": seed}))
    return found
