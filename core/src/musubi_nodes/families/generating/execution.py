"""One start of a generator's script: its files, its run, its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musubi_nodes.errors import OutOfGpuMemory
from musubi_nodes.families.context import Context
from musubi_nodes.families.execution import execute
from musubi_nodes.families.generating.batching import Item, prompt_line
from musubi_nodes.families.generating.generated_files import GeneratedFiles
from musubi_nodes.families.generating.match_outputs import match_outputs
from musubi_nodes.families.memory.footprint import Shape, tokens
from musubi_nodes.families.memory.measured import record_estimate
from musubi_nodes.families.picture_count import PICTURE_KINDS
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sockets import Run
from musubi_nodes.files import write_text
from musubi_nodes.log import log
from musubi_nodes.media.frames import save_pngs
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.stated import lacked_gpu_memory

if TYPE_CHECKING:
    from musubi_nodes.families.generating.generator import Generator

Keep = Callable[[Item, GeneratedFiles], None]
"""Takes what a prompt became, as soon as it is published."""
Made = Mapping[int, GeneratedFiles]
"""Outputs by the number of their prompt."""


@dataclass(frozen=True)
class Execution:
    """One start for one prompt, or for several that share it."""

    generator: Generator
    group: Sequence[Item]
    context: Context
    device: str

    @property
    def inputs(self) -> Any:
        return self.group[0].inputs.model_copy(update={"device": self.device})

    def run(self, keep: Keep) -> Run:
        """Run the script; ``keep`` also takes what was complete before it was stopped or failed."""
        plan = self.group[0].plan or self.generator.plan(self.inputs, self.context)
        made: dict[int, GeneratedFiles] = {}
        with self.generator.new_folder(self.context) as folder:
            try:
                options = self._runner_options(folder)
                self._record_memory(folder)
                planned = replace(plan, inputs=self.inputs)
                execute(
                    self.generator,
                    planned,
                    self.context,
                    folder,
                    options,
                    accept=lambda _: made.update(self._complete(folder)),
                )
            finally:
                self._publish(made or self._left(folder), keep)
        return Run(folder=folder.path)

    def _runner_options(self, folder: RunFolder) -> dict[str, Any]:
        options = {"save_path": folder.out, **self.generator.media(self.inputs, folder.path)}
        if self.inputs.latent:
            options["latent_path"] = [self.inputs.latent.path]
        if len(self.group) > 1:
            options["from_file"] = self._prompt_file(folder.path)
        return options

    def _prompt_file(self, folder: Path) -> Path:
        lines = [prompt_line(item.prompt, self.generator.lines(), self._pictures(item, folder)) for item in self.group]
        return write_text(folder / "prompts.txt", "\n".join(lines) + "\n")

    def _pictures(self, item: Item, folder: Path) -> dict[str, list[Path]]:
        """Write the pictures of a prompt that its line names."""
        names = self.generator.lines().keys() & PICTURE_KINDS.keys()
        given = {name: getattr(item.prompt, name) for name in sorted(names)}
        return {
            name: save_pngs(value, folder, f"{name}-{item.number}")
            for name, value in given.items()
            if value is not None
        }

    def _record_memory(self, folder: RunFolder) -> None:
        size = self.inputs.models.dit_size
        if size is None or self.inputs.latent:
            return
        every = [item.inputs for item in self.group]
        shapes = [Shape(each.width, each.height, self.generator.frames(each) or 1, training=False) for each in every]
        largest = max(shapes, key=lambda shape: tokens(size, shape))
        record_estimate(folder, self.generator.family.key, size, largest, self.inputs.memory or Memory())

    def _complete(self, folder: RunFolder) -> Made:
        """Return the outputs of a script that ended well.

        Raises if a single prompt became nothing, or if GPU memory was full.
        """
        if len(self.group) == 1:
            (item,) = self.group
            asked = self.generator.asked(item.inputs)
            return {item.number: GeneratedFiles.collect(folder, self.inputs.output_type, asked)}
        made = self._left(folder)
        if len(made) < len(self.group) and lacked_gpu_memory(folder):
            lacking = f"{len(self.group) - len(made)} of {len(self.group)} prompts"
            raise OutOfGpuMemory(
                "gpu-out-of-memory", f"{self.generator.script} had too little GPU memory for {lacking}", log=folder.log
            )
        if not made and any(folder.out.iterdir()):
            log.warning(
                "%s: the log of %s doesn't name its files: every prompt starts it again",
                self.generator.title,
                self.generator.script,
            )
        return made

    def _left(self, folder: RunFolder) -> Made:
        """Return the complete outputs of several prompts."""
        if len(self.group) == 1:
            return {}
        seeds = {item.number: item.prompt.seed or 0 for item in self.group}
        asked = {item.number: self.generator.asked(item.inputs) for item in self.group}
        return match_outputs(folder, self.inputs.output_type, seeds, asked)

    def _publish(self, made: Made, keep: Keep) -> None:
        output = self.context.host.output_folder
        for item in self.group:
            if item.number in made:
                keep(item, made[item.number].published(output, self.inputs.filename_prefix))
