"""FLUX.1 Kontext and FLUX.2 made small: what sitecustomize.py does to their modules once they were imported."""

from dataclasses import replace

from sitecustomize import TINY_CLIP, TINY_VOCAB, _Qwen2Tokenizer

T5 = {"vocab_size": TINY_VOCAB, "d_ff": 16, "d_kv": 16, "num_heads": 1, "num_layers": 1}
FLUX2 = {"hidden_size": 128, "num_heads": 2, "depth": 2, "depth_single_blocks": 2, "axes_dim": [16, 16, 16, 16]}


def _kontext_models(mod):
    spec = mod.configs_flux_dev_context
    small = {"hidden_size": 96, "num_heads": 2, "depth": 3, "depth_single_blocks": 3, "axes_dim": [16, 16, 16]}
    ae = replace(spec.ae_params, ch=32)
    mod.configs_flux_dev_context = replace(spec, ae_params=ae, params=replace(spec.params, **small))


def _kontext_utils(mod):
    t5, clip = mod.T5Config, mod.CLIPConfig
    mod.T5Config = lambda **k: t5(**{**k, **T5})
    mod.CLIPConfig = lambda **k: clip(**{**k, **TINY_CLIP})
    mod.T5Tokenizer = mod.CLIPTokenizer = _Qwen2Tokenizer


def _flux2_models(mod):
    full, ae = mod.Flux2Params, mod.AutoEncoderParams
    klein = lambda: full(context_in_dim=192, use_guidance_embed=False, **FLUX2)
    mod.Klein4BParams = mod.Klein9BParams = klein
    mod.AutoEncoderParams = lambda: ae(ch=32)


def _flux2_utils(mod):
    mod.OUTPUT_LAYERS_QWEN3 = [1, 2, 3]


AFTER = {
    "flux_models": _kontext_models, "flux_utils": _kontext_utils, "flux2_models": _flux2_models, "flux2_utils": _flux2_utils,
}  # fmt: skip


def shrink(mod):
    AFTER[mod.__name__.rpartition(".")[2]](mod)
