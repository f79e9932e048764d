"""Wan's tasks and the shapes of its toy weights; no numpy, because the plugin imports this too."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, FFN_WIDTH, BLOCKS = 64, 96, 2
TEXT_WIDTH, CLIP_WIDTH, CLIP_TOKENS, FREQUENCIES = 4096, 80, 257, 256
OUTPUT = 16 * 4

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Task:
    """What upstream's wan/configs say about a task (v0.3.4). ``guidance`` is (low noise, high noise)."""

    channels: int = 16
    i2v: bool = False
    flf2v: bool = False
    control: bool = False
    v2_2: bool = False
    steps: int = 50
    shift: float = 5.0
    boundary: float | None = None
    guidance: tuple[float, ...] = (5.0,)
    blocks: int = 40
    """Of the real model: the toys have two, but memory plans are checked as for the real one."""
    sizes: tuple[str, ...] = ("720*1280", "1280*720", "480*832", "832*480")

    @property
    def sees_image(self) -> bool:
        """Whether the DiT has the image half of cross attention (Wan 2.1 image models)."""
        return (self.i2v or self.flf2v) and not self.v2_2


TASKS = {
    "t2v-14B": Task(),
    "t2v-1.3B": Task(blocks=30, sizes=("480*832", "832*480")),
    "i2v-14B": Task(36, i2v=True, steps=40),
    "t2i-14B": Task(sizes=("720*1280", "1280*720", "480*832", "832*480", "1024*1024")),
    "flf2v-14B": Task(36, flf2v=True, steps=40),
    "t2v-1.3B-FC": Task(48, i2v=True, control=True, blocks=30, sizes=("480*832", "832*480")),
    "t2v-14B-FC": Task(48, i2v=True, control=True),
    "i2v-14B-FC": Task(48, i2v=True, control=True, steps=40),
    "i2v-A14B": Task(36, i2v=True, v2_2=True, steps=40, boundary=0.9, guidance=(3.5, 3.5)),
    "t2v-A14B": Task(v2_2=True, steps=40, shift=12.0, boundary=0.875, guidance=(3.0, 4.0)),
}


def _linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _attention(name: str, image: bool) -> Shapes:
    shapes: Shapes = {f"{name}.norm_q.weight": (WIDTH,), f"{name}.norm_k.weight": (WIDTH,)}
    for part in ("q", "k", "v", "o", *(("k_img", "v_img") if image else ())):
        shapes |= _linear(f"{name}.{part}", WIDTH, WIDTH)
    return shapes | ({f"{name}.norm_k_img.weight": (WIDTH,)} if image else {})


def _image_embedding(first_and_last: bool) -> Shapes:
    shapes: Shapes = {"img_emb.proj.0.weight": (CLIP_WIDTH,), "img_emb.proj.0.bias": (CLIP_WIDTH,)}
    shapes |= _linear("img_emb.proj.1", CLIP_WIDTH, CLIP_WIDTH) | _linear("img_emb.proj.3", WIDTH, CLIP_WIDTH)
    shapes |= {"img_emb.proj.4.weight": (WIDTH,), "img_emb.proj.4.bias": (WIDTH,)}
    return shapes | ({"img_emb.emb_pos": (1, 2 * CLIP_TOKENS, CLIP_WIDTH)} if first_and_last else {})


def dit_shapes(task: Task) -> Shapes:
    """Every tensor of a toy DiT for ``task``, with the names of the real ones."""
    shapes: Shapes = {
        "patch_embedding.weight": (WIDTH, task.channels, 1, 2, 2),
        "patch_embedding.bias": (WIDTH,),
        "head.modulation": (1, 2, WIDTH),
    }
    shapes |= _linear("text_embedding.0", WIDTH, TEXT_WIDTH) | _linear("text_embedding.2", WIDTH, WIDTH)
    shapes |= _linear("time_embedding.0", WIDTH, FREQUENCIES) | _linear("time_embedding.2", WIDTH, WIDTH)
    shapes |= _linear("time_projection.1", 6 * WIDTH, WIDTH) | _linear("head.head", OUTPUT, WIDTH)
    for number in range(BLOCKS):
        block = f"blocks.{number}"
        shapes |= _attention(f"{block}.self_attn", image=False) | _attention(f"{block}.cross_attn", task.sees_image)
        shapes |= _linear(f"{block}.ffn.0", FFN_WIDTH, WIDTH) | _linear(f"{block}.ffn.2", WIDTH, FFN_WIDTH)
        shapes |= {f"{block}.norm3.weight": (WIDTH,), f"{block}.norm3.bias": (WIDTH,)}
        shapes[f"{block}.modulation"] = (1, 6, WIDTH)
    return shapes | (_image_embedding(task.flf2v) if task.sees_image else {})


VAE_SHAPES: Shapes = {
    **{"encoder.conv1.weight": (8, 3, 3, 3, 3), "encoder.conv1.bias": (8,)},
    **{"conv1.weight": (32, 32, 1, 1, 1), "conv1.bias": (32,), "conv2.weight": (16, 16, 1, 1, 1), "conv2.bias": (16,)},
    **{"decoder.conv1.weight": (8, 16, 3, 3, 3), "decoder.conv1.bias": (8,)},
}
T5_SHAPES: Shapes = {
    **{"token_embedding.weight": (64, 32), "norm.weight": (32,)},
    **{f"blocks.0.attn.{part}.weight": (32, 32) for part in ("q", "k", "v", "o")},
}
CLIP_SHAPES: Shapes = {
    "visual.patch_embedding.weight": (CLIP_WIDTH, 3, 14, 14),
    "visual.cls_embedding": (1, 1, CLIP_WIDTH),
    "visual.pos_embedding": (1, 257, CLIP_WIDTH),
    "textual.token_embedding.weight": (16, CLIP_WIDTH),
}

NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，"
    "丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，"
    "杂乱的背景，三条腿，背景人很多，倒着走"
)
