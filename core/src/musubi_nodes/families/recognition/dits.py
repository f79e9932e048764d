"""DiTs, UNets and checkpoints without a family plugin.

Source: the loaders of musubi-tuner (v0.3.4), ComfyUI (comfy/model_detection.py, 0.33) and diffusers.
"""

from __future__ import annotations

from musubi_nodes.families.recognition.kinds import WeightsKind

_WAN = {"patch_embedding.weight": ()}
_FLUX = {"double_blocks.0.img_attn.qkv.weight": (), "img_in.weight": ()}
_FLUX1 = {**_FLUX, "vector_in.in_layer.weight": ()}
_GUIDED = {**_FLUX1, "guidance_in.in_layer.weight": ()}
_FLUX2 = {**_FLUX, "double_stream_modulation_img.lin.weight": ()}
_QWEN = {"txt_norm.weight": (), "img_in.weight": (), "transformer_blocks.0.img_mlp.net.0.proj.weight": ()}
_LUMINA = {"cap_embedder.1.weight": (), "noise_refiner.0.attention_norm1.weight": ()}
_CROSS = "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
_UNET = {"input_blocks.0.0.weight": (320,), _CROSS: ()}
_UNETS = {
    "a Stable Diffusion 1.5": {**_UNET, _CROSS: (1280, 768)},
    "a Stable Diffusion 2": {**_UNET, _CROSS: (1280, 1024)},
    "an SDXL": {**_UNET, _CROSS: (1280, 2048)},
}
_DIFFUSERS_UNET = {"conv_in.weight": (320,), "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": ()}
_HUNYUAN = {"img_in.proj.weight": (), "txt_in.individual_token_refiner.blocks.0.norm1.weight": ()}

_WAN_RELATIVES = (
    WeightsKind("a Wan 2.2 TI2V DiT (5B)", {"patch_embedding.weight": (3072, 48), "head.modulation": ()}),
    WeightsKind("a Wan 2.2 Fun-Control DiT", {**_WAN, "ref_conv.weight": ()}),
    WeightsKind("a Wan VACE DiT", {**_WAN, "vace_patch_embedding.weight": (), "vace_blocks.0.before_proj.weight": ()}),
    WeightsKind("a VACE module without its Wan DiT", {"vace_patch_embedding.weight": ()}),
    WeightsKind("a Wan Fun-Camera DiT", {**_WAN, "control_adapter.conv.weight": ()}),
    WeightsKind(
        "a Wan 2.2 S2V DiT (speech to video)", {**_WAN, "casual_audio_encoder.encoder.final_linear.weight": ()}
    ),
    WeightsKind("a HuMo DiT (Wan)", {**_WAN, "audio_proj.audio_proj_glob_1.layer.bias": ()}),
    WeightsKind("a Wan MultiTalk or InfiniteTalk DiT", {**_WAN, "audio_proj.proj1.weight": ()}),
    WeightsKind("a Wan 2.2 Animate DiT", {**_WAN, "face_adapter.fuser_blocks.0.k_norm.weight": ()}),
    WeightsKind("a SCAIL DiT (Wan)", {**_WAN, "patch_embedding_pose.weight": ()}),
    WeightsKind("a Wan DiT in diffusers format", {**_WAN, "blocks.0.attn1.to_q.weight": ()}),
)

_HUNYUAN_RELATIVES = (
    WeightsKind(
        "a HunyuanVideo DiT with ComfyUI's own names",
        {**_HUNYUAN, "double_blocks.0.img_attn.qkv.weight": (), "single_blocks.0.linear1.weight": ()},
    ),
    WeightsKind(
        "a HunyuanVideo DiT in diffusers format",
        {
            "x_embedder.proj.weight": (),
            "context_embedder.proj_in.weight": (),
            "single_transformer_blocks.0.proj_mlp.weight": (),
        },
        without=("clean_x_embedder.proj.weight",),
    ),
    WeightsKind("a HunyuanVideo 1.5 DiT", {**_HUNYUAN, "cond_type_embedding.weight": ()}),
    WeightsKind(
        "a HunyuanVideo 1.5 DiT in diffusers format",
        {"cond_type_embed.weight": (), "transformer_blocks.0.attn.to_q.weight": ()},
    ),
    WeightsKind(
        "a HunyuanImage 2.1 DiT", {"img_in.proj.weight": (3584, 64), "double_blocks.0.img_mod.linear.weight": ()}
    ),
    WeightsKind("a Hunyuan3D DiT", {"latent_in.weight": (), "cond_in.weight": ()}),
    WeightsKind("a HunyuanDiT", {"mlp_t5.0.weight": (), "extra_embedder.0.weight": ()}),
)

_PICTURES = (
    WeightsKind("a FLUX.1 or FLUX.1 Kontext DiT", _GUIDED),
    WeightsKind("a FLUX.1 schnell DiT", _FLUX1),
    WeightsKind(
        "a FLUX.1 checkpoint (DiT, VAE and text encoders in one file)",
        {f"model.diffusion_model.{name}": shape for name, shape in _FLUX1.items()}
        | {"vae.encoder.conv_in.weight": (), "vae.decoder.conv_in.weight": ()},
    ),
    WeightsKind("a FLUX.1 Fill DiT", {**_FLUX1, "img_in.weight": (3072, 384)}),
    WeightsKind("a FLUX.1 Canny or Depth DiT", {**_FLUX1, "img_in.weight": (3072, 128)}),
    WeightsKind(
        "a FLUX.1 DiT in diffusers format",
        {"x_embedder.weight": (3072, 64), "single_transformer_blocks.0.proj_mlp.weight": ()},
    ),
    WeightsKind(
        "a Chroma DiT",
        {"double_blocks.0.img_attn.qkv.weight": (), "distilled_guidance_layer.in_proj.weight": ()},
    ),
    WeightsKind("a FLUX.2 DiT", _FLUX2),
    WeightsKind("a FLUX.2 dev DiT", {**_FLUX2, "img_in.weight": (6144,)}),
    WeightsKind("a FLUX.2 klein DiT (4B)", {**_FLUX2, "img_in.weight": (3072,)}),
    WeightsKind("a FLUX.2 klein DiT (9B)", {**_FLUX2, "img_in.weight": (4096,)}),
    WeightsKind(
        "a FLUX.2 DiT in diffusers format",
        {
            "double_stream_modulation_img.linear.weight": (),
            "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight": (),
        },
    ),
    WeightsKind("a Qwen-Image or Qwen-Image-Edit DiT", _QWEN),
    WeightsKind("a Qwen-Image-Edit 2511 DiT", {**_QWEN, "__index_timestep_zero__": ()}),
    WeightsKind("a Qwen-Image-Layered DiT", {**_QWEN, "time_text_embed.addition_t_embedding.weight": ()}),
    WeightsKind("a Z-Image DiT", {**_LUMINA, "cap_pad_token": ()}),
    WeightsKind("a Lumina 2 DiT", _LUMINA),
    WeightsKind("a Lumina 2 DiT", {**_LUMINA, "cap_embedder.1.weight": (2304,)}),
    WeightsKind("a Krea 2 DiT", {"txtfusion.projector.weight": (), "first.weight": ()}),
    WeightsKind("an Ideogram 4 DiT", {"embed_image_indicator.weight": (), "input_proj.weight": ()}),
    WeightsKind("HiDream-O1", {"t_embedder1.mlp.0.weight": (), "x_embedder.proj1.weight": ()}),
    WeightsKind("a HiDream-I1 DiT", {"caption_projection.0.linear.weight": ()}),
    WeightsKind("an OmniGen 2 DiT", {"time_caption_embed.timestep_embedder.linear_1.bias": ()}),
    WeightsKind("a PixArt DiT", {"t_block.1.weight": (), "y_embedder.y_embedding": ()}),
    WeightsKind("an AuraFlow DiT", {"double_layers.0.attn.w1q.weight": ()}),
    WeightsKind("a Stable Cascade model", {"clf.1.weight": ()}),
    WeightsKind("a Stable Diffusion 3 DiT", {"joint_blocks.0.context_block.attn.qkv.weight": ()}),
    WeightsKind(
        "a Stable Diffusion 3 DiT in diffusers format",
        {"pos_embed.pos_embed": (), "transformer_blocks.0.attn.add_q_proj.weight": (), "context_embedder.weight": ()},
    ),
    *(WeightsKind(f"{name} UNet", tensors) for name, tensors in _UNETS.items()),
    *(
        WeightsKind(
            f"{name} checkpoint (UNet, VAE and text encoder in one file)",
            {f"model.diffusion_model.{each}": shape for each, shape in tensors.items()}
            | {"first_stage_model.decoder.conv_in.weight": ()},
        )
        for name, tensors in _UNETS.items()
    ),
    WeightsKind("a Stable Diffusion UNet in diffusers format", _DIFFUSERS_UNET),
    WeightsKind("an SDXL UNet in diffusers format", {**_DIFFUSERS_UNET, "add_embedding.linear_1.weight": ()}),
)

_VIDEOS = (
    WeightsKind(
        "an LTX-Video DiT",
        {"adaln_single.emb.timestep_embedder.linear_1.bias": (), "transformer_blocks.0.attn2.to_k.weight": ()},
    ),
    WeightsKind("a CogVideoX DiT", {"patch_embed.text_proj.weight": (), "transformer_blocks.0.attn1.to_q.weight": ()}),
    WeightsKind("a CogVideoX DiT", {"blocks.0.norm1.linear.weight": (), "patch_embed.text_proj.weight": ()}),
    WeightsKind("a Mochi DiT", {"t5_yproj.weight": ()}),
    WeightsKind("a Cosmos DiT", {"blocks.block0.blocks.0.block.attn.to_q.0.weight": ()}),
    WeightsKind("a Cosmos Predict2 DiT", {"blocks.0.mlp.layer1.weight": (), "x_embedder.proj.1.weight": ()}),
    WeightsKind(
        "an Anima DiT", {"blocks.0.mlp.layer1.weight": (), "llm_adapter.blocks.0.cross_attn.q_proj.weight": ()}
    ),
    WeightsKind("a Kandinsky 5 DiT", {"visual_transformer_blocks.0.cross_attention.key_norm.weight": ()}),
    WeightsKind("a MiniMax-H3 DiT", {"video_patch_proj.weight": (), "audio_patch_proj.weight": ()}),
    WeightsKind("a SeedVR2 DiT", {"blocks.0.mlp.vid.proj_out.weight": ()}),
    WeightsKind("an ACE-Step model", {"genre_embedder.weight": ()}),
    WeightsKind("a Stable Audio DiT", {"transformer.rotary_pos_emb.inv_freq": ()}),
    WeightsKind(
        "an AnimateDiff motion module", {"down_blocks.0.motion_modules.0.temporal_transformer.proj_in.weight": ()}
    ),
)

_OTHERS = (
    WeightsKind("a ControlNet", {"controlnet_cond_embedding.conv_in.weight": ()}),
    WeightsKind("a ControlNet", {"input_hint_block.0.weight": ()}),
    WeightsKind("a FLUX ControlNet", {"controlnet_x_embedder.weight": ()}),
    WeightsKind("an IP-Adapter", {"ip_adapter.1.to_k_ip.weight": ()}),
    WeightsKind("a textual inversion", {"emb_params": ()}),
    WeightsKind("a latent that musubi-tuner made", {"latent": ()}),
    WeightsKind("a cache file of musubi-tuner", metadata=("architecture", "format_version")),
)

DITS = (*_WAN_RELATIVES, *_HUNYUAN_RELATIVES, *_PICTURES, *_VIDEOS, *_OTHERS)
