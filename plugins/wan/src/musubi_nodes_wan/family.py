"""Wan as shared nodes see it, and what its tasks need."""

from __future__ import annotations

from dataclasses import dataclass, replace

from musubi_nodes.families import GENERATOR_OPTIONS, TRAINER_OPTIONS, DitSize, Family, with_choice

SIZES = {
    5120: DitSize(
        "14B",
        40,
        0.33,
        40,
        5120,
        (0.4, 0.13),
        119_808,
        most_swap=(39, 39),
        notes="This is Wan 2.1; for Wan 2.2 set model_size to A14B: it needs more.",
    ),
    1536: DitSize("1.3B", 30, 0.04, 30, 1536, (0.12, 0.04), 45_568, most_swap=(29, 29)),
}
"""By width (docs/wan.md, v0.3.4). The working memory of the 14B is Wan 2.2's in proportion to the tensors that each was
counted to hold at once, in bytes for each token and channel: 58 when training and 19 when generating, 114 and 71 for
Wan 2.2. The 1.3B's is the 14B's in proportion to the width."""
A14B = replace(
    SIZES[5120],
    name="A14B",
    per_kilotoken=(0.79, 0.49),
    notes="Wan 2.2: force_v2_1_time_embedding of the trainer and the generator saves half of the working memory and "
    "more; with lazy_loading of the generator only one of the two models is on the GPU.",
)
"""Wan 2.2 holds a modulation of its own for each token, in fp32 (wan/modules/model.py, v0.3.4). Training was fitted on
users' measurements; they took 1.46 times what was counted, and generating is reckoned to do the same."""

WAN = Family(
    key="wan",
    title="Wan",
    architecture="wan",
    network_module="networks.lora_wan",
    fps=16,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 3.0},
    fp8_text_encoder="fp8_t5",
    sizes=(*SIZES.values(), A14B),
    vae_saving={"vae_cache_cpu": True},
    trainer_options=with_choice(TRAINER_OPTIONS, "attention", "flash3", {"flash3": True}),
    generator_options=with_choice(GENERATOR_OPTIONS, "attention", "flash3", {"attn_mode": "flash3"}),
    lora_modules=r"blocks\.\d+\.(self_attn\.[qkvo]|cross_attn\.([qkvo]|k_img|v_img)|ffn\.[02])",
)


@dataclass(frozen=True)
class Task:
    """A task's needs (wan/configs, v0.3.4). ``channels``: input channels of its DiT; ``boundary``: Wan 2.2 only;
    ``shift``: of its videos (samples on the way would take HunyuanVideo's 14.5)."""

    channels: int
    dim: int = 5120
    image: bool = False
    clip: bool = False
    control: bool = False
    boundary: float | None = None
    shift: float = 5.0


TASKS = {
    "t2v-14B": Task(16),
    "t2v-1.3B": Task(16, dim=1536),
    "i2v-14B": Task(36, image=True, clip=True),
    "t2i-14B": Task(16),
    "flf2v-14B": Task(36, image=True, clip=True),
    "t2v-1.3B-FC": Task(48, dim=1536, control=True),
    "t2v-14B-FC": Task(48, control=True),
    "i2v-14B-FC": Task(48, image=True, clip=True, control=True),
    "i2v-A14B": Task(36, image=True, boundary=0.9),
    "t2v-A14B": Task(16, boundary=0.875, shift=12.0),
}
