"""Heron as shared nodes see it."""

from musubi_nodes.families import Family, FrameRule

HERON = Family(
    key="heron",
    title="Heron",
    architecture="wan",
    network_module="networks.lora_wan",
    frame_rule=FrameRule(),
    fps=16,
    training_defaults={"timestep_sampling": "shift", "discrete_flow_shift": 3.0},
    fp8_text_encoder="fp8_t5",
)
