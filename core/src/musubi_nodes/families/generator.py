"""The base of a family's video generator node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, field_validator

from musubi_nodes.commands.option import Argument, Option, arguments_from
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Spelling
from musubi_nodes.families.fields import Native, Widget
from musubi_nodes.families.lora import check_fits
from musubi_nodes.families.needs import check_packages
from musubi_nodes.families.node import NodeOutputs
from musubi_nodes.families.script import ScriptInputs, ScriptNode
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sizes import Side
from musubi_nodes.families.sockets import Latent, Lora, Run
from musubi_nodes.files import plain_name, publish
from musubi_nodes.media.frames import ImageFiles, VideoFile, check_video
from musubi_nodes.runs.folder import RunFolder
from musubi_nodes.runs.run import Outcome

ADVANCED = Widget(advanced=True)
IMAGES = (".png", ".jpg", ".jpeg", ".webp")


class GeneratorInputs(ScriptInputs):
    """What every generator takes; a family adds ``models`` and its own inputs."""

    lora: Lora | None = Field(None, description="One LoRA, or a chain of several.")
    latent: Latent | None = Field(None, description="A latent file to decode instead of generating.")
    prompt: Annotated[str, Widget(multiline=True)] = Field("", description="What the video shows.")
    negative_prompt: Annotated[str, Option(), Widget(multiline=True)] = Field(
        "", description="What it should not show. Empty: the model's own."
    )
    width: Side = Field(832, ge=16, le=4096, description="Width in pixels.")
    height: Side = Field(480, ge=16, le=4096, description="Height in pixels.")
    seed: Annotated[int, Option(), Widget(seed=True)] = Field(
        1, ge=0, le=2**32 - 1, description="The same seed makes the same video."
    )
    filename_prefix: Annotated[str, Widget(last=1)] = Field(
        "video", description="Begin of the file names in output/musubi."
    )
    output_type: Annotated[Literal["video", "images", "latent", "both", "latent_images"], Option(), Widget(last=1)] = (
        Field("video", description="What is written: a video, single images, the latent, or two of them.")
    )

    @field_validator("filename_prefix")
    @classmethod
    def _plain(cls, name: str) -> str:
        return plain_name(name)


class GeneratorOutputs(NodeOutputs):
    """What was generated; what nobody uses is not decoded."""

    video: Annotated[Any, Native("VIDEO")] = Field(None, description="The video, if output_type makes one.")
    images: Annotated[Any, Native("IMAGE")] = Field(None, description="All frames.")
    latent: Latent | None = Field(None, description="The latent file, if output_type makes one.")
    run: Run = Field(description="The run folder: log, command, status.")


class VideoGenerator(ScriptNode):
    """Generates a video."""

    category: ClassVar[str] = "MusubiTuner/Generation"
    output_node: ClassVar[bool] = True
    Inputs: ClassVar[type[BaseModel]] = GeneratorInputs
    Outputs: ClassVar[type[BaseModel]] = GeneratorOutputs
    bar_stage: ClassVar[str] = "denoising"
    prompt_inputs: ClassVar[frozenset[str]] = frozenset({"prompt"})
    """Inputs that may bring the prompt over a link instead of the widget."""

    def most_blocks_to_swap(self, inputs: Any) -> int | None:
        most = inputs.models.most_blocks_to_swap
        return most[1] if most else None

    def spelling(self) -> Spelling:
        return self.family.generator_spelling

    def lora_options(self, inputs: Any, chain: tuple[Lora, ...]) -> Mapping[str, Any]:
        """How the script takes LoRAs. HunyuanVideo and FramePack crash without an explicit multiplier (v0.3.4)."""
        return {"lora_weight": [x.path for x in chain], "lora_multiplier": [x.multiplier for x in chain]}

    def prompt(self, inputs: Any) -> str:
        """The prompt as the script takes it."""
        return str(inputs.prompt)

    def media(self, inputs: Any, folder: Path) -> Mapping[str, Any]:
        """Pictures and videos that the script reads, written into the run folder; by option."""
        return {}

    def arguments(self, inputs: Any, known: Table, version: str) -> Iterator[Argument]:
        yield from super().arguments(inputs, known, version)
        unused = "decoded from a latent" if inputs.latent else ""  # hv_generate_video.py asks for one even then
        yield Argument("prompt", self.prompt(inputs) or unused, self.title)
        yield Argument("video_size", [inputs.height, inputs.width], self.title)
        chain = inputs.lora.chain() if inputs.lora else ()
        yield from arguments_from(self.lora_options(inputs, chain), "the LoRAs")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        install = self.prepare(inputs, context)
        self._check_wanted(inputs.latent is not None, inputs.output_type, self.prompt(inputs))
        check_packages(install, inputs.memory or Memory(), None)
        for lora in inputs.lora.chain() if inputs.lora else ():
            check_fits(lora.path, Path(self.dit_for(inputs, lora)))
        with self.new_folder(context) as folder:
            owned = {"save_path": str(folder.out), **self.media(inputs, folder.path)}
            if inputs.latent:
                owned["latent_path"] = [inputs.latent.path]

            def accept(outcome: Outcome) -> None:
                _Made.collect(folder, inputs.output_type)

            outcome = self.execute(inputs, context, install, folder, owned, accept=accept)
            made = _Made.collect(folder, inputs.output_type)
            made = made.published(context.host.output_folder, inputs.filename_prefix)
        context.made(*made.files())
        context.show(*made.shown(), text=made.told(context.host.output_folder, outcome.seconds))
        return self.Outputs(
            video=VideoFile(made.video) if made.video else None,
            images=made.frames() if context.wanted("images") else None,
            latent=Latent(path=made.latent) if made.latent else None,
            run=Run(folder=folder.path, node=self.title, seconds=outcome.seconds),
        )

    def foresee(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        prompt = "over a link" if self.prompt_inputs & linked else values["prompt"]
        self._check_wanted("latent" in linked, values["output_type"], prompt)
        if "video_length" not in linked:
            self.check_length(values.get("video_length"))

    def check_length(self, frames: int | None) -> None:
        """A length that does not fit would be rounded down without a word (v0.3.4)."""
        rule = self.family.frame_rule
        if frames is not None and not rule.fits(frames):
            raise MusubiError(
                f"video_length {frames} does not fit {self.family.title}: it takes {rule.explain()}",
                why="musubi-tuner would round it down without a word.",
                fix=f"Use {rule.round_down(frames) or rule.shortest}.",
            )

    def _check_wanted(self, decodes: bool, output_type: str, prompt: str) -> None:
        if decodes and output_type not in ("video", "images"):
            raise MusubiError(
                f"output_type {output_type} cannot be made from a latent file", fix="Choose video or images."
            )
        if not decodes and not prompt.strip():
            raise MusubiError(f"{self.title}: the prompt is empty", fix="Say what the video shows.")

    def dit_for(self, inputs: Any, lora: Lora) -> str:
        """The DiT file that a LoRA changes."""
        return str(inputs.models.dit)


class _Made:
    """The files of one generation."""

    def __init__(self, video: Path | None, images: tuple[Path, ...], latent: Path | None) -> None:
        self.video, self.images, self.latent = video, images, latent

    @classmethod
    def collect(cls, folder: RunFolder, output_type: str) -> _Made:
        """What ``output_type`` promises; a :class:`MusubiError` where it is not there or cannot be read."""
        files = sorted(p for p in folder.out.rglob("*") if p.is_file())
        video = next((p for p in files if p.suffix == ".mp4"), None)
        images = tuple(p for p in files if p.suffix.lower() in IMAGES)
        latent = next((p for p in files if p.name.endswith("_latent.safetensors")), None)
        promised = {
            "video": video or images,
            "images": images,
            "latent": latent,
            "both": latent and (video or images),
            "latent_images": latent,
        }
        if not promised[output_type]:
            raise MusubiError(
                f"musubi-tuner ended without an error, but wrote no {output_type}",
                fix="The log's last lines say more.",
                log=folder.log,
            )
        if video:
            check_video(video)
        return cls(video, images, latent)

    def published(self, output: Path, prefix: str) -> _Made:
        """The same files in ``<output>/musubi``, under names that were free."""
        target = output / "musubi"
        video = _moved(self.video, target, f"{prefix}.mp4") if self.video else None
        images = tuple(_moved(p, target, f"{prefix}{p.suffix}") for p in self.images)
        latent = _moved(self.latent, target, f"{prefix}_latent.safetensors") if self.latent else None
        return _Made(video, images, latent)

    def files(self) -> tuple[Path, ...]:
        """All of it."""
        return tuple(p for p in (self.video, *self.images, self.latent) if p)

    def shown(self) -> tuple[Path, ...]:
        """What the node shows."""
        return (self.video,) if self.video else self.images[:16]

    def told(self, output: Path, seconds: float) -> str:
        """One line about what was made."""
        names = [p.relative_to(output).as_posix() for p in (self.video, *self.images[:1], self.latent) if p]
        more = f" and {len(self.images) - 1} more" if len(self.images) > 1 else ""
        return f"{', '.join(names)}{more} in {seconds:.0f} s"

    def frames(self) -> Any:
        """All frames, still on disk."""
        if self.images:
            return ImageFiles(self.images)
        return VideoFile(self.video) if self.video else None


def _moved(source: Path, folder: Path, name: str) -> Path:
    return publish(source, folder, name, move=True)
