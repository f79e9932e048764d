"""FramePack's nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from musubi_nodes.families import (
    ONE_OR_MORE,
    PROMPT_LINE,
    CacheInputs,
    Context,
    Dtype,
    ForwardOptions,
    FrameRule,
    ImageDataset,
    LatentCache,
    LatentCacheInputs,
    LoRATrainer,
    LoRATrainerInputs,
    Lycoris,
    Memory,
    ModelsNode,
    MusubiError,
    Native,
    NoMetadata,
    Option,
    Picture,
    PictureCount,
    SamplePicture,
    TextEncoderCache,
    VideoGenerator,
    VideoGeneratorInputs,
    Widget,
    effective,
    save_png,
    translate,
)
from musubi_nodes_framepack.family import FRAMEPACK, WINDOW
from musubi_nodes_framepack.models import FramePackModels
from musubi_nodes_framepack.sections import FramePackSection, Section, indices, joined

ADVANCED = Widget(advanced=True)
F1 = "The DiT is an F1 model: it goes forward in time."
RATIOS = r"^(\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*)?$"
RATE = 30
"""The script counts sections at 30 frames a second, whatever ``--fps`` says (fpack_generate_video.py, v0.3.4)."""


class FramePackModelsNode(ModelsNode):
    """Names the files of FramePack and checks them. It loads nothing."""

    id, title = "MusubiTuner_FramePackModels", "FramePack Models"
    models = FramePackModels


class FramePackLatentCache(LatentCache):
    """Encodes a dataset section by section with HunyuanVideo's VAE and the image encoder. Videos need at least one
    section (37 frames); pictures need one_frame and control pictures."""

    id, title = "MusubiTuner_FramePackLatentCache", "FramePack Latent Cache"
    family, script = FRAMEPACK, "fpack_cache_latents.py"
    refused_options = {"vae_dtype": "FramePack's latent cache takes no vae_dtype"}

    class Inputs(LatentCacheInputs):
        models: Annotated[FramePackModels, ForwardOptions("vae", "image_encoder")]
        f1: Annotated[bool, Option()] = Field(False, description=F1)
        one_frame: Annotated[bool, Option()] = Field(
            False, description="Cache for one-frame training: pictures with their control pictures."
        )
        one_frame_no_2x: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="One frame: without the 2x history."
        )
        one_frame_no_4x: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="One frame: without the 4x history."
        )

    def cache_flags(self, inputs: Inputs) -> frozenset[str]:
        return frozenset(name for name in ("f1", "one_frame") if getattr(inputs, name))

    def check(self, inputs: Inputs, context: Context) -> None:
        pictures = [d for d in effective(inputs.dataset.config) if isinstance(d, ImageDataset)]
        if pictures and not inputs.one_frame:
            raise MusubiError(
                "framepack-one-frame-missing",
                "a dataset of pictures needs one_frame",
                fix="Turn one_frame on, or use videos of at least 37 frames.",
            )


class FramePackTextEncoderCache(TextEncoderCache):
    """Encodes a dataset's captions with both text encoders."""

    id, title = "MusubiTuner_FramePackTextEncoderCache", "FramePack Text Encoder Cache"
    family, script = FRAMEPACK, "fpack_cache_text_encoder_outputs.py"

    class Inputs(CacheInputs):
        models: Annotated[FramePackModels, ForwardOptions("text_encoder1", "text_encoder2")]


class FramePackLoRATrainer(LoRATrainer):
    """Trains a FramePack LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_FramePackLoRATrainer", "FramePack LoRA Trainer"
    family, script = FRAMEPACK, "fpack_train_network.py"
    sample_models = ("vae", "text_encoder1", "text_encoder2", "image_encoder")

    class Inputs(LoRATrainerInputs):
        models: Annotated[FramePackModels, ForwardOptions("dit")]
        sample_image: Annotated[Any, SamplePicture("image")] = Field(
            None, description="First picture of the samples, for models that turn pictures into videos."
        )
        f1: Annotated[bool, Option()] = Field(False, description=F1)
        one_frame: Annotated[bool, Option()] = Field(
            False, description="One-frame training, on a latent cache that was made for it."
        )
        latent_window_size: Annotated[int, Option(), ADVANCED] = Field(
            WINDOW, ge=1, le=64, description="Latent frames of a section, for samples."
        )
        bulk_decode: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Samples: decode all frames at once. Faster, needs more memory."
        )
        vae_dtype: Dtype = Field(None, description="Precision of the VAE for samples. default: float16.")

    def needed_flags(self, inputs: Inputs) -> frozenset[str]:
        return frozenset(name for name in ("f1", "one_frame") if getattr(inputs, name))

    def sample_pictures(self, inputs: Inputs) -> Mapping[str, PictureCount]:
        return {"image": ONE_OR_MORE}

    def sample_rule(self, inputs: Inputs) -> FrameRule:
        return FrameRule(window=inputs.latent_window_size)

    def check_samples(self, inputs: Inputs) -> None:
        if inputs.one_frame:
            raise MusubiError(
                "samples-not-possible",
                "one-frame training cannot make samples",
                why="Each sample would need indices and control pictures of its own (KeyError, v0.3.4).",
                fix="Remove the prompts of the samples.",
            )

    def check(self, inputs: Inputs, context: Context) -> None:
        if inputs.vae_dtype not in (None, "float16"):
            raise MusubiError(
                "framepack-vae-dtype-not-allowed",
                f"FramePack's VAE works in float16, not in {inputs.vae_dtype}",
                why="fpack_train_network.py refuses everything else (v0.3.4).",
                fix="Set vae_dtype to default.",
            )
        batches = [d.batch_size for d in effective(inputs.latent_cache.dataset.config)]
        if max(batches, default=1) > 1 and not (inputs.memory or Memory()).split_attn:
            raise MusubiError(
                "framepack-split-attn-missing",
                f"FramePack with batch_size {max(batches)} needs split_attn",
                fix="Turn split_attn on in the Memory Optimizer, or set batch_size = 1 in the TOML.",
            )


class FramePackGenerator(VideoGenerator):
    """Makes a video from a picture, section by section, or a single frame. Prompts for parts of the video come as a
    chain of FramePack Section nodes."""

    id, title = "MusubiTuner_FramePackGenerator", "FramePack Generator"
    family, script = FRAMEPACK, "fpack_generate_video.py"
    prompt_inputs = VideoGenerator.prompt_inputs | {"section"}
    prompt_fields = {**VideoGenerator.prompt_fields, "frames": "video_frames"}
    prompt_line = {name: option for name, option in PROMPT_LINE.items() if name not in ("frames", "control_image")}
    kept_by_text = frozenset()  # conds_cache holds what is made of the text alone (fpack_generate_video.py, v0.3.4)
    refused_options = {"sample_solver": "FramePack knows the solver unipc only (NotImplementedError, v0.3.4)"}

    class Inputs(VideoGeneratorInputs):
        models: Annotated[
            FramePackModels, ForwardOptions("dit", "vae", "text_encoder1", "text_encoder2", "image_encoder")
        ]
        image: Annotated[Any, Native("IMAGE")] = Field(None, description="The first frame.")
        end_image: Annotated[Any, Picture("end_image_path")] = Field(None, description="The last frame.")
        section: Section | None = Field(None, description="Parts of the video, each with its own prompt.")
        control_image: Annotated[Any, Picture("control_image_path", several=True)] = Field(
            None, description="Control pictures of one-frame inference, in order."
        )
        control_image_mask: Annotated[Any, Picture("control_image_mask_path", several=True)] = Field(
            None, description="Masks of the control pictures, in order."
        )
        video_seconds: float = Field(5.0, ge=0.1, le=600.0, description="Length; rounded to whole sections.")
        video_frames: int | None = Field(
            None, ge=1, le=20_000, description="Length in frames instead: sections * window * 4 + 1. 0: in seconds."
        )
        fps: Annotated[int, Option()] = Field(30, ge=1, le=120, description="Frames a second of the file.")
        infer_steps: Annotated[int, Option()] = Field(25, ge=1, le=1000, description="Denoising steps.")
        embedded_cfg_scale: Annotated[float, Option()] = Field(
            10.0, ge=0.0, le=100.0, description="How strictly the prompt is followed."
        )
        f1: Annotated[bool, Option()] = Field(False, description=F1)
        latent_window_size: Annotated[int, Option()] = Field(
            WINDOW, ge=1, le=64, description="Latent frames of a section; as the model was trained."
        )
        flow_shift: Annotated[float | None, Option(), ADVANCED] = Field(
            None, ge=0.0, le=100.0, description="Shift of the timesteps. -1: by length."
        )
        guidance_scale: Annotated[float, Option(), ADVANCED] = Field(
            1.0, ge=0.0, le=100.0, description="Classifier free guidance; 1 is off, and twice as fast."
        )
        guidance_rescale: Annotated[float, Option(), ADVANCED] = Field(
            0.0, ge=0.0, le=1.0, description="Rescale of the guidance."
        )
        latent_paddings: Annotated[str, Option(), ADVANCED] = Field(
            "", pattern=r"^[0-9, ]*$", description="Paddings of the sections, by commas: 3,2,1,0."
        )
        custom_system_prompt: Annotated[str, Option(), ADVANCED] = Field(
            "", description="A system prompt for the LLaVA-Llama encoder."
        )
        bulk_decode: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Decode all frames at once. Faster, needs more memory."
        )
        one_frame_inference: Annotated[str, Option(), ADVANCED] = Field(
            "",
            pattern=r"^[a-z0-9_=;, ]*$",
            examples=["target_index=1,control_index=0"],
            description="One-frame inference, such as target_index=1,control_index=0. Empty: a video.",
        )
        one_frame_auto_resize: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="One frame: take the size of the first control picture."
        )
        rope_scaling_factor: Annotated[float, Option(), ADVANCED] = Field(
            0.5, ge=0.0, le=10.0, description="RoPE scaling, with rope_scaling_timestep_threshold."
        )
        rope_scaling_timestep_threshold: Annotated[int | None, Option(), ADVANCED] = Field(
            None, ge=0, le=1000, description="RoPE scaling above this timestep. -1: off."
        )
        magcache_mag_ratios: Annotated[str, Option(), ADVANCED] = Field(
            "", pattern=RATIOS, description="MagCache: skip steps by these ratios. 0 takes the built-in ones."
        )
        magcache_retention_ratio: Annotated[float, Option(), ADVANCED] = Field(
            0.2, ge=0.0, le=1.0, description="MagCache: share of the first steps that are never skipped."
        )
        magcache_threshold: Annotated[float, Option(), ADVANCED] = Field(
            0.24, ge=0.0, le=10.0, description="MagCache: how large the error may grow."
        )
        magcache_k: Annotated[int, Option(), ADVANCED] = Field(
            6, ge=1, le=100, description="MagCache: steps that may be skipped in a row."
        )
        magcache_calibration: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="MagCache: measure the ratios and print them into the log."
        )
        include_patterns: Annotated[str, Widget(advanced=True, multiline=True)] = Field(
            "", description="Regular expressions of LoRA modules that are used, one line for each LoRA."
        )
        exclude_patterns: Annotated[str, Widget(advanced=True, multiline=True)] = Field(
            "", description="Regular expressions of LoRA modules that are left out, one line for each LoRA."
        )
        lycoris: Lycoris = False
        no_metadata: NoMetadata = False

    def frames(self, inputs: Inputs) -> int:
        return 1 if inputs.one_frame_inference else sections(inputs) * inputs.latent_window_size * 4 + 1

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        whole = sections(inputs) * inputs.latent_window_size * 4 / RATE
        return {
            "video_seconds": round(whole, 6) if inputs.video_frames else inputs.video_seconds,
            "include_patterns": inputs.include_patterns.splitlines(),
            "exclude_patterns": inputs.exclude_patterns.splitlines(),
        }

    def prompt(self, inputs: Inputs) -> str:
        if inputs.section is None:
            return joined(["0"], [inputs.prompt])
        chain = inputs.section.chain()
        return joined(indices(chain, sections(inputs)), [part.prompt for part in chain])

    def media(self, inputs: Inputs, folder: Path) -> Mapping[str, Any]:
        return {**super().media(inputs, folder), "image_path": self._first_pictures(inputs, folder)}

    def _first_pictures(self, inputs: Inputs, folder: Path) -> str:
        """The first picture, and those of the sections at their places."""
        chain = inputs.section.chain() if inputs.section else ()
        places = indices(chain, sections(inputs)) if chain else []
        found = {p: s.image for p, s in zip(places, chain, strict=True) if s.image is not None}
        if inputs.image is not None:
            found = {"0": inputs.image, **found}
        saved = {place: save_png(picture, folder / f"image-{place}.png") for place, picture in found.items()}
        return joined(list(saved), list(saved.values()))

    def check_length(self, inputs: Inputs) -> None:
        window = inputs.latent_window_size * 4
        rule = FrameRule(window=inputs.latent_window_size)
        if inputs.video_frames and not inputs.one_frame_inference and not rule.fits(inputs.video_frames):
            lower = rule.round_down(inputs.video_frames) or rule.shortest
            raise MusubiError(
                "frames-not-allowed",
                f"video_frames {inputs.video_frames} is not whole sections of {window} frames and one",
                fix=translate("Use {lower} or {upper}.", lower=lower, upper=lower + window),
            )

    def check(self, inputs: Inputs, context: Context) -> None:
        if inputs.latent:
            return
        if inputs.section:
            indices(inputs.section.chain(), sections(inputs))
        first = inputs.section.chain()[0].image if inputs.section else None
        if inputs.image is None and first is None and inputs.control_image is None:
            raise MusubiError(
                "start-image-missing",
                "FramePack begins with a picture",
                why="musubi-tuner would begin with a black one.",
                fix="Connect a picture to image.",
            )


def sections(inputs: Any) -> int:
    """How many sections the video has, as the script counts them (v0.3.4)."""
    window = inputs.latent_window_size * 4
    if inputs.video_frames:
        return max((inputs.video_frames - 1) // window, 1)
    return int(max(round(inputs.video_seconds * RATE / window), 1))


NODES = (
    FramePackModelsNode,
    FramePackLatentCache,
    FramePackTextEncoderCache,
    FramePackLoRATrainer,
    FramePackSection,
    FramePackGenerator,
)
