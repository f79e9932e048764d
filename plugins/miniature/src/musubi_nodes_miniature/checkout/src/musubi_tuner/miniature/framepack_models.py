"""The names and shapes of FramePack's toy weights; no numpy, because the plugin imports this too."""

from __future__ import annotations

from .dual_names import FREQUENCIES, INNER, TEXT_WIDTH, WIDTH, Names, Shapes, Stream, dual_shapes, linear, two_layers

VISION_SIDE, VISION_WIDTH = 27, 1152
"""SigLIP sees 27 x 27 patches."""

NAMES = Names(
    patch="x_embedder.proj",
    words="context_embedder.proj_in",
    time=("time_text_embed.timestep_embedder.linear_1", "time_text_embed.timestep_embedder.linear_2"),
    guidance=("time_text_embed.guidance_embedder.linear_1", "time_text_embed.guidance_embedder.linear_2"),
    pooled=("time_text_embed.text_embedder.linear_1", "time_text_embed.text_embedder.linear_2"),
    doubles="transformer_blocks",
    image=Stream(
        modulation="norm1.linear",
        qkv=("attn.to_q", "attn.to_k", "attn.to_v"),
        norms=("attn.norm_q", "attn.norm_k"),
        out="attn.to_out.0",
        mlp=("ff.net.0.proj", "ff.net.2"),
    ),
    text=Stream(
        modulation="norm1_context.linear",
        qkv=("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
        norms=("attn.norm_added_q", "attn.norm_added_k"),
        out="attn.to_add_out",
        mlp=("ff_context.net.0.proj", "ff_context.net.2"),
    ),
    singles="single_transformer_blocks",
    single_modulation="norm.linear",
    single_in=("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    single_norms=("attn.norm_q", "attn.norm_k"),
    single_out="proj_out",
    head="proj_out",
    head_modulation="norm_out.linear",
)

CLEAN = ("clean_x_embedder.proj", "clean_x_embedder.proj_2x", "clean_x_embedder.proj_4x")
"""What embeds clean latents of full, half and quarter size; the toy's kernels are single cells of their means."""

VISION = ("image_projection.up", "image_projection.down")


def _refiner() -> Shapes:
    """The text refiner, which the toy passes over."""
    embedder, block = "context_embedder.time_text_embed", "context_embedder.token_refiner.refiner_blocks.0"
    names = (f"{embedder}.timestep_embedder.linear_1", f"{embedder}.timestep_embedder.linear_2")
    shapes = two_layers(names, FREQUENCIES)
    shapes |= two_layers((f"{embedder}.text_embedder.linear_1", f"{embedder}.text_embedder.linear_2"), TEXT_WIDTH, 2)
    for part in ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"):
        shapes |= linear(f"{block}.{part}", WIDTH, WIDTH)
    shapes |= linear(f"{block}.ff.net.0.proj", INNER, WIDTH) | linear(f"{block}.ff.net.2", WIDTH, INNER)
    shapes |= linear(f"{block}.norm_out.linear", 2 * WIDTH, WIDTH)
    norms = {f"{block}.norm{number}.{part}": (WIDTH,) for number in (1, 2) for part in ("weight", "bias")}
    return shapes | norms


def dit_shapes() -> Shapes:
    """Every tensor of a toy DiT."""
    shapes = dual_shapes(NAMES) | _refiner() | two_layers(VISION, VISION_WIDTH)
    for name in CLEAN:
        shapes |= {f"{name}.weight": (WIDTH, 16, 1, 1, 1), f"{name}.bias": (WIDTH,)}
    return shapes


SIGLIP_SHAPES: Shapes = {
    "vision_model.embeddings.patch_embedding.weight": (VISION_WIDTH, 3, 4, 4),
    "vision_model.embeddings.patch_embedding.bias": (VISION_WIDTH,),
    "vision_model.embeddings.position_embedding.weight": (16, VISION_WIDTH),
    "vision_model.post_layernorm.weight": (VISION_WIDTH,),
    "vision_model.post_layernorm.bias": (VISION_WIDTH,),
}
