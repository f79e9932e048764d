"""Recognition of quantised weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from musubi_nodes.weights import Header


@dataclass(frozen=True)
class Quantisation:
    """A quantisation, identified by ``endings`` of tensor names."""

    name: str
    endings: tuple[str, ...] = ()


PLAIN = Quantisation("")
"""16 or 32 bits."""
FP8 = Quantisation("in fp8")
"""8 bits without scales."""
SCALED = Quantisation("in scaled fp8 (ComfyUI's older form)", (".scale_weight", "scaled_fp8"))
COMFY = Quantisation("quantised with scales as ComfyUI writes them (comfy_quant)", (".comfy_quant", ".weight_scale"))
OTHERS = (
    Quantisation("quantised with bitsandbytes (NF4 or FP4)", (".bitsandbytes__nf4", ".bitsandbytes__fp4", ".absmax")),
    Quantisation("quantised with bitsandbytes (int8)", (".SCB",)),
    Quantisation("quantised with Nunchaku (SVDQuant)", (".qweight", ".wscales", ".wtscale")),
    Quantisation("quantised with AWQ or GPTQ", (".qzeros", ".g_idx")),
    Quantisation("quantised with torchao", (":_data", ":_scale")),
)
MARKED = (COMFY, SCALED, *OTHERS)
_FP8 = ("F8_E4M3", "F8_E5M2")


def quantisation_of(header: Header) -> Quantisation:
    for quantisation in MARKED:
        if any(name.endswith(quantisation.endings) for name in header.tensors):
            return quantisation
    dtypes = Counter(tensor.dtype for tensor in header.tensors.values() if len(tensor.shape) > 1)
    most = dtypes.most_common(1)
    return FP8 if most and most[0][0] in _FP8 else PLAIN
