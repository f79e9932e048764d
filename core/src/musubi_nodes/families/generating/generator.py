"""The bases of a family's generator nodes: of pictures, and of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel
from typing_extensions import TypeVar

from musubi_nodes.commands.option import Argument, arguments_from
from musubi_nodes.commands.tables import Table
from musubi_nodes.errors import MusubiError, Unresolved
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family, OptionMap
from musubi_nodes.families.family_node import FamilyNode
from musubi_nodes.families.fields import Widget
from musubi_nodes.families.generating.appearance import Expected
from musubi_nodes.families.generating.batch import generate_all
from musubi_nodes.families.generating.batching import name_of
from musubi_nodes.families.generating.inputs import (
    GeneratorInputs,
    ImageGeneratorInputs,
    ImageGeneratorOutputs,
    VideoGeneratorInputs,
    VideoGeneratorOutputs,
)
from musubi_nodes.families.generating.media_files import write_media
from musubi_nodes.families.lengths import check_frames
from musubi_nodes.families.lora_fits import check_fits
from musubi_nodes.families.memory.needs import check_packages
from musubi_nodes.families.memory.possible import check_fp8_file
from musubi_nodes.families.node import without
from musubi_nodes.families.picture_count import check_pictures
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.recognition.loras import network_of
from musubi_nodes.families.resolved_inputs import resolved_inputs
from musubi_nodes.families.settings import Memory
from musubi_nodes.families.sockets import Latent, Lora, Run
from musubi_nodes.i18n import translate
from musubi_nodes.media.frames import VideoFile
from musubi_nodes.runs.install import Install
from musubi_nodes.weights import read_header

ADVANCED = Widget(advanced=True)
DECODED = ("video", "images")
"""Output types that a latent file can become."""
MADE_BY = {
    "video": ("video", "both"),
    "images": ("video", "images", "both", "latent_images"),
    "latent": ("latent", "both", "latent_images"),
}
"""Output -> the output types that make it."""
PROMPT_FIELDS = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "width": "width",
    "height": "height",
    "frames": "video_length",
    "steps": "infer_steps",
    "seed": "seed",
    "guidance_scale": "embedded_cfg_scale",
    "cfg_scale": "guidance_scale",
    "flow_shift": "flow_shift",
    "image": "image",
    "control_image": "control_image",
}
"""Field of a prompt -> the field of a generator that it replaces, where the generator has it."""
PROMPT_LINE = {
    "width": "w",
    "height": "h",
    "frames": "f",
    "seed": "d",
    "steps": "s",
    "cfg_scale": "g",
    "flow_shift": "fs",
    "negative_prompt": "n",
    "image": "i",
    "control_image": "ci",
}
"""Field of a prompt -> its option in a line of ``--from_file`` (``parse_prompt_line`` of the generators, v0.3.4)."""


GeneratorT = TypeVar("GeneratorT", bound=GeneratorInputs, default=Any)


class Generator(FamilyNode[GeneratorT]):
    """Generates what one prompt or many describe."""

    category: ClassVar[str] = "MusubiTuner/Generation"
    output_node: ClassVar[bool] = True
    lazy_outputs: ClassVar[frozenset[str]] = frozenset({"images"})
    resolved_sockets: ClassVar[frozenset[str]] = FamilyNode.resolved_sockets | {"prompts", "lora"}
    Inputs: ClassVar[type[BaseModel]] = GeneratorInputs
    bar_stage: ClassVar[str] = "denoising"
    prompt_fields: ClassVar[Mapping[str, str]] = PROMPT_FIELDS
    """Field of a prompt of a batch -> the field of this node that it replaces, where the node has it."""
    prompt_line: ClassVar[Mapping[str, str]] = {}
    """Field of a prompt -> its option in a line of ``--from_file``, where the node has it; empty where the script reads
    no prompt file. Such a script names its outputs by time and seed, and each in its log once it is written."""
    kept_by_text: ClassVar[Set[str]] = frozenset({"negative_prompt", "image"})
    """Fields of a prompt whose encodings the script keeps by the prompt's text: prompts with the same text share a
    start only if these are the same as well."""
    prompt_inputs: ClassVar[frozenset[str]] = frozenset({"prompt", "prompts"})
    """Inputs that may bring the prompt over a link instead of the widget."""
    size_option: ClassVar[str]
    """The option that takes height and width; "" where the family's own fields send them."""
    lacks: ClassVar[frozenset[str]] = frozenset()
    """Inputs and outputs of the base that the script has nothing for; what the family ignores is not there either."""
    merges_by_name: ClassVar[bool] = True
    """Whether the script merges LoRAs by the names in the DiT's file, so that these must have no prefix."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        family = getattr(cls, "family", None)
        ignored = family.ignores if isinstance(family, Family) else ()
        absent = cls.lacks.union(cls.prompt_fields[name] for name in ignored if name in cls.prompt_fields)
        cls.Inputs, cls.Outputs = without(cls.Inputs, absent), without(cls.Outputs, absent)

    @classmethod
    def replaced(cls) -> dict[str, str]:
        """Return :attr:`prompt_fields` without what this node does not have."""
        return {name: own for name, own in cls.prompt_fields.items() if own in cls.Inputs.model_fields}

    @classmethod
    def lines(cls) -> dict[str, str]:
        """Return :attr:`prompt_line` without what this node does not have."""
        return {name: option for name, option in cls.prompt_line.items() if name in cls.replaced()}

    def most_blocks_to_swap(self, inputs: GeneratorT) -> int | None:
        most = inputs.models.most_blocks_to_swap
        return most[1] if most else None

    def option_map(self) -> OptionMap:
        return self.family.generator_options

    def defaults(self) -> Mapping[str, Any]:
        return {"negative_prompt": self.family.empty_negative_prompt}

    def frames(self, inputs: GeneratorT) -> int | None:
        """Return how many frames it makes; ``None`` if that shows only afterwards."""
        return 1

    def asked(self, inputs: GeneratorT) -> Expected:
        """What must come out, as far as it follows from the inputs."""
        if inputs.latent or inputs.extra_options.strip() or getattr(inputs, "one_frame_inference", None):
            return Expected()
        return Expected(self.frames(inputs), (inputs.width, inputs.height))

    def lora_options(self, inputs: GeneratorT, chain: tuple[Lora, ...]) -> Mapping[str, Any]:
        """How the script takes LoRAs. HunyuanVideo and FramePack crash without an explicit multiplier (v0.3.4)."""
        return {"lora_weight": [x.path for x in chain], "lora_multiplier": [x.multiplier for x in chain]}

    def prompt(self, inputs: GeneratorT) -> str:
        """The prompt as the script takes it."""
        return str(inputs.prompt)

    def media(self, inputs: GeneratorT, folder: Path) -> Mapping[str, Any]:
        """Write the pictures and videos that the script reads into the run folder; return the files by option."""
        return write_media(inputs, folder, getattr(inputs, "fps", self.family.fps))

    def arguments(self, inputs: GeneratorT, known: Table, version: str) -> Iterator[Argument]:
        yield from super().arguments(inputs, known, version)
        unused = "decoded from a latent" if inputs.latent else ""  # hv_generate_video.py asks for one even then
        yield Argument("prompt", self.prompt(inputs) or unused, self.title)
        if self.size_option:
            yield Argument(self.size_option, [inputs.height, inputs.width], self.title)
        chain = inputs.lora.chain() if inputs.lora else ()
        yield from arguments_from(self.lora_options(inputs, chain), "the LoRAs")

    def run(self, inputs: GeneratorT, context: Context) -> BaseModel:
        if inputs.prompts is not None:
            self._check_prompts(inputs)
        output = context.host.output_folder
        self._check_outputs(inputs.output_type, context)
        found = generate_all(self, inputs, context)
        results, last = found.made, found.last
        context.track_output(*(file for each in results for file in each.files()), complete=not found.failed)
        context.failed = found.failed
        context.show(*(picture for each in results for picture in each.shown()), text=found.told)
        outputs = {
            "video": [VideoFile(each.video) for each in results if each.video],
            "images": [each.frames() for each in results] if context.wanted("images") else [],
            "latent": [Latent(path=each.latent) for each in results if each.latent],
            "run": last or Run(folder=output / "musubi" / "generated"),
        }
        return self.Outputs(**{name: value for name, value in outputs.items() if name in self.Outputs.model_fields})

    def ready(self, inputs: GeneratorT, context: Context) -> Install:
        """The install, after all checks that need no process."""
        install = self.prepare(inputs, context)
        self._check_wanted(inputs.latent is not None, inputs.output_type, self.prompt(inputs))
        check_packages(install, inputs.memory or Memory())
        return install

    def checks(self, context: Context) -> Iterator[Callable[[GeneratorT], None]]:
        yield self._check_made_length
        yield from super().checks(context)
        yield from (check_fp8_file, self._check_loras, self._check_controls, self._check_ignored)

    def _check_made_length(self, inputs: GeneratorT) -> None:
        if not inputs.latent:
            self.check_length(inputs)

    def _check_loras(self, inputs: GeneratorT) -> None:
        for lora in inputs.lora.chain() if inputs.lora else ():
            check_fits(lora.path, Path(inputs.models.main_dit), merged=self.merges_by_name)
            self._check_lycoris(lora.path, inputs)

    def _check_lycoris(self, lora: Path, inputs: GeneratorT) -> None:
        """Refuse a LoHa or LoKr that the script would leave out."""
        kind = network_of(read_header(lora))
        if self.family.needs_lycoris and kind != "LoRA" and not getattr(inputs, "lycoris", False):
            raise MusubiError(
                "lycoris-missing",
                f"{lora.name} is a {kind}",
                why=translate("{script} reads one with the LyCORIS package only (v0.3.4).", script=self.script),
                fix="Turn lycoris on; musubi-tuner's environment needs the package lycoris-lora.",
            )

    def _check_controls(self, inputs: GeneratorT) -> None:
        """Raise where the version of the models takes another number of control pictures."""
        takes = self.family_of(inputs).control_images
        if takes and not inputs.latent:
            check_pictures("control_image", getattr(inputs, "control_image", None), takes, self.title)

    def _check_ignored(self, inputs: GeneratorT) -> None:
        """Raise for a setting that the script leaves out for this version of the models."""
        fields, replaced = self.Inputs.model_fields, self.replaced()
        for name in sorted(self.family_of(inputs).ignores & replaced.keys()):
            own = replaced[name]
            if getattr(inputs, own) != fields[own].default:
                raise MusubiError(
                    "setting-other-version",
                    f"{self.title}: {self.version_of(inputs)} ignores {own}",
                    fix="Choose another version in the models node, or set it back.",
                )

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        replaced = set(self.replaced().values()) if "prompts" in linked else set()
        own = {name: value for name, value in values.items() if name not in replaced}
        super().validate(own, linked | replaced, context)
        prompt = "over a link" if self.prompt_inputs & linked else values["prompt"]
        self._check_wanted("latent" in linked, values.get("output_type", "images"), prompt)
        prompts = None if "latent" in linked else values.get("prompts")
        for number, prompt in enumerate(prompts.items if prompts else (), 1):
            self._check_length_of(number, prompt, values, linked)

    def _check_length_of(self, number: int, prompt: Prompt, values: Mapping[str, Any], linked: Set[str]) -> None:
        """What a prompt's length, its own or the node's, would be refused for when its turn comes."""
        length = self.replaced().get("frames")
        own = {length: prompt.frames} if length and prompt.frames else {}
        inputs: Any = resolved_inputs(type(self), values, linked, **own)
        try:
            self.check_length(inputs)
        except Unresolved:
            return
        except MusubiError as error:
            raise error.at(name_of(number, prompt)) from error

    def check_length(self, inputs: GeneratorT) -> None:
        """Raise a MusubiError where the model does not make videos of this length."""
        frames = getattr(inputs, "video_length", None)
        if frames is not None:
            title = self.family.title
            check_frames(self.family.frame_rule, frames, f"video_length {frames} does not fit {title}")

    def _check_outputs(self, output_type: str, context: Context) -> None:
        """An output that is connected but not made would fail at the next node, after the whole generation."""
        for name, makers in MADE_BY.items():
            if context.linked is not None and name in context.linked and output_type not in makers:
                raise MusubiError(
                    "output-not-made",
                    f"{self.title}: the output {name} is connected, but output_type {output_type} makes none",
                    fix=translate("Set output_type to {types}, or unplug it.", types=self._offered(makers)),
                )

    def _offered(self, types: Iterable[str]) -> str:
        """Name those of ``types`` that the node's output_type offers."""
        (spec,) = (each for each in self.fields() if each.name == "output_type")
        return translate(" or ").join(each for each in types if each in spec.choices)

    def _check_prompts(self, inputs: GeneratorT) -> None:
        for name in ("latent", *self.prompt_inputs - {"prompt", "prompts"}):
            if getattr(inputs, name) is not None:
                raise MusubiError(
                    "inputs-conflict", f"{self.title}: prompts and {name} exclude each other", fix="Unplug one of them."
                )

    def _check_wanted(self, decodes: bool, output_type: str, prompt: str) -> None:
        if decodes and output_type not in DECODED:
            raise MusubiError(
                "output-type-not-possible",
                f"output_type {output_type} cannot be made from a latent file",
                fix=translate("Choose {types}.", types=self._offered(DECODED)),
            )
        if not decodes and not prompt.strip():
            raise MusubiError("prompt-empty", f"{self.title}: the prompt is empty", fix="Describe what to generate.")


VideoT = TypeVar("VideoT", bound=VideoGeneratorInputs, default=Any)


class VideoGenerator(Generator[VideoT]):
    """Generates videos."""

    search: ClassVar[tuple[str, ...]] = (
        "text to video",
        "image to video",
        "t2v",
        "i2v",
        "sampler",
        "inference",
        "動画生成",
        "生成",
    )
    Inputs: ClassVar[type[BaseModel]] = VideoGeneratorInputs
    Outputs: ClassVar[type[BaseModel]] = VideoGeneratorOutputs
    size_option: ClassVar[str] = "video_size"

    def frames(self, inputs: VideoT) -> int | None:
        """Return the length; a family with another field for it, or whose script has its own, overrides it."""
        return getattr(inputs, "video_length", None)


ImageT = TypeVar("ImageT", bound=ImageGeneratorInputs, default=Any)


class ImageGenerator(Generator[ImageT]):
    """Generates pictures."""

    search: ClassVar[tuple[str, ...]] = (
        "text to image",
        "t2i",
        "sampler",
        "inference",
        "画像生成",
        "生成",
    )
    Inputs: ClassVar[type[BaseModel]] = ImageGeneratorInputs
    Outputs: ClassVar[type[BaseModel]] = ImageGeneratorOutputs
    size_option: ClassVar[str] = "image_size"
    prompt_line: ClassVar[Mapping[str, str]] = PROMPT_LINE
