"""Qwen-Image's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from musubi_nodes import families as mn

Version = Literal["original", "edit", "edit-2509", "edit-2511", "layered"]
EDITS, LAYERED = ("edit", "edit-2509", "edit-2511"), ("layered",)
FLAT, ONE = ("original", *EDITS), mn.PictureCount(1, 1)
ORIGINAL = {"control_images": mn.NO_PICTURES, "item_targets": mn.NO_PICTURES}
CONTROLLED = {"control_images": mn.ONE_OR_MORE, "item_controls": mn.ONE_OR_MORE, "item_targets": mn.NO_PICTURES}
EDIT = {**CONTROLLED, "architecture": "qie", "text_made_from": frozenset({"caption", "control"})}
LORA = r"attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)|(img|txt)_(mlp\.net\.(0\.proj|2)|mod\.1)"

QWEN_IMAGE = mn.Family(
    key="qwen_image",
    title="Qwen-Image",
    architecture="qi",
    network_module="networks.lora_qwen_image",
    frame_rule=mn.PICTURES,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 2.2},
    fp8_text_encoder="fp8_vl",
    empty_negative_prompt=" ",
    sizes=(
        # fitted on the four trainings of docs/qwen_image.md; nobody measured generating: in proportion as Wan 2.1
        mn.DitSize(
            *("20B", 60, 0.32, 60, 3072, (0.85, 0.28), 153_600, (59, 59)),
            notes=f"{mn.CONTROLS_COUNT} More than 45 swapped blocks need much main memory.",
        ),
    ),
    vae_saving={"vae_tiling": True},
    trainer_split_attn=dict.fromkeys(("flash", "xformers"), "musubi-tuner's docs/qwen_image.md asks for it"),
    generator_options=mn.with_choice(mn.GENERATOR_OPTIONS, "vae_tiling", True, {"vae_enable_tiling": True}),
    lora_modules=rf"transformer_blocks\.\d+\.({LORA})",
    versions={
        "original": ORIGINAL,
        "edit": {**EDIT, "control_images": ONE, "item_controls": ONE},
        "edit-2509": EDIT,
        "edit-2511": EDIT,
        "layered": {"architecture": "qil", "control_images": ONE, "item_targets": mn.ONE_OR_MORE},
    },
)
DITS = {
    "a Qwen-Image or Qwen-Image-Edit DiT": FLAT,
    "a Qwen-Image-Edit 2511 DiT": EDITS[-1:],
    "a Qwen-Image-Layered DiT": LAYERED,
}
VAES = {
    "the VAE of Wan 2.1 or Qwen-Image": FLAT,
    "the VAE of Wan 2.1 or Qwen-Image in diffusers format": FLAT,
    "Qwen-Image-Layered's VAE": LAYERED,
    "Qwen-Image-Layered's VAE in diffusers format": LAYERED,
}
PREFIXES = ("", "model.diffusion_model.")
DIT = mn.accepts_known(
    *DITS, versions=DITS, prefixes=PREFIXES, sharded=True, fix="Choose the bf16 file of this model version."
)
VAE = mn.accepts_known(
    *VAES,
    versions=VAES,
    quantised=(mn.PLAIN,),  # the VAE computes in the file's precision (``load_vae``, v0.3.4)
    fix="Choose qwen_image_vae.safetensors, or qwen_image_layered_vae.safetensors for Layered.",
)
VL = "the Qwen2.5-VL text encoder of Qwen-Image and HunyuanVideo 1.5"
QWEN_VL = mn.accepts_known(VL, sharded=True, fix="Choose qwen_2.5_vl_7b.safetensors.")


def files(kind: str, *of: tuple[str, str]) -> tuple[mn.HubFile, ...]:
    """Comfy-Org's files of this kind: the end of the repository's name, and the file's."""
    found = (mn.hub_files(f"Comfy-Org/Qwen-Image{end}_ComfyUI", f"split_files/{kind}", name) for end, name in of)
    return tuple(file for each in found for file in each)


DIT_FILES = files(
    "diffusion_models",
    ("", "qwen_image_bf16.safetensors"),
    *(("-Edit", f"qwen_image_{name}_bf16.safetensors") for name in ("edit", "edit_2509", "edit_2511")),
    ("-Layered", "qwen_image_layered_bf16.safetensors"),
)
VAE_FILES = files("vae", ("", "qwen_image_vae.safetensors"), ("-Layered", "qwen_image_layered_vae.safetensors"))
VL_FILES = files("text_encoders", ("", "qwen_2.5_vl_7b.safetensors"))


class QwenImageModels(mn.Models):
    """Qwen-Image's files."""

    socket, version_field, size = "MUSUBI_QWEN_IMAGE_MODELS", "model_version", QWEN_IMAGE.sizes[0]
    model_version: Annotated[Version, mn.Option()] = Field(
        "original", description="Which Qwen-Image: from text, one of three that edit pictures, or into layers."
    )
    dit: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT, downloads=DIT_FILES), mn.Option()] = Field(
        description="The DiT of this version, in bf16."
    )
    vae: Annotated[str, mn.ModelFile("vae", accepts=VAE, downloads=VAE_FILES), mn.Option()] = Field(
        description="The VAE; Layered has its own."
    )
    text_encoder: Annotated[str, mn.ModelFile("text_encoders", accepts=QWEN_VL, downloads=VL_FILES), mn.Option()]


class QwenImageModelsNode(mn.ModelsNode):
    """Names the files of Qwen-Image, Edit or Layered and checks that they fit the version. It loads nothing."""

    id, title, models = "MusubiTuner_QwenImageModels", "Qwen-Image Models", QwenImageModels


class QwenImageLatentCache(mn.LatentCache):
    """Encodes a dataset's pictures, control pictures and layers with Qwen-Image's VAE."""

    id, title = "MusubiTuner_QwenImageLatentCache", "Qwen-Image Latent Cache"
    family, script = QWEN_IMAGE, "qwen_image_cache_latents.py"
    refused_options = {"vae_dtype": "the script refuses it (ValueError, v0.3.4)"}

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[QwenImageModels, mn.ForwardOptions("model_version", "vae")]


class QwenImageTextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with Qwen2.5-VL; for edit models together with the control pictures."""

    id, title = "MusubiTuner_QwenImageTextEncoderCache", "Qwen-Image Text Encoder Cache"
    family, script = QWEN_IMAGE, "qwen_image_cache_text_encoder_outputs.py"

    class Inputs(mn.CacheInputs):
        models: Annotated[QwenImageModels, mn.ForwardOptions("model_version", "text_encoder")]


class QwenImageLoRATrainer(mn.LoRATrainer):
    """Trains a LoRA for Qwen-Image, Edit or Layered on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_QwenImageLoRATrainer", "Qwen-Image LoRA Trainer"
    family, script, sample_models = QWEN_IMAGE, "qwen_image_train_network.py", ("vae", "text_encoder")

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[QwenImageModels, mn.ForwardOptions("model_version", "dit")]
        sample_control_image: mn.SampleControl = None
        remove_first_image_from_target: Annotated[mn.Flag, mn.ForVersions(LAYERED)] = Field(
            False, description="Layered: train the layers only, not the whole picture. Faster, saves memory."
        )
        num_layers: Annotated[int | None, mn.Option(), mn.Widget(advanced=True)] = Field(
            None, ge=1, le=60, description="Blocks of a DiT that was cut down. 0: all 60."
        )
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE for samples. default: bfloat16.")

    def sample_rule(self, inputs: Inputs) -> mn.FrameRule:
        """Frames of a sample are Layered's layers (``do_inference``, v0.3.4)."""
        return mn.FrameRule(step=1) if inputs.models.model_version == "layered" else mn.PICTURES


class QwenImageGenerator(mn.ImageGenerator):
    """Makes a picture with Qwen-Image from a text, edits pictures with Edit, or takes one apart with Layered."""

    id, title = "MusubiTuner_QwenImageGenerator", "Qwen-Image Generator"
    family, script, kept_by_text = QWEN_IMAGE, "qwen_image_generate_image.py", frozenset[str]()
    refused_options = {"rcm_debug_save": "its masks would be taken for pictures that were made"}

    class Inputs(mn.ImageGeneratorInputs):
        models: Annotated[QwenImageModels, mn.ForwardOptions("model_version", "dit", "vae", "text_encoder")]
        control_image: Annotated[Any, mn.Picture("control_image_path", several=True)] = Field(
            None, description="The pictures to edit, in order; for Layered the one to take apart."
        )
        mask: Annotated[Any, mn.Picture("mask_path"), mn.ForVersions(EDITS)] = Field(
            None, description="Edit: white is painted anew, black stays. Not together with rcm_threshold."
        )
        resize_control: Literal["auto", "official", "image", "off"] = Field(
            "auto",
            description="Size of control pictures: official is one megapixel, image that of the result. auto: "
            "official for Edit; image for Layered, mask and rcm_threshold.",
        )
        output_layers: Annotated[int, mn.Option(), mn.ForVersions(LAYERED)] = Field(
            4, ge=1, le=50, description="Layered: how many layers to make, beside the whole picture."
        )
        infer_steps: mn.Steps = Field(25, description="Denoising steps.")
        guidance_scale: mn.Scale = Field(4.0, description="How strictly to follow the prompt; 1 is off, and faster.")
        flow_shift: mn.ShiftBySize = None
        rcm_threshold: Annotated[float | None, mn.Option(), mn.Widget(advanced=True), mn.ForVersions(EDITS)] = Field(
            None, ge=0.0, le=10.0, description="Edit: keep what hardly differs from the first control picture. -1: off."
        )
        rcm_relative_threshold: mn.Flag = Field(False, description="rcm_threshold: a share of the largest difference.")
        rcm_kernel_size: Annotated[int, mn.Option(), mn.Widget(advanced=True)] = Field(
            3, ge=1, le=99, description="rcm_threshold: blur before comparing, in latent pixels."
        )
        rcm_dilate_size: Annotated[int, mn.Option(), mn.Widget(advanced=True)] = Field(
            0, ge=0, le=99, description="rcm_threshold: how far to widen what is painted, in latent pixels."
        )
        no_metadata: mn.NoMetadata = False

    def frames(self, inputs: Inputs) -> int:
        return inputs.output_layers + 1 if inputs.models.model_version == "layered" else 1

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        size, version = inputs.resize_control, inputs.models.model_version
        if size == "auto" and version != "original":
            to_result = version == "layered" or inputs.mask is not None or inputs.rcm_threshold is not None
            size = "image" if to_result else "official"
        return {"resize_control_to_official_size": size == "official", "resize_control_to_image_size": size == "image"}

    def check(self, inputs: Inputs, context: mn.Context) -> None:
        masks = (inputs.mask is not None) + (inputs.rcm_threshold is not None)
        if masks == 2 or (masks and inputs.resize_control not in ("auto", "image")):
            raise mn.MusubiError(
                "settings-conflict",
                "mask and rcm_threshold exclude each other, and need resize_control auto or image",
                why="musubi-tuner would leave them out with a line in the log (v0.3.4).",
                fix="Use one of them, and set resize_control to auto.",
            )


NODES = (QwenImageModelsNode, QwenImageLatentCache, QwenImageTextEncoderCache, QwenImageLoRATrainer, QwenImageGenerator)
