"""VAEs without a family plugin (see :mod:`.dits`)."""

from __future__ import annotations

from musubi_nodes.families.recognition.kinds import WeightsKind

_LDM = {"encoder.down.0.block.0.conv1.weight": (), "decoder.conv_in.weight": ()}
_DIFFUSERS = {"encoder.down_blocks.0.resnets.0.conv1.weight": (), "decoder.conv_in.weight": ()}
_WAN = {"decoder.mid_block.resnets.0.norm1.gamma": (), "encoder.conv_in.weight": (), "quant_conv.weight": ()}

VAES = (
    WeightsKind("the VAE of Stable Diffusion 1.5 or SDXL", {**_LDM, "decoder.conv_in.weight": (512, 4)}),
    WeightsKind(
        "the VAE of Stable Diffusion 1.5 or SDXL, in diffusers format",
        {**_DIFFUSERS, "decoder.conv_in.weight": (512, 4)},
    ),
    WeightsKind(
        "the VAE (ae) of FLUX.1, Z-Image or Stable Diffusion 3", {**_LDM, "decoder.conv_in.weight": (None, 16)}
    ),
    WeightsKind(
        "the VAE of FLUX.1, Z-Image or Stable Diffusion 3, in diffusers format",
        {**_DIFFUSERS, "decoder.conv_in.weight": (None, 16, 3, 3)},
    ),
    WeightsKind("the VAE (ae) of FLUX.2 or Ideogram 4", {**_LDM, "bn.running_mean": ()}),
    WeightsKind("the VAE of FLUX.2, in diffusers format", {**_DIFFUSERS, "bn.running_mean": ()}),
    WeightsKind(
        "the VAE of Wan 2.1 or Qwen-Image",
        {"encoder.conv1.weight": (None, 3), "decoder.conv1.weight": (), "conv2.weight": (16, 16)},
    ),
    WeightsKind("the VAE of Wan 2.1 or Qwen-Image in diffusers format", {**_WAN, "encoder.conv_in.weight": (None, 3)}),
    WeightsKind(
        "Qwen-Image-Layered's VAE",
        {"encoder.conv1.weight": (None, 4), "decoder.conv1.weight": (), "conv2.weight": (16, 16)},
    ),
    WeightsKind("Qwen-Image-Layered's VAE in diffusers format", {**_WAN, "encoder.conv_in.weight": (None, 4)}),
    WeightsKind(
        "Wan 2.2's VAE, which is for the 5B model only",
        {"encoder.conv1.weight": (), "conv2.weight": (48, 48)},
    ),
    WeightsKind(
        "HunyuanVideo 1.5's VAE",
        {"encoder.conv_in.conv.weight": (), "decoder.conv_in.conv.weight": (None, 32), "decoder.norm_out.gamma": ()},
    ),
    WeightsKind(
        "HunyuanVideo's VAE with ComfyUI's own names",
        {"encoder.down.0.block.0.conv1.conv.weight": (), "decoder.conv_in.conv.weight": (), "quant_conv.weight": ()},
    ),
    WeightsKind("HunyuanImage 2.1's VAE", {"decoder.conv_in.weight": (None, 64), "encoder.conv_in.weight": ()}),
    WeightsKind(
        "CogVideoX's VAE",
        {"decoder.conv_in.conv.weight": (), "decoder.mid_block.resnets.0.norm1.norm_layer.weight": ()},
    ),
    WeightsKind("LTX-Video's VAE", {"decoder.up_blocks.0.res_blocks.0.conv1.conv.weight": ()}),
    WeightsKind("Mochi's VAE", {"decoder.blocks.2.blocks.3.stack.5.weight": ()}),
    WeightsKind("Cosmos' VAE", {"decoder.unpatcher3d.wavelets": ()}),
    WeightsKind("a small VAE for previews (TAESD)", {"taesd_decoder.1.weight": ()}),
    WeightsKind("a small VAE for previews (TAEHV, TAEW)", {"decoder.22.bias": (), "decoder.1.weight": ()}),
)
