"""Random weights for FLUX.1 Kontext and FLUX.2 klein."""

import ast
import json
import re
from pathlib import Path

import torch


def make(save, state_of):
    """``save(name, model or state)`` writes a file; ``state_of(model)`` are random numbers for its tensors."""
    _kontext(save, state_of)
    _klein(save, state_of)


def _kontext(save, state_of):
    from musubi_tuner.flux import flux_models, flux_utils
    from transformers import CLIPTextModel, T5EncoderModel

    spec = flux_models.configs_flux_dev_context
    state = state_of(flux_models.Flux(spec.params, "torch", False), seed=90)
    save("kontext_dit", state)
    save("kontext_wrapped_dit", {f"model.diffusion_model.{key}": value for key, value in state.items()})
    save("kontext_vae", state_of(flux_models.AutoEncoder(spec.ae_params), torch.float32, seed=91))
    text = Path(flux_utils.__file__).read_text()
    t5 = json.loads(re.search(r'T5_CONFIG_JSON = """(.*?)"""', text, re.S)[1])
    save("t5xxl", state_of(T5EncoderModel._from_config(flux_utils.T5Config(**t5)), seed=92))
    clip = ast.literal_eval(re.search(r"CLIPL_CONFIG = (\{.*?\n    \})", text, re.S)[1])
    save("clip_l", state_of(CLIPTextModel._from_config(flux_utils.CLIPConfig(**clip)), torch.float16, seed=93))


def _klein(save, state_of):
    from musubi_tuner.flux_2 import flux2_models

    save("klein_dit", state_of(flux2_models.Flux2(flux2_models.Klein4BParams(), "torch", False), seed=70))
    ae = state_of(flux2_models.AutoEncoder(flux2_models.AutoEncoderParams()), torch.float32, seed=71)
    save("flux2_vae", {**ae, "bn.running_var": torch.ones_like(ae["bn.running_var"])})  # a root is taken of it
