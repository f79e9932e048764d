"""Wan's nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from musubi_nodes.families import (
    ONE_OR_MORE,
    PROMPT_LINE,
    CacheInputs,
    Clip,
    Context,
    Dtype,
    ForwardOptions,
    LatentCache,
    LatentCacheInputs,
    Lora,
    LoRATrainer,
    LoRATrainerInputs,
    Lycoris,
    Memory,
    ModelsNode,
    MusubiError,
    NoMetadata,
    Option,
    Picture,
    PictureCount,
    SamplePicture,
    TextEncoderCache,
    Training,
    VideoGenerator,
    VideoGeneratorInputs,
    Widget,
    effective,
    translate,
)
from musubi_nodes_wan.family import WAN
from musubi_nodes_wan.models import WanModels, dit_dtype

ADVANCED = Widget(advanced=True)


class WanModelsNode(ModelsNode):
    """Names the files of a Wan 2.1 or 2.2 model and checks that they fit the task. It loads nothing."""

    id, title = "MusubiTuner_WanModels", "Wan Models"
    models = WanModels


class WanLatentCache(LatentCache):
    """Encodes a dataset's images and videos with Wan's VAE."""

    id, title = "MusubiTuner_WanLatentCache", "Wan Latent Cache"
    family, script = WAN, "wan_cache_latents.py"

    class Inputs(LatentCacheInputs):
        models: Annotated[WanModels, ForwardOptions("vae")]
        one_frame: Annotated[bool, Option()] = Field(
            False, description="Cache for one-frame training: each picture with its control pictures."
        )
        vae_dtype: Dtype = Field(None, description="Precision of the VAE. default: bfloat16.")

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        needs = inputs.models.needs
        clip = inputs.models.clip if needs.clip or inputs.one_frame else None
        return {"i2v": needs.image and not inputs.one_frame, "clip": clip}

    def cache_flags(self, inputs: Inputs) -> frozenset[str]:
        return flags(inputs.models, inputs.one_frame)

    def check(self, inputs: Inputs, context: Context) -> None:
        if inputs.one_frame and not inputs.models.clip:
            raise MusubiError(
                "wan-clip-missing", "one_frame needs clip, the CLIP image encoder", fix="Choose it in Wan Models."
            )
        controls = [d.control_directory is not None for d in effective(inputs.dataset.config)]
        if inputs.models.needs.control and not all(controls):
            raise MusubiError(
                "wan-control-directory-missing",
                f"task {inputs.models.task} is Fun-Control, but a dataset has no control_directory",
                fix="Add control_directory to each [[datasets]] of the TOML.",
            )


class WanTextEncoderCache(TextEncoderCache):
    """Encodes a dataset's captions with Wan's T5."""

    id, title = "MusubiTuner_WanTextEncoderCache", "Wan Text Encoder Cache"
    family, script = WAN, "wan_cache_text_encoder_outputs.py"

    class Inputs(CacheInputs):
        models: Annotated[WanModels, ForwardOptions("t5")]


class WanLoRATrainer(LoRATrainer):
    """Trains a Wan LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_WanLoRATrainer", "Wan LoRA Trainer"
    family, script = WAN, "wan_train_network.py"
    sample_models = ("vae", "t5")

    class Inputs(LoRATrainerInputs):
        models: Annotated[WanModels, ForwardOptions("task")]
        sample_image: Annotated[Any, SamplePicture("image")] = Field(
            None, description="First picture of the samples, for models that turn pictures into videos."
        )
        one_frame: Annotated[bool, Option()] = Field(
            False, description="One-frame training, on a latent cache that was made for it."
        )
        force_v2_1_time_embedding: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Wan 2.2: the smaller time embedding of Wan 2.1. Saves memory."
        )
        offload_inactive_dit: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Wan 2.2 with both models: keep the one that rests in main memory. Not with block swap."
        )
        vae_dtype: Dtype = Field(None, description="Precision of the VAE for samples. default: bfloat16.")

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        models: WanModels = inputs.models
        options = dict(models.dits())
        sampled = inputs.sampling is not None and inputs.sampling.samples()
        options["clip"] = models.clip if sampled and models.needs.clip else None
        if not models.two_models:
            return options
        boundary = models.boundary
        if models.noise == "both":
            return {**options, "timestep_boundary": boundary}
        low, high = (boundary, 1000) if models.noise == "high" else (0, boundary)
        return {**options, "min_timestep": low, "max_timestep": high, "preserve_distribution_shape": True}

    def needed_flags(self, inputs: Inputs) -> frozenset[str]:
        return flags(inputs.models, inputs.one_frame)

    def sample_pictures(self, inputs: Inputs) -> Mapping[str, PictureCount]:
        return {"image": ONE_OR_MORE} if inputs.models.needs.image else {}

    def sample_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"discrete_flow_shift": inputs.models.needs.shift}

    def check_samples(self, inputs: Inputs) -> None:
        if inputs.models.needs.control:
            raise MusubiError(
                "samples-not-possible",
                f"samples of task {inputs.models.task} would need a control video each",
                why="musubi-tuner would train on and make no samples.",
                fix="Remove the prompts of the samples.",
            )

    def lora_noise(self, inputs: Inputs) -> str:
        return str(inputs.models.noise)

    def check(self, inputs: Inputs, context: Context) -> None:
        memory, precision = inputs.memory or Memory(), (inputs.training or Training()).mixed_precision
        check_precision(inputs.models, memory, precision)
        check_offload(memory, inputs.offload_inactive_dit)


class WanGenerator(VideoGenerator):
    """Makes a video or picture with Wan 2.1 or 2.2: from text, a picture, two pictures or a control video."""

    id, title = "MusubiTuner_WanGenerator", "Wan Generator"
    family, script = WAN, "wan_generate_video.py"
    prompt_line = {name: option for name, option in PROMPT_LINE.items() if name != "control_image"}

    class Inputs(VideoGeneratorInputs):
        models: Annotated[WanModels, ForwardOptions("task", "vae", "t5")]
        image: Annotated[Any, Picture("image_path")] = Field(
            None, description="The first frame, for i2v and flf2v tasks."
        )
        end_image: Annotated[Any, Picture("end_image_path")] = Field(None, description="The last frame.")
        control_video: Annotated[Any, Clip("control_path")] = Field(
            None, description="The control video of Fun-Control; as long as the video that is made."
        )
        control_image: Annotated[Any, Picture("control_image_path", several=True)] = Field(
            None, description="Control pictures of one-frame inference, in order."
        )
        control_image_mask: Annotated[Any, Picture("control_image_mask_path", several=True)] = Field(
            None, description="Masks of the control pictures, in order."
        )
        video_length: Annotated[int | None, Option()] = Field(
            None, ge=1, le=1025, description="Frames: N*4+1. 0: 81, or 1 for t2i."
        )
        fps: Annotated[int, Option()] = Field(16, ge=1, le=120, description="Frames a second; Wan is made for 16.")
        infer_steps: Annotated[int | None, Option()] = Field(
            None, ge=1, le=1000, description="Denoising steps. 0: the task's own (40 or 50)."
        )
        guidance_scale: Annotated[float | None, Option()] = Field(
            None, ge=0.0, le=100.0, description="How strictly the prompt is followed. -1: the task's own."
        )
        guidance_scale_high_noise: Annotated[float | None, Option()] = Field(
            None, ge=0.0, le=100.0, description="The same for the high-noise model. -1: the task's own."
        )
        flow_shift: Annotated[float | None, Option()] = Field(
            None, ge=0.0, le=100.0, description="Shift of the timesteps. -1: the task's own."
        )
        sample_solver: Annotated[Literal["unipc", "dpm++", "vanilla"], Option()] = Field(
            "unipc", description="The solver."
        )
        one_frame_inference: Annotated[str, Option(), ADVANCED] = Field(
            "",
            pattern=r"^[a-z0-9_=;, ]*$",
            examples=["target_index=1,control_index=0"],
            description="One-frame inference, such as target_index=1,control_index=0. Empty: a normal video.",
        )
        cpu_noise: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Draw the noise on the CPU, as ComfyUI does: the same seed, the same video."
        )
        trim_tail_frames: Annotated[int, Option(), ADVANCED] = Field(
            0, ge=0, le=1000, description="Frames that are cut off at the end."
        )
        cfg_skip_mode: Annotated[
            Literal["none", "early", "late", "middle", "early_late", "alternate"], Option(), ADVANCED
        ] = Field("none", description="Steps without guidance: faster.")
        cfg_apply_ratio: Annotated[float | None, Option(), ADVANCED] = Field(
            None, ge=0.0, le=1.0, description="Share of steps with guidance. -1: all."
        )
        slg_mode: Annotated[Literal["original", "uncond"] | None, Option(), ADVANCED] = Field(
            None, description="Skip layer guidance."
        )
        slg_layers: Annotated[str, Option(), ADVANCED] = Field(
            "",
            pattern=r"^[0-9, ]*$",
            description="Blocks that skip layer guidance skips, by commas: 9,10.",
            examples=["9,10"],
        )
        slg_scale: Annotated[float, Option(), ADVANCED] = Field(3.0, ge=0.0, le=100.0, description="Its strength.")
        slg_start: Annotated[float, Option(), ADVANCED] = Field(0.0, ge=0.0, le=1.0, description="Where it begins.")
        slg_end: Annotated[float, Option(), ADVANCED] = Field(0.3, ge=0.0, le=1.0, description="Where it ends.")
        include_patterns: Annotated[str, Widget(advanced=True, multiline=True)] = Field(
            "", description="Regular expressions of LoRA modules that are used, one line for each LoRA."
        )
        exclude_patterns: Annotated[str, Widget(advanced=True, multiline=True)] = Field(
            "", description="Regular expressions of LoRA modules that are left out, one line for each LoRA."
        )
        offload_inactive_dit: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Wan 2.2: keep the model that rests in main memory."
        )
        lazy_loading: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Wan 2.2: load each model when it is needed. Least memory."
        )
        force_v2_1_time_embedding: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Wan 2.2: the smaller time embedding of Wan 2.1. Saves memory."
        )
        fp8_fast: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Faster fp8 arithmetic on RTX 40 and newer; not together with fp8_scaled."
        )
        vae_dtype: Dtype = Field(None, description="Precision of the VAE. default: the DiT's.")
        lycoris: Lycoris = False
        no_metadata: NoMetadata = False

    def frames(self, inputs: Inputs) -> int:
        return inputs.video_length or (1 if inputs.models.task.startswith("t2i") else 81)

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        models: WanModels = inputs.models
        boundary = models.timestep_boundary
        return {
            **models.dits(),
            "clip": models.clip if models.needs.clip else None,
            "timestep_boundary": boundary / 1000 if boundary is not None and models.two_models else None,
            "include_patterns": inputs.include_patterns.splitlines(),
            "exclude_patterns": inputs.exclude_patterns.splitlines(),
        }

    def lora_options(self, inputs: Inputs, chain: tuple[Lora, ...]) -> Mapping[str, Any]:
        low = [lora for lora in chain if lora.noise != "high" or not inputs.models.two_models]
        high = [lora for lora in chain if lora.noise != "low"] if inputs.models.second_dit else []
        return {
            "lora_weight": [lora.path for lora in low],
            "lora_multiplier": [lora.multiplier for lora in low],
            "lora_weight_high_noise": [lora.path for lora in high],
            "lora_multiplier_high_noise": [lora.multiplier for lora in high],
        }

    def check(self, inputs: Inputs, context: Context) -> None:
        models: WanModels = inputs.models
        if inputs.latent:
            return
        if models.needs.image and inputs.image is None and not inputs.one_frame_inference:
            raise MusubiError(
                "start-image-missing",
                f"task {models.task} begins with a picture",
                fix="Connect an image to the input image.",
            )
        if models.needs.control and inputs.control_video is None:
            raise MusubiError(
                "wan-control-video-missing",
                f"task {models.task} needs a control video",
                fix="Connect one to control_video.",
            )
        if not models.needs.image and inputs.image is not None:
            raise MusubiError(
                "start-image-unexpected",
                f"task {models.task} takes no picture: it would be ignored",
                fix="Choose an i2v task, or unplug image.",
            )
        if models.two_models and models.noise == "high":
            raise MusubiError(
                "wan-low-noise-missing",
                "generating needs the low-noise model",
                fix="Set noise to both (or low) in Wan Models.",
            )
        length = inputs.video_length
        if models.task.startswith("t2i") and length not in (None, 1):
            raise MusubiError(
                "frames-not-allowed",
                f"task {models.task} makes one picture, not {length} frames",
                fix="Set video_length to 0.",
            )
        if inputs.offload_inactive_dit and inputs.lazy_loading:
            raise MusubiError(
                "settings-conflict",
                "offload_inactive_dit and lazy_loading exclude each other",
                fix="Turn one of them off.",
            )
        memory = inputs.memory or Memory()
        if inputs.fp8_fast and memory.fp8 == "fp8_scaled":
            raise MusubiError(
                "fp8-fast-not-allowed", "fp8_fast does not work with fp8_scaled", fix="Turn one of them off."
            )
        check_fp8_file(models, memory)
        check_offload(memory, inputs.offload_inactive_dit)


def flags(models: WanModels, one_frame: bool) -> frozenset[str]:
    """What a latent cache is made for; a training on another one fails at its first step (``KeyError``)."""
    found = {"one_frame"} if one_frame else ({"i2v"} if models.needs.image else set())
    if models.needs.clip:
        found.add("clip")
    return frozenset(found)


def check_precision(models: WanModels, memory: Memory, mixed_precision: str) -> None:
    """mixed_precision must fit the file: ``AssertionError`` after minutes otherwise (wan_train_network.py, v0.3.4)."""
    needed = {"F16": "fp16", "BF16": "bf16"}.get(dit_dtype(models.main_dit))
    if needed and mixed_precision not in (needed, "no"):
        raise MusubiError(
            "precision-other-than-model",
            f"{Path(models.main_dit).name} is in {needed}, but mixed_precision is {mixed_precision}",
            fix=translate("Set mixed_precision of the training settings to {needed}.", needed=needed),
        )
    check_fp8_file(models, memory)


def check_fp8_file(models: WanModels, memory: Memory) -> None:
    """An fp8 file is loaded with fp8, never with fp8_scaled (docs/wan.md, v0.3.4)."""
    if dit_dtype(models.main_dit).startswith("F8") and memory.fp8 != "fp8":
        raise MusubiError(
            "model-already-fp8",
            f"{Path(models.main_dit).name} is an fp8 file, but fp8 is {memory.fp8}",
            fix="Set fp8 to fp8 in the Memory Optimizer, or choose the fp16 or bf16 file.",
        )


def check_offload(memory: Memory, offload: bool) -> None:
    """Both ways of making room at once end in an assertion (wan_train_network.py, v0.3.4)."""
    if memory.blocks_to_swap and offload:
        raise MusubiError(
            "settings-conflict",
            "blocks_to_swap and offload_inactive_dit exclude each other",
            fix="Turn one of them off.",
        )


NODES = (WanModelsNode, WanLatentCache, WanTextEncoderCache, WanLoRATrainer, WanGenerator)
