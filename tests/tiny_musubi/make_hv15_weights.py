"""Random weights for HunyuanVideo 1.5; Qwen2.5-VL and SigLIP are those of Qwen-Image and FramePack."""

import json
import re
from pathlib import Path

import torch


def make(save, state_of):
    """``save(name, model or state)`` writes a file; ``state_of(model)`` are random numbers for its tensors."""
    from musubi_tuner.hunyuan_video_1_5 import hunyuan_video_1_5_models, hunyuan_video_1_5_text_encoder, hunyuan_video_1_5_vae
    from transformers import T5ForConditionalGeneration

    text, vae = hunyuan_video_1_5_text_encoder, hunyuan_video_1_5_vae
    for seed, task in enumerate(("t2v", "i2v"), 60):
        dit = hunyuan_video_1_5_models.HunyuanVideo_1_5_DiffusionTransformer(task)
        save(f"hv15_{task}_dit", state_of(dit, seed=seed))
    config = json.loads(re.search(r'BYT5_CONFIG_JSON = """(.*?)"""', Path(text.__file__).read_text(), re.S)[1])
    encoder = T5ForConditionalGeneration._from_config(text.T5Config(**config)).get_encoder()
    text.add_special_token(text.AutoTokenizer.from_pretrained("toy"), encoder)
    state = {f"encoder.{key}": value for key, value in state_of(encoder, seed=62).items()}
    state["shared.weight"] = state.pop("encoder.embed_tokens.weight")
    save("byt5", state)
    coder = vae.AutoencoderKLConv3D(in_channels=3, out_channels=3, latent_channels=32, block_out_channels=(), layers_per_block=2,
        ffactor_spatial=16, ffactor_temporal=4, sample_size=256, sample_tsize=64, scaling_factor=1.0)  # fmt: skip
    save("hv15_vae", state_of(coder, torch.float32, seed=63))
