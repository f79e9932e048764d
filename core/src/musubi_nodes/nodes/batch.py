"""The node Batch Processor."""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import chain
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.prompts import Prompt, Prompts, check_count
from musubi_nodes.files import FileStamp
from musubi_nodes.i18n import translate
from musubi_nodes.nodes.prompt_tables import FromFile, pictures_of, read_prompts, typed_prompts
from musubi_nodes.nodes.reading import readable_file


class BatchProcessor(Node):
    """Prompts for a whole batch: typed one per line, or from a file (.txt with one per line; .csv, .tsv and .jsonl with
    a column for each option: prompt, negative_prompt, size or width and height, frames, steps, seed, guidance_scale,
    cfg_scale, flow_shift, lora_strength, image). A line, or a cell of the column prompt, may contain musubi-tuner's own
    options: a cat --w 832 --h 480 --f 81 --d 7 --s 20 --g 5 --fs 3 --n blurry --i cat.png. Connect it to the input
    prompts of a generator: the models are loaded once for several prompts if musubi-tuner can do that, a failed prompt
    does not stop the others, and a stopped batch resumes where it was."""

    id, title, category = "MusubiTuner_BatchProcessor", "Batch Processor", "MusubiTuner/Generation"
    search = ("batch", "queue", "csv", "jsonl", "many prompts", "multi gpu", "一括", "まとめて生成")
    resolves_statically = True

    class Inputs(NodeInputs):
        previous: Prompts | None = Field(None, description="Prompts that come before these.")
        text: Annotated[str, Widget(multiline=True)] = Field(
            "",
            description="Prompts, one per line, optionally followed by musubi-tuner's options (--w 832 --d 7; --f "
            "counts frames). Empty lines and lines that begin with # are skipped.",
        )
        file: str = Field(
            "", description="A .txt, .csv, .tsv or .jsonl file with prompts; below input, or a whole path."
        )
        repeats: int = Field(1, ge=1, le=1000, description="Videos of each prompt, each with a seed of its own.")
        first_seed: int | None = Field(
            None, ge=0, le=2**32 - 1, description="Seeds count up from this one. -1: from the generator's."
        )
        workers: Annotated[int, Widget(advanced=True)] = Field(
            1, ge=1, le=8, description="GPUs that work in parallel, starting with the generator's device."
        )
        per_start: Annotated[int, Widget(advanced=True)] = Field(
            8,
            ge=1,
            le=1000,
            description="Prompts for which the models are loaded once. musubi-tuner writes their videos when all are "
            "sampled, so stopping earlier loses them.",
        )
        strict: Annotated[bool, Widget(advanced=True)] = Field(
            False, description="Stop at the first prompt that fails, without any output."
        )

    class Outputs(NodeOutputs):
        prompts: Prompts = Field(description="All prompts, for a generator.")
        summary: str = Field(description="How many, and the first ones, as text.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        known = {name: "" if name in linked else values[name] for name in ("text", "file")}
        count = sum(1 for _ in _own(known["text"], known["file"], context).prompts)
        if not count and not linked & {"text", "file", "previous"}:
            raise _no_prompts()

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        found, note = _own(inputs.text, inputs.file, context)
        own = list(found)
        before = inputs.previous.items if inputs.previous else ()
        if not own and not before:
            raise _no_prompts()
        check_count(len(before) + len(own) * inputs.repeats)
        items = (*before, *_repeated(own, inputs.repeats, inputs.first_seed))
        prompts = Prompts(items=items, workers=inputs.workers, per_start=inputs.per_start, strict=inputs.strict)
        shown = [f"{number}. {prompt.prompt[:80]}" for number, prompt in enumerate(items[:5], 1)]
        more = [translate("and {count} more", count=len(items) - 5)] if len(items) > 5 else []
        summary = "\n".join([translate("{count} prompts", count=len(items)), *shown, *more, *([note] if note else [])])
        context.show(text=summary)
        return self.Outputs(prompts=prompts, summary=summary)

    def changed(self, inputs: Inputs, context: Context) -> str:
        files = pictures_of(_own(inputs.text, inputs.file, context).prompts)
        if inputs.file.strip():
            files.insert(0, readable_file(inputs.file, "prompt file", context))
        return " ".join(str(FileStamp.of(file)) for file in files)


def _own(text: str, file: str, context: Context) -> FromFile:
    typed = typed_prompts(text, context)
    if not file.strip():
        return FromFile(typed, "")
    found = read_prompts(readable_file(file, "prompt file", context), context)
    return found._replace(prompts=chain(typed, found.prompts))


def _no_prompts() -> MusubiError:
    return MusubiError("batch-empty", "the batch has no prompts", fix="Type some into text, or set file.")


def _repeated(prompts: list[Prompt], repeats: int, first_seed: int | None) -> list[Prompt]:
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
