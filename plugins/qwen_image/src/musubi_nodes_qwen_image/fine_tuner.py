"""Qwen-Image's fine-tuner."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes import families as mn
from musubi_nodes_qwen_image.nodes import LAYERED, QWEN_IMAGE, QwenImageLoRATrainer, QwenImageModels


class QwenImageFineTuner(mn.FineTuner):
    """Trains all weights of Qwen-Image, Edit or Layered on finished caches; the model goes to
    models/diffusion_models/musubi."""

    id, title = "MusubiTuner_QwenImageFineTuner", "Qwen-Image Fine-Tuner"
    family, script, sample_models = QWEN_IMAGE, "qwen_image_train.py", ("vae", "text_encoder")

    refused_options = {**mn.FineTuner.refused_options, "num_layers": "the blocks of the file are counted"}

    class Inputs(mn.FineTunerInputs):
        models: Annotated[QwenImageModels, mn.ForwardOptions("model_version", "dit")]
        sample_control_image: mn.SampleControl = None
        remove_first_image_from_target: Annotated[mn.Flag, mn.ForVersions(LAYERED)] = Field(
            False, description="Layered: train the layers only, not the whole picture. Faster, saves memory."
        )
        vae_dtype: mn.Dtype = Field(None, description="Precision of the VAE for samples. default: bfloat16.")

    sample_rule = QwenImageLoRATrainer.sample_rule
