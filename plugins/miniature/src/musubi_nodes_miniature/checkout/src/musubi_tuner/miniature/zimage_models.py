"""The names and shapes of Z-Image's toy weights; no numpy, because the plugin imports this too."""

from __future__ import annotations

from .dual_names import FREQUENCIES, INNER, WIDTH, Shapes, linear

TEXT_WIDTH, LAYERS, FFN_WIDTH, OUTPUT = 2560, 2, 96, 16 * 4
REAL_BLOCKS = 30
"""Of the real model: memory plans are checked as for that one."""


def _block(block: str, modulated: bool = True) -> Shapes:
    shapes: Shapes = {
        f"{block}.attention.{part}.weight": (WIDTH, WIDTH) for part in ("to_q", "to_k", "to_v", "to_out.0")
    }
    shapes |= {f"{block}.attention.norm_{part}.weight": (WIDTH,) for part in "qk"}
    shapes |= {f"{block}.{kind}_norm{number}.weight": (WIDTH,) for kind in ("attention", "ffn") for number in (1, 2)}
    shapes |= {f"{block}.feed_forward.w{number}.weight": (FFN_WIDTH, WIDTH) for number in (1, 3)}
    shapes[f"{block}.feed_forward.w2.weight"] = (WIDTH, FFN_WIDTH)
    return shapes | (linear(f"{block}.adaLN_modulation.0", 4 * WIDTH, WIDTH) if modulated else {})


DIT_SHAPES: Shapes = {
    **linear("all_x_embedder.2-1", WIDTH, OUTPUT),
    **{"cap_embedder.0.weight": (TEXT_WIDTH,), "cap_pad_token": (1, WIDTH), "x_pad_token": (1, WIDTH)},
    **linear("cap_embedder.1", WIDTH, TEXT_WIDTH),
    **linear("t_embedder.mlp.0", INNER, FREQUENCIES),
    **linear("t_embedder.mlp.2", WIDTH, INNER),
    **linear("all_final_layer.2-1.linear", OUTPUT, WIDTH),
    **linear("all_final_layer.2-1.adaLN_modulation.1", WIDTH, WIDTH),
    **_block("noise_refiner.0"),
    **_block("context_refiner.0", modulated=False),
}
"""The refiners stand in the file only: the toy passes over them."""
for _number in range(LAYERS):
    DIT_SHAPES |= _block(f"layers.{_number}")

VAE_SHAPES: Shapes = {
    **{"encoder.down.0.block.0.conv1.weight": (8, 8, 3, 3), "encoder.conv_in.weight": (8, 3, 3, 3)},
    **{"decoder.conv_in.weight": (8, 16, 3, 3), "decoder.conv_out.weight": (3, 8, 3, 3)},
}
QWEN3_SHAPES: Shapes = {
    **{"model.embed_tokens.weight": (16, TEXT_WIDTH), "model.norm.weight": (TEXT_WIDTH,)},
    **{f"model.layers.0.self_attn.{part}_proj.weight": (2, TEXT_WIDTH) for part in "qkv"},
    **{f"model.layers.0.self_attn.{part}_norm.weight": (2,) for part in "qk"},
}
