"""Z-Image's fine-tuner."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from musubi_nodes import families as mn
from musubi_nodes_z_image.nodes import Z_IMAGE, ZImageModels


class ZImageFineTuner(mn.FineTuner):
    """Trains all of Z-Image's weights on finished caches; the model goes to models/diffusion_models/musubi."""

    id, title = "MusubiTuner_ZImageFineTuner", "Z-Image Fine-Tuner"
    family, script, sample_models = Z_IMAGE, "zimage_train.py", ("vae", "text_encoder")

    class Inputs(mn.FineTunerInputs):
        models: Annotated[ZImageModels, mn.ForwardOptions("dit")]
        use_32bit_attention: mn.Flag = Field(False, description="Compute attention in 32 bits: slower, more memory.")
        block_swap_optimizer_patch_params: mn.Flag = Field(
            False, description="With blocks_to_swap: let AdamW and other optimizers work without fused_backward_pass."
        )

    def swaps_while_training(self, inputs: Inputs) -> bool:
        return inputs.fused_backward_pass or inputs.block_swap_optimizer_patch_params
