"""Toy model files with the real tensors' names: a few hundred kilobytes each, the same on every machine."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from musubi_nodes.families import cache_folder, write_bytes

from .checkout.src.musubi_tuner.miniature import framepack_models as framepack
from .checkout.src.musubi_tuner.miniature import hunyuan_models as hunyuan
from .checkout.src.musubi_tuner.miniature import wan_models as wan
from .checkout.src.musubi_tuner.miniature import zimage_models as zimage

Shapes = dict[str, tuple[int, ...]]

EDITION = "4"
"""Part of the folder's name: raised when the toys change."""

KINDS = ("diffusion_models", "vae", "text_encoders", "clip_vision")

WAN_DITS = {
    "wan_t2v_14b": "t2v-14B",
    "wan_t2v_1.3b": "t2v-1.3B",
    "wan_i2v_14b": "i2v-14B",
    "wan_flf2v_14b": "flf2v-14B",
    "wan_t2v_fc": "t2v-14B-FC",
    "wan_i2v_fc": "i2v-14B-FC",
    "wan22_t2v_high": "t2v-A14B",
    "wan22_t2v_low": "t2v-A14B",
    "wan22_i2v_high": "i2v-A14B",
    "wan22_i2v_low": "i2v-A14B",
}
METADATA = {"format": "pt", "musubi_nodes": "a toy of musubi-nodes miniature, not a real model"}

ONE, ZERO = b"\x80\x3f", b"\x00\x00"
BLUR = b"\x00\x40"
"""2.0: a constant that drowns the signal until a LoRA has learned to take it away, so that every loss falls."""

PATCHES = ("patch_embedding.weight", "img_in.proj.weight", "x_embedder.proj.weight", "all_x_embedder.2-1.weight")
HEADS = ("head.head.weight", "final_layer.linear.weight", "proj_out.weight", "all_final_layer.2-1.linear.weight")
GATES = {6 * 64: (2, 5), 3 * 64: (2,), 4 * 64: (1, 3)}
"""Which rows are gates, by the size of what makes a block's shifts, scales and gates: they are open."""
MODULATION = (".linear.bias", ".adaLN_modulation.0.bias")

QUIET = (
    *(".o.weight", "ffn.2.weight"),
    *("_attn_proj.weight", "mlp.fc2.weight", "linear2.weight", "linear.weight"),
    *("attn.to_out.0.weight", "attn.to_add_out.weight", "net.2.weight", "proj_out.weight"),
    *("attention.to_out.0.weight", "feed_forward.w2.weight"),
)
"""What a block adds to its input is small at first."""

LATENT = 16
SMALL, LARGE = 0x3C, 0x3D
"""High bytes of bfloat16 whose magnitudes lie in 2^-7..2^-5 and 2^-5..2^-3."""


def toy_models() -> dict[str, Path]:
    """The folders of the toy models by kind; what is missing in them is written."""
    root = cache_folder() / "miniature" / EDITION
    for path, make in _files(root):
        if not path.exists():
            write_bytes(path, make())
    return {kind: root / kind for kind in KINDS}


def _files(root: Path) -> Iterator[tuple[Path, partial[bytes]]]:
    models: dict[str, dict[str, Shapes]] = {
        "diffusion_models": {name: wan.dit_shapes(wan.TASKS[task]) for name, task in WAN_DITS.items()}
        | {"hunyuan_video_t2v": hunyuan.dit_shapes(), "hunyuan_video_i2v": hunyuan.dit_shapes(32)}
        | {"framepack_i2v": framepack.dit_shapes(), "z_image": zimage.DIT_SHAPES},
        "vae": {"wan_vae": wan.VAE_SHAPES, "hunyuan_video_vae": hunyuan.VAE_SHAPES, "ae": zimage.VAE_SHAPES},
        "text_encoders": {
            "umt5_xxl": wan.T5_SHAPES,
            "llava_llama3": hunyuan.LLM_SHAPES,
            "clip_l": hunyuan.CLIP_SHAPES,
            "qwen_3_4b": zimage.QWEN3_SHAPES,
        },
        "clip_vision": {"clip_vision_h": wan.CLIP_SHAPES, "siglip": framepack.SIGLIP_SHAPES},
    }
    for kind in KINDS:
        for name, shapes in models[kind].items():
            yield root / kind / f"{name}.safetensors", partial(_pack, name, shapes)


def _pack(model: str, shapes: Shapes) -> bytes:
    header: dict[str, object] = {"__metadata__": METADATA}
    body = bytearray()
    for name in sorted(shapes):
        data = _values(model, name, shapes[name])
        header[name] = {
            "dtype": "BF16",
            "shape": list(shapes[name]),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _values(model: str, name: str, shape: tuple[int, ...]) -> bytes:
    count = math.prod(shape)
    if name in PATCHES:
        return _embedding(model, shape[0], math.prod(shape[1:]) // 4)
    if name in HEADS:
        return b"".join(
            _hadamard(place % LATENT * 4 + place // LATENT, row) for place in range(64) for row in range(64)
        )
    if name.removesuffix("bias") + "weight" in PATCHES:
        return _signed(f"{model}/{name}", count, BLUR)
    if name.endswith(".modulation"):
        # the gates of a block are open and its shifts and scales are neutral
        row = shape[-1]
        return b"".join((ONE if index in (2, 5) else ZERO) * row for index in range(shape[1]))
    if name.endswith(MODULATION) and count in GATES:
        return b"".join((ONE if row in GATES[count] else ZERO) * 64 for row in range(count // 64))
    if name.endswith(".bias") or name.endswith("emb_pos"):
        return ZERO * count
    if (
        ("norm" in name and not name.endswith(".linear.weight"))
        or name.startswith("img_emb.proj.0")
        or name.startswith("img_emb.proj.4")
        or name == "cap_embedder.0.weight"
    ):
        return ONE * count
    quiet = shape[-1] > 700 or name.endswith(QUIET)
    return _noise(f"{model}/{name}", count, SMALL if quiet else LARGE)


def _embedding(model: str, width: int, channels: int) -> bytes:
    """A patch's 64 latent values are turned by a Hadamard matrix, which the head turns back; the rest is noise."""
    rest = _noise(f"{model}/patch_embedding", width * (channels - LATENT) * 4, SMALL)
    size = len(rest) // width
    rows = (b"".join(_hadamard(column, row) for column in range(64)) for row in range(width))
    return b"".join(values + rest[row * size : (row + 1) * size] for row, values in enumerate(rows))


def _hadamard(column: int, row: int) -> bytes:
    return b"\x00\xbe" if (column & row).bit_count() % 2 else b"\x00\x3e"


def _signed(seed: str, count: int, high: bytes) -> bytes:
    bits = hashlib.shake_128(seed.encode()).digest(count)
    return b"".join(high[:1] + bytes([high[1] | (bit & 0x80)]) for bit in bits)


def _noise(seed: str, count: int, high: int) -> bytes:
    """bfloat16 values of both signs whose high byte is ``high``; to import numpy takes longer."""
    data = bytearray(hashlib.shake_128(seed.encode()).digest(2 * count))
    signs = bytes(high | (byte & 0x80) for byte in range(256))
    data[1::2] = data[1::2].translate(signs)
    return bytes(data)
