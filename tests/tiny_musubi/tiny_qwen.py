"""Qwen-Image made small: what sitecustomize.py does to its modules once they were imported."""

from sitecustomize import TINY_VOCAB, WORDS, _tokenizer

ROPE = [4, 6, 6]
TEXT = {
    "vocab_size": TINY_VOCAB, "hidden_size": 64, "intermediate_size": 16, "num_attention_heads": 2,
    "num_key_value_heads": 1, "num_hidden_layers": 3, "max_window_layers": 3, "layer_types": ["full_attention"] * 3,
    "bos_token_id": 3, "eos_token_id": 1, "rope_scaling": {"mrope_section": ROPE, "rope_type": "default", "type": "default"},
}  # fmt: skip
VISION = {
    "depth": 1, "fullatt_block_indexes": [0], "hidden_size": 32, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 64,
}  # fmt: skip
CHAT = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }}\n{% endfor %}"
PAD = "<|image_pad|>"
IDS = {"image_token_id": PAD, "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}


def _token(word):
    return list(dict.fromkeys([*("<pad>", "</s>", "<unk>", "<s>"), *map(chr, range(256)), "\n\n", *WORDS])).index(word)


class _Tokenizer:
    """Stands for a tokenizer class of which only from_pretrained is used."""

    @staticmethod
    def from_pretrained(*_a, **_k):
        made = _tokenizer()
        made.chat_template = CHAT
        return made


class _Processor:
    """Qwen2VLProcessor with the toy tokenizer, as far as musubi-tuner uses it."""

    def __init__(self):
        from transformers import Qwen2VLImageProcessor

        self.tokenizer, self.pictures = _tokenizer(), Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112)

    from_pretrained = classmethod(lambda cls, *a, **k: cls())

    def __call__(self, text, images=None, padding=True, return_tensors="pt", **k):
        from transformers import BatchFeature

        text, seen = [text] if isinstance(text, str) else list(text), {}
        if images is not None:
            seen = dict(self.pictures(images=images, return_tensors="pt"))
            counts = iter([int(grid.prod()) // 4 for grid in seen["image_grid_thw"]])
            text = ["".join(part + PAD * next(counts) for part in t.split(PAD)[:-1]) + t.split(PAD)[-1] for t in text]
        return BatchFeature({**self.tokenizer(text, padding=True, return_tensors="pt"), **seen})


def _utils(mod):
    full = mod.Qwen2_5_VLConfig
    numbers = {name: _token(word) for name, word in IDS.items()}

    def tiny(**k):
        k.update(TEXT, **numbers, video_token_id=TINY_VOCAB - 1, vision_token_id=TINY_VOCAB - 2)
        k["text_config"] = {**k["text_config"], **TEXT}
        k["vision_config"] = {**k["vision_config"], **VISION}
        return full(**k)

    mod.Qwen2_5_VLConfig, mod.Qwen2Tokenizer, mod.Qwen2VLProcessor = tiny, _Tokenizer, _Processor


def _vae(mod):
    full = mod.AutoencoderKLQwenImage.__init__
    mod.AutoencoderKLQwenImage.__init__ = lambda self, *a, **k: full(self, *a, **{**k, "base_dim": 8})


def _dit(mod):
    full = mod.QwenImageTransformer2DModel.__init__
    small = {"num_layers": 3, "attention_head_dim": 48, "num_attention_heads": 2, "joint_attention_dim": 64}
    small["axes_dims_rope"] = (16, 16, 16)
    mod.QwenImageTransformer2DModel.__init__ = lambda self, *a, **k: full(self, *a, **{**k, **small})


AFTER = {"qwen_image_utils": _utils, "qwen_image_autoencoder_kl": _vae, "qwen_image_model": _dit}


def shrink(mod):
    AFTER[mod.__name__.rpartition(".")[2]](mod)
