"""HunyuanVideo's nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from musubi_nodes.families import (
    ONE_OR_MORE,
    CacheInputs,
    Clip,
    Context,
    Dtype,
    ForwardOptions,
    LatentCache,
    LatentCacheInputs,
    LoRATrainer,
    LoRATrainerInputs,
    Lycoris,
    ModelsNode,
    MusubiError,
    NoMetadata,
    Option,
    Picture,
    PictureCount,
    SamplePicture,
    TextEncoderCache,
    VideoGenerator,
    VideoGeneratorInputs,
    Widget,
)
from musubi_nodes_hunyuan.family import HUNYUAN
from musubi_nodes_hunyuan.models import CHANNELS, HunyuanVideoModels

ADVANCED = Widget(advanced=True)


class HunyuanVideoModelsNode(ModelsNode):
    """Names the files of HunyuanVideo and checks that they fit the task. It loads nothing."""

    id, title = "MusubiTuner_HunyuanVideoModels", "HunyuanVideo Models"
    models = HunyuanVideoModels


class HunyuanVideoLatentCache(LatentCache):
    """Encodes a dataset's images and videos with HunyuanVideo's VAE. Chunk size and tiling are in the memory plan."""

    id, title = "MusubiTuner_HunyuanVideoLatentCache", "HunyuanVideo Latent Cache"
    family, script = HUNYUAN, "cache_latents.py"

    class Inputs(LatentCacheInputs):
        models: Annotated[HunyuanVideoModels, ForwardOptions("vae")]
        vae_dtype: Dtype = Field(None, description="Precision of the VAE. default: float16.")


class HunyuanVideoTextEncoderCache(TextEncoderCache):
    """Encodes a dataset's captions with both text encoders, one after the other."""

    id, title = "MusubiTuner_HunyuanVideoTextEncoderCache", "HunyuanVideo Text Encoder Cache"
    family, script, passes = HUNYUAN, "cache_text_encoder_outputs.py", 2
    written_last = "clipL"

    class Inputs(CacheInputs):
        models: Annotated[HunyuanVideoModels, ForwardOptions("text_encoder1", "text_encoder2")]
        text_encoder_dtype: Dtype = Field(None, description="Precision of the encoders. default: float16.")


class HunyuanVideoLoRATrainer(LoRATrainer):
    """Trains a HunyuanVideo LoRA on finished caches; the LoRA lands in models/loras/musubi. For ComfyUI's own LoRA
    loader convert it with the LoRA Format Converter: as it is, ComfyUI passes over its MLP layers (0.3.64)."""

    id, title = "MusubiTuner_HunyuanVideoLoRATrainer", "HunyuanVideo LoRA Trainer"
    family, script = HUNYUAN, "hv_train_network.py"
    sample_models = ("vae", "text_encoder1", "text_encoder2")

    class Inputs(LoRATrainerInputs):
        models: Annotated[HunyuanVideoModels, ForwardOptions("dit")]
        sample_image: Annotated[Any, SamplePicture("image")] = Field(
            None, description="First picture of the samples, for models that turn pictures into videos."
        )
        dit_dtype: Annotated[Literal["bfloat16", "float16"] | None, Option(), ADVANCED] = Field(
            None, description="Precision of the DiT. default: bfloat16."
        )
        vae_dtype: Dtype = Field(None, description="Precision of the VAE for samples. default: float16.")
        text_encoder_dtype: Dtype = Field(None, description="Precision of the encoders for samples. default: float16.")

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"dit_in_channels": CHANNELS[inputs.models.task]}

    def sample_pictures(self, inputs: Inputs) -> Mapping[str, PictureCount]:
        return {"image": ONE_OR_MORE} if inputs.models.task == "i2v" else {}


class HunyuanVideoGenerator(VideoGenerator):
    """Makes a video with HunyuanVideo: from text, from a picture, or from another video."""

    id, title = "MusubiTuner_HunyuanVideoGenerator", "HunyuanVideo Generator"
    family, script = HUNYUAN, "hv_generate_video.py"

    class Inputs(VideoGeneratorInputs):
        models: Annotated[HunyuanVideoModels, ForwardOptions("dit", "vae", "text_encoder1", "text_encoder2")]
        image: Annotated[Any, Picture("image_path")] = Field(None, description="The first frame, for task i2v.")
        video: Annotated[Any, Clip("video_path")] = Field(None, description="The video to start from, for t2v.")
        output_type: Annotated[Literal["video", "images", "latent", "both"], Option(), Widget(last=1)] = Field(
            "video", description="What is written: a video, single images, the latent, or video and latent."
        )
        video_length: Annotated[int, Option(), Widget(step=4)] = Field(129, ge=1, le=1025, description="Frames: N*4+1.")
        fps: Annotated[int, Option()] = Field(24, ge=1, le=120, description="Frames a second.")
        infer_steps: Annotated[int, Option()] = Field(50, ge=1, le=1000, description="Denoising steps.")
        embedded_cfg_scale: Annotated[float, Option()] = Field(
            6.0, ge=0.0, le=100.0, description="How strictly the prompt is followed."
        )
        flow_shift: Annotated[float, Option()] = Field(7.0, ge=0.0, le=100.0, description="Shift of the timesteps.")
        strength: Annotated[float, Option()] = Field(
            0.8, ge=0.0, le=1.0, description="Video to video: how far from the given video."
        )
        guidance_scale: Annotated[float, Option(), ADVANCED] = Field(
            1.0, ge=0.0, le=100.0, description="Classifier free guidance; 1 is off, and twice as fast."
        )
        split_uncond: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="With guidance: both halves one after the other. Saves memory."
        )
        exclude_single_blocks: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Leave the single blocks of the LoRA out."
        )
        fp8_fast: Annotated[bool, Option(), ADVANCED] = Field(
            False, description="Faster fp8 arithmetic on RTX 40 and newer."
        )
        vae_dtype: Dtype = Field(None, description="Precision of the VAE. default: float16.")
        lycoris: Lycoris = False
        no_metadata: NoMetadata = False

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"dit_in_channels": CHANNELS[inputs.models.task]}

    def check(self, inputs: Inputs, context: Context) -> None:
        task = inputs.models.task
        if inputs.fp8_fast and (inputs.memory is None or inputs.memory.fp8 == "off"):
            raise MusubiError(
                "setting-missing", "fp8_fast needs fp8", fix="Choose fp8 in a Memory Optimizer, or turn fp8_fast off."
            )
        if inputs.latent:
            return
        if (task == "i2v") != (inputs.image is not None):
            code, wanted = (
                ("start-image-missing", "begins with a picture")
                if task == "i2v"
                else ("start-image-unexpected", "takes no picture")
            )
            raise MusubiError(code, f"task {task} {wanted}", fix="Connect image for task i2v, and for i2v only.")
        if task == "i2v" and inputs.video is not None:
            raise MusubiError(
                "hunyuan-video-unexpected", "task i2v takes no video", fix="Unplug video, or choose task t2v."
            )


NODES = (
    HunyuanVideoModelsNode,
    HunyuanVideoLatentCache,
    HunyuanVideoTextEncoderCache,
    HunyuanVideoLoRATrainer,
    HunyuanVideoGenerator,
)
