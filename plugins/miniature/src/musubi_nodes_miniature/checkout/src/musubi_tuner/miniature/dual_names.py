"""The modules of a dual-stream transformer by role, so that one toy serves HunyuanVideo and FramePack; no numpy."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, INNER, TEXT_WIDTH, POOLED_WIDTH, FREQUENCIES = 64, 8, 4096, 768, 256
DOUBLES, SINGLES = 1, 2
OUTPUT = 16 * 4

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Stream:
    """The modules of one stream, image or text, inside a double block."""

    modulation: str
    qkv: tuple[str, ...]
    norms: tuple[str, str]
    out: str
    mlp: tuple[str, str]


@dataclass(frozen=True)
class Names:
    """Where the parts of the transformer are. Modules that stand side by side in a tuple give one joined output."""

    patch: str
    words: str
    time: tuple[str, str]
    guidance: tuple[str, str]
    pooled: tuple[str, str]
    doubles: str
    image: Stream
    text: Stream
    singles: str
    single_modulation: str
    single_in: tuple[str, ...]
    """Queries, keys, values and the inner half of the feed-forward."""
    single_norms: tuple[str, str]
    single_out: str
    head: str
    head_modulation: str


def linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def two_layers(names: tuple[str, str], into: int, inner: int = INNER) -> Shapes:
    return linear(names[0], inner, into) | linear(names[1], WIDTH, inner)


def side_by_side(prefix: str, names: tuple[str, ...], out: int) -> Shapes:
    shapes: Shapes = {}
    for name in names:
        shapes |= linear(prefix + name, out // len(names), WIDTH)
    return shapes


def dual_shapes(names: Names, channels: int = 16) -> Shapes:
    """Every tensor that the toy computes with; families add those that only stand in the file."""
    shapes: Shapes = {f"{names.patch}.weight": (WIDTH, channels, 1, 2, 2), f"{names.patch}.bias": (WIDTH,)}
    shapes |= linear(names.words, WIDTH, TEXT_WIDTH) | linear(names.head, OUTPUT, WIDTH)
    shapes |= linear(names.head_modulation, 2 * WIDTH, WIDTH)
    shapes |= two_layers(names.time, FREQUENCIES) | two_layers(names.guidance, FREQUENCIES)
    shapes |= two_layers(names.pooled, POOLED_WIDTH)
    for number in range(DOUBLES):
        for stream in (names.image, names.text):
            shapes |= _stream(f"{names.doubles}.{number}.", stream)
    for number in range(SINGLES):
        block = f"{names.singles}.{number}."
        shapes |= linear(block + names.single_modulation, 3 * WIDTH, WIDTH)
        shapes |= side_by_side(block, names.single_in, 4 * WIDTH) | linear(block + names.single_out, WIDTH, 2 * WIDTH)
        shapes |= {f"{block}{norm}.weight": (WIDTH,) for norm in names.single_norms}
    return shapes


def _stream(block: str, stream: Stream) -> Shapes:
    shapes = linear(block + stream.modulation, 6 * WIDTH, WIDTH) | side_by_side(block, stream.qkv, 3 * WIDTH)
    for name in (stream.out, *stream.mlp):
        shapes |= linear(block + name, WIDTH, WIDTH)
    return shapes | {f"{block}{norm}.weight": (WIDTH,) for norm in stream.norms}
