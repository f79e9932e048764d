"""Krea 2 made small: what sitecustomize.py does to its modules once they were imported."""

from sitecustomize import TINY_VOCAB, _Qwen2Tokenizer
from tiny_qwen import IDS, ROPE, VISION, _token

TEXT = {
    "vocab_size": TINY_VOCAB, "hidden_size": 64, "head_dim": 32, "intermediate_size": 16, "num_attention_heads": 2,
    "num_key_value_heads": 1, "bos_token_id": 3, "eos_token_id": 1,
}  # fmt: skip
SMALL = {"features": 96, "heads": 2, "kvheads": 1, "layers": 4, "txtdim": 64, "txtheads": 2, "txtkvheads": 2}


def _dit(mod):
    full = mod.SingleMMDiTConfig
    mod.SingleMMDiTConfig = lambda **k: full(**{**k, **SMALL})


def _encoder(mod):
    config = mod.QWEN3_VL_4B_INSTRUCT_CONFIG
    config.update({name: _token(word) for name, word in IDS.items()}, video_token_id=TINY_VOCAB - 1)
    config["text_config"].update(TEXT)
    config["text_config"]["rope_scaling"]["mrope_section"] = ROPE
    config["vision_config"].update({k: v for k, v in VISION.items() if k in config["vision_config"]})
    config["vision_config"]["deepstack_visual_indexes"] = [0]
    mod.Qwen2TokenizerFast = _Qwen2Tokenizer


AFTER = {"krea2_mmdit": _dit, "krea2_encoder": _encoder}


def shrink(mod):
    AFTER[mod.__name__.rpartition(".")[2]](mod)
