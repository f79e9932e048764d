"""MEMORY settings."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from musubi_nodes.commands.option import Option, SameResult
from musubi_nodes.errors import InvalidValue
from musubi_nodes.families.fields import Settings, Widget

ADVANCED = Widget(advanced=True)

ATTENTION_PACKAGES = {
    "flash": "flash_attn",
    "flash3": "flash_attn_interface",
    "xformers": "xformers",
    "sage": "sageattention",
}
"""Attention modes that need a package."""


class Memory(Settings):
    """Settings that save memory; families map fp8 and attention to options."""

    socket: ClassVar[str] = "MUSUBI_MEMORY"

    fp8: Literal["off", "fp8", "fp8_scaled"] = Field(
        "off", description="Keep the DiT's weights in 8 bits: half the memory. fp8_scaled loses less quality."
    )
    fp8_text_encoder: bool = Field(False, description="Load the large text encoder in 8 bits. For cards below 16 GB.")
    blocks_to_swap: Annotated[int | None, Option(), SameResult()] = Field(
        None, ge=1, le=100, description="DiT blocks that wait in main memory: less GPU memory, slower. 0: none."
    )
    gradient_checkpointing: Annotated[bool, Option()] = Field(
        True,
        description="Training: compute activations again instead of keeping them. Saves much, costs a third of speed.",
    )
    gradient_checkpointing_cpu_offload: Annotated[bool, Option()] = Field(
        False, description="Training: keep what is left of the activations in main memory."
    )
    attention: Literal["sdpa", "flash", "flash3", "xformers", "sage"] = Field(
        "sdpa", description="sdpa is built into PyTorch; the others need a package. sage cannot train."
    )
    split_attn: Annotated[bool, Option()] = Field(
        False, description="Training: attention one item at a time. xformers needs it; saves memory for batches."
    )
    vae_tiling: Annotated[bool, Option()] = Field(
        False, description="Encode and decode pictures in tiles, if the model's VAE can."
    )
    vae_chunk_size: Annotated[int | None, Option()] = Field(
        None,
        ge=1,
        le=256,
        description="Frames that the VAE takes at once, if it can be set; 32 is usual. 0: all.",
    )
    vae_spatial_tile_sample_min_size: Annotated[int | None, Option()] = Field(
        None, ge=1, le=2048, description="Size of the VAE's tiles, if it can be set; 128 saves most. 0: 256."
    )
    vae_cache_cpu: Annotated[bool, Option(), SameResult()] = Field(
        False, description="Keep the VAE's feature cache in main memory, if it has one."
    )
    use_pinned_memory_for_block_swap: Annotated[bool, Option(), ADVANCED, SameResult()] = Field(
        False, description="Faster block swap; takes shared GPU memory on Windows."
    )
    block_swap_h2d_only: Annotated[bool, Option(), ADVANCED, SameResult()] = Field(
        False, description="Training: copy swapped blocks only towards the GPU. Needs gradient_checkpointing; v0.3.2."
    )
    block_swap_ring_size: Annotated[int, Option(), ADVANCED, SameResult()] = Field(
        2, ge=1, le=16, description="block_swap_h2d_only: blocks that wait on the GPU. 1 saves most."
    )
    img_in_txt_in_offloading: Annotated[bool, Option(), ADVANCED, SameResult()] = Field(
        False, description="Offload the input layers as well (HunyuanVideo)."
    )
    disable_numpy_memmap: Annotated[bool, Option(), ADVANCED, SameResult()] = Field(
        False,
        description="Read weights into memory instead of mapping them: quicker on some drives, needs more memory.",
    )
    compile: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="torch.compile: faster steps after a slow start. Needs Triton."
    )
    compile_backend: Annotated[Literal["inductor", "eager", "aot_eager", "cudagraphs"], Option(), ADVANCED] = Field(
        "inductor", description="Backend of torch.compile."
    )
    compile_mode: Annotated[
        Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"], Option(), ADVANCED
    ] = Field("default", description="Mode of torch.compile.")
    compile_dynamic: Annotated[Literal["auto", "true", "false"] | None, Option(), ADVANCED] = Field(
        None, description="Dynamic shapes of torch.compile."
    )
    compile_fullgraph: Annotated[bool, Option(), ADVANCED] = Field(False, description="Compile as one whole graph.")
    compile_cache_size_limit: Annotated[int | None, Option(), ADVANCED] = Field(
        None, ge=1, le=4096, description="How many compiled variants are kept. 0: PyTorch's own limit."
    )
    cuda_allow_tf32: Annotated[bool, Option(), ADVANCED] = Field(False, description="Allow TF32 on Ampere and newer.")
    cuda_cudnn_benchmark: Annotated[bool, Option(), ADVANCED] = Field(
        False, description="Let cuDNN try its algorithms first: faster for one size."
    )
    dynamo_backend: Annotated[
        Literal[
            "NO", "EAGER", "AOT_EAGER", "INDUCTOR", "AOT_TS_NVFUSER", "NVPRIMS_NVFUSER", "CUDAGRAPHS", "OFI", "FX2TRT",
            "ONNXRT", "TENSORRT", "AOT_TORCHXLA_TRACE_ONCE", "TORCHXLA_TRACE_ONCE", "IPEX", "TVM", "HPU_BACKEND",
        ],
        Option(),
        ADVANCED,
    ] = Field("NO", description="The older way to compile a training.")  # fmt: skip
    dynamo_mode: Annotated[Literal["default", "reduce-overhead", "max-autotune"] | None, Option(), ADVANCED] = Field(
        None, description="Mode of dynamo_backend."
    )
    dynamo_fullgraph: Annotated[bool, Option(), ADVANCED] = Field(False, description="dynamo_backend: one whole graph.")
    dynamo_dynamic: Annotated[bool, Option(), ADVANCED] = Field(False, description="dynamo_backend: dynamic shapes.")

    oom_retries: Annotated[int, Widget(advanced=True, added=1), SameResult()] = Field(
        0, ge=0, le=8, description="After 'out of memory': how often to retry, saving more each time."
    )
    text_encoder_cpu: Annotated[bool, Option(), Widget(advanced=True, added=2)] = Field(
        False, description="Generating: run the text encoder on the CPU (Z-Image, Qwen-Image). Slow, saves GPU memory."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.attention == "xformers" and not self.split_attn:
            raise InvalidValue("setting-missing", "attention xformers needs split_attn: turn it on")
        if self.block_swap_h2d_only and not (self.gradient_checkpointing and self.blocks_to_swap):
            raise InvalidValue("setting-missing", "block_swap_h2d_only needs gradient_checkpointing and blocks_to_swap")
        if self.gradient_checkpointing_cpu_offload and not self.gradient_checkpointing:
            raise InvalidValue("setting-missing", "gradient_checkpointing_cpu_offload needs gradient_checkpointing")
        return self
