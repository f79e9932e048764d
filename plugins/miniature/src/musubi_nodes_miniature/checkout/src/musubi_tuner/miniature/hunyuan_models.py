"""The names and shapes of HunyuanVideo's toy weights; no numpy, because the plugin imports this too."""

from __future__ import annotations

from .dual_names import (
    FREQUENCIES,
    INNER,
    POOLED_WIDTH,
    TEXT_WIDTH,
    WIDTH,
    Names,
    Shapes,
    Stream,
    dual_shapes,
    linear,
    two_layers,
)

REAL_BLOCKS = (20, 40)
"""Double and single blocks of the real model: memory plans are checked as for that one."""


def _stream(kind: str) -> Stream:
    return Stream(
        modulation=f"{kind}_mod.linear",
        qkv=(f"{kind}_attn_qkv",),
        norms=(f"{kind}_attn_q_norm", f"{kind}_attn_k_norm"),
        out=f"{kind}_attn_proj",
        mlp=(f"{kind}_mlp.fc1", f"{kind}_mlp.fc2"),
    )


NAMES = Names(
    patch="img_in.proj",
    words="txt_in.input_embedder",
    time=("time_in.mlp.0", "time_in.mlp.2"),
    guidance=("guidance_in.mlp.0", "guidance_in.mlp.2"),
    pooled=("vector_in.in_layer", "vector_in.out_layer"),
    doubles="double_blocks",
    image=_stream("img"),
    text=_stream("txt"),
    singles="single_blocks",
    single_modulation="modulation.linear",
    single_in=("linear1",),
    single_norms=("q_norm", "k_norm"),
    single_out="linear2",
    head="final_layer.linear",
    head_modulation="final_layer.adaLN_modulation.1",
)


def _refiner() -> Shapes:
    """The text refiner, which the toy passes over."""
    block = "txt_in.individual_token_refiner.blocks.0"
    shapes = two_layers(("txt_in.t_embedder.mlp.0", "txt_in.t_embedder.mlp.2"), FREQUENCIES)
    shapes |= two_layers(("txt_in.c_embedder.linear_1", "txt_in.c_embedder.linear_2"), TEXT_WIDTH, 2)
    shapes |= linear(f"{block}.self_attn_qkv", 3 * WIDTH, WIDTH) | linear(f"{block}.self_attn_proj", WIDTH, WIDTH)
    shapes |= linear(f"{block}.mlp.fc1", INNER, WIDTH) | linear(f"{block}.mlp.fc2", WIDTH, INNER)
    shapes |= linear(f"{block}.adaLN_modulation.1", 2 * WIDTH, WIDTH)
    norms = {f"{block}.norm{number}.{part}": (WIDTH,) for number in (1, 2) for part in ("weight", "bias")}
    return shapes | norms


def dit_shapes(channels: int = 16) -> Shapes:
    """Every tensor of a toy DiT; 32 channels are image-to-video (SkyReels)."""
    return dual_shapes(NAMES, channels) | _refiner()


def _convolution(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.conv.weight": (out, into, 3, 3, 3), f"{name}.conv.bias": (out,)}


VAE_SHAPES: Shapes = {
    **_convolution("encoder.conv_in", 8, 3),
    **_convolution("encoder.conv_out", 32, 8),
    **{"quant_conv.weight": (32, 32, 1, 1, 1), "quant_conv.bias": (32,)},
    **{"post_quant_conv.weight": (16, 16, 1, 1, 1), "post_quant_conv.bias": (16,)},
    **_convolution("decoder.conv_in", 8, 16),
    **_convolution("decoder.conv_out", 3, 8),
}
LLM_SHAPES: Shapes = {
    **{"model.embed_tokens.weight": (16, TEXT_WIDTH), "model.norm.weight": (TEXT_WIDTH,)},
    **{f"model.layers.0.self_attn.{part}_proj.weight": (2, TEXT_WIDTH) for part in "qkv"},
    **{"model.layers.0.self_attn.o_proj.weight": (TEXT_WIDTH, 2), "lm_head.weight": (16, TEXT_WIDTH)},
}
CLIP_SHAPES: Shapes = {
    "text_model.embeddings.position_embedding.weight": (77, POOLED_WIDTH),
    "text_model.embeddings.token_embedding.weight": (16, POOLED_WIDTH),
    "text_model.final_layer_norm.weight": (POOLED_WIDTH,),
    "text_model.final_layer_norm.bias": (POOLED_WIDTH,),
}
