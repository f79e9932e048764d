"""HunyuanVideo 1.5's family and nodes: declarations on the core's bases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from musubi_nodes import families as mn

Task = Literal["t2v", "i2v"]
FIRST = {"t2v": mn.NO_PICTURES, "i2v": mn.PictureCount(1, 1)}
SPLIT = {"xformers": "musubi-tuner's docs/hunyuan_video_1_5.md asks for it"}
HUNYUAN_1_5 = mn.Family(
    key="hunyuan_1_5",
    title="HunyuanVideo 1.5",
    architecture="hv15",
    network_module="networks.lora_hv_1_5",
    not_convertible="Its converter is networks/convert_hunyuan_video_1_5_lora_to_comfy.py, which has no node yet.",
    fps=24,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 2.0, "weighting_scheme": "none"},
    fp8_text_encoder="fp8_vl",
    ignores=frozenset({"guidance_scale"}),
    sample_options={"discrete_flow_shift": 7.0},  # the generator's; v0.3.4's default is HunyuanVideo's, 14.5
    trainer_split_attn=SPLIT,
    lora_modules=r"double_blocks\.\d+\.(img|txt)_(attn_([qkv]|proj)|mlp\.fc[12]|mod\.linear)",
)
ORIGIN, PARTS = "Comfy-Org/HunyuanVideo_1.5_repackaged", "split_files"
DITS = tuple(
    mn.hub_files(ORIGIN, f"{PARTS}/diffusion_models", f"hunyuanvideo1.5_720p_{task}_fp16.safetensors")[0]
    for task in ("t2v", "i2v")
)
VAES = mn.hub_files(ORIGIN, f"{PARTS}/vae", "hunyuanvideo15_vae_fp16.safetensors")
VLS, BYT5S = (
    mn.hub_files(ORIGIN, f"{PARTS}/text_encoders", name)
    for name in ("qwen_2.5_vl_7b.safetensors", "byt5_small_glyphxl_fp16.safetensors")
)
SIGLIPS = mn.hub_files("Comfy-Org/sigclip_vision_384", "", "sigclip_vision_patch14_384.safetensors")
DIT = mn.accepts_known("a HunyuanVideo 1.5 DiT")
VAE = mn.accepts_known("HunyuanVideo 1.5's VAE")
VL = mn.accepts_known("the Qwen2.5-VL text encoder of Qwen-Image and HunyuanVideo 1.5", sharded=True)
BYT5 = mn.accepts_known("the ByT5 text encoder of HunyuanVideo 1.5")
SIGLIP = mn.accepts_known("a SigLIP image encoder", quantised=(mn.PLAIN,))  # it keeps the file's precision

VaeSize = Annotated[int, mn.Option(), mn.Widget(advanced=True), Field(ge=0, le=1024, description="VAE tiles. 0: none.")]
PatchConv = Annotated[mn.Flag, Field(description="Compute the VAE's convolutions in patches: saves memory.")]


class Hunyuan15Models(mn.Models):
    """HunyuanVideo 1.5's files."""

    socket, version_field, most_swap = "MUSUBI_HUNYUAN_1_5_MODELS", "task", (51, 51)
    task: Annotated[Task, mn.Option()] = Field("t2v", description="Text to video, or image to video; must fit the DiT.")
    dit: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT, downloads=DITS), mn.Option()] = Field(
        description="The DiT of this task; headers do not tell which."
    )
    vae: Annotated[str, mn.ModelFile("vae", accepts=VAE, downloads=VAES), mn.Option()]
    text_encoder: Annotated[str, mn.ModelFile("text_encoders", accepts=VL, downloads=VLS), mn.Option()]
    byt5: Annotated[str, mn.ModelFile("text_encoders", accepts=BYT5, downloads=BYT5S), mn.Option()]
    image_encoder: Annotated[str | None, mn.ModelFile("clip_vision", accepts=SIGLIP, downloads=SIGLIPS)] = Field(
        None, description="The SigLIP image encoder, for i2v."
    )

    def used(self, field: str) -> bool:
        return field != "image_encoder" or self.task == "i2v"

    def check(self, headers: Mapping[str, mn.Header]) -> None:
        if self.task == "i2v" and self.image_encoder is None:
            raise mn.MusubiError(
                "model-missing",
                "task i2v needs the image encoder",
                fix="Choose sigclip_vision_patch14_384.safetensors.",
            )

    def seeing(self) -> dict[str, Any]:
        """Return the option of the image encoder, which switches the cache to i2v."""
        return {"image_encoder": Path(str(self.image_encoder))} if self.task == "i2v" else {}


class Hunyuan15ModelsNode(mn.ModelsNode):
    """Names the files of HunyuanVideo 1.5 and checks them. It loads nothing."""

    id, title, models = "MusubiTuner_HunyuanVideo15Models", "HunyuanVideo 1.5 Models", Hunyuan15Models


class Hunyuan15LatentCache(mn.LatentCache):
    """Encodes a dataset's pictures and videos with HunyuanVideo 1.5's VAE, and for i2v their first frames."""

    id, title = "MusubiTuner_HunyuanVideo15LatentCache", "HunyuanVideo 1.5 Latent Cache"
    family, script = HUNYUAN_1_5, "hv_1_5_cache_latents.py"

    class Inputs(mn.LatentCacheInputs):
        models: Annotated[Hunyuan15Models, mn.ForwardOptions("vae")]
        vae_sample_size: VaeSize = 128
        vae_enable_patch_conv: PatchConv = False
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE. default: float16.")

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {**inputs.models.seeing(), "i2v": inputs.models.task == "i2v"}

    def check(self, inputs: Inputs, context: mn.Context) -> None:
        """Refuse pictures, whose first frame v0.3.4 takes for a row of pixels (``encode_and_save_batch``)."""
        datasets = mn.effective(inputs.dataset.config) if inputs.models.task == "i2v" else ()
        if any(isinstance(each, mn.ImageDataset) for each in datasets):
            raise mn.MusubiError(
                "pictures-not-allowed",
                "task i2v takes datasets of videos only",
                why="musubi-tuner fails on pictures there (v0.3.4).",
                fix="Give it videos, or choose task t2v.",
            )

    def cache_flags(self, inputs: Inputs) -> frozenset[str]:
        return frozenset({"i2v"} if inputs.models.task == "i2v" else ())


class Hunyuan15TextEncoderCache(mn.TextEncoderCache):
    """Encodes a dataset's captions with Qwen2.5-VL and ByT5."""

    id, title = "MusubiTuner_HunyuanVideo15TextEncoderCache", "HunyuanVideo 1.5 Text Encoder Cache"
    family, script = HUNYUAN_1_5, "hv_1_5_cache_text_encoder_outputs.py"
    may_be_zero = "byt5"  # it sees words in quotes only

    class Inputs(mn.CacheInputs):
        models: Annotated[Hunyuan15Models, mn.ForwardOptions("text_encoder", "byt5")]


class Hunyuan15LoRATrainer(mn.LoRATrainer):
    """Trains a HunyuanVideo 1.5 LoRA on finished caches; the LoRA lands in models/loras/musubi."""

    id, title = "MusubiTuner_HunyuanVideo15LoRATrainer", "HunyuanVideo 1.5 LoRA Trainer"
    family, script, sample_models = HUNYUAN_1_5, "hv_1_5_train_network.py", ("vae", "text_encoder", "byt5")

    class Inputs(mn.LoRATrainerInputs):
        models: Annotated[Hunyuan15Models, mn.ForwardOptions("task", "dit")]
        sample_image: Annotated[Any, mn.SamplePicture("image")] = Field(
            None, description="First picture of the samples, for models that turn pictures into videos."
        )
        vae_sample_size: VaeSize = 128
        vae_enable_patch_conv: PatchConv = False
        dit_dtype: mn.Dtype = Field(None, description="Precision of the DiT. default: the file's.")
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE for samples. default: float16.")

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return inputs.models.seeing()

    def needed_flags(self, inputs: Inputs) -> frozenset[str]:
        return frozenset({"i2v"} if inputs.models.task == "i2v" else ())

    def sample_pictures(self, inputs: Inputs) -> Mapping[str, mn.PictureCount]:
        return {"image": FIRST[inputs.models.task]}


class Hunyuan15Generator(mn.VideoGenerator):
    """Makes a video with HunyuanVideo 1.5, from text or from a picture."""

    id, title = "MusubiTuner_HunyuanVideo15Generator", "HunyuanVideo 1.5 Generator"
    family, script, prompt_line = HUNYUAN_1_5, "hv_1_5_generate_video.py", mn.PROMPT_LINE
    # what it encodes for a prompt it keeps by the text, the first frame at its size as well
    kept_by_text = frozenset({"negative_prompt", "image", "width", "height", "frames"})

    class Inputs(mn.VideoGeneratorInputs):
        models: Annotated[Hunyuan15Models, mn.ForwardOptions("dit", "vae", "text_encoder", "byt5")]
        image: Annotated[Any, mn.Picture("image_path")] = Field(None, description="The first frame, for task i2v.")
        video_length: Annotated[int, mn.Option(), mn.Widget(step=4)] = Field(
            121, ge=1, le=1025, description="Frames: N*4+1."
        )
        fps: Annotated[int, mn.Option()] = Field(24, ge=1, le=120, description="Frames a second.")
        infer_steps: mn.Steps = Field(50, description="Denoising steps.")
        guidance_scale: mn.Scale = Field(6.0, description="How strictly the prompt is followed.")
        flow_shift: mn.Scale = Field(7.0, description="Shift of the timesteps.")
        cpu_noise: mn.Flag = Field(False, description="Draw the noise on the CPU, as ComfyUI does.")
        vae_sample_size: VaeSize = 128
        vae_enable_patch_conv: PatchConv = False
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE. default: float16.")
        no_metadata: mn.NoMetadata = False

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return inputs.models.seeing()

    def check(self, inputs: Inputs, context: mn.Context) -> None:
        task, missing = inputs.models.task, inputs.image is None
        if not inputs.latent and not inputs.prompts and missing == (task == "i2v"):
            code = "start-image-missing" if missing else "start-image-unexpected"
            what = f"task {task} {'begins with a picture' if missing else 'takes no picture'}"
            raise mn.MusubiError(code, what, fix="Connect image for task i2v, and for i2v only.")


NODES = (
    *(Hunyuan15ModelsNode, Hunyuan15LatentCache, Hunyuan15TextEncoderCache, Hunyuan15LoRATrainer, Hunyuan15Generator),
)
