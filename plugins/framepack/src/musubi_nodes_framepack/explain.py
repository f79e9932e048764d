"""Failures that only FramePack's scripts know (texts of v0.3.4)."""

from __future__ import annotations

from musubi_nodes.families import Explanation, Failure, explain_by

FAILURES = (
    (
        r"Not enough frames for FramePack",
        "video-too-short",
        "A video of the dataset is shorter than one section.",
        "Use longer videos, or a smaller fp_latent_window_size in the TOML.",
    ),
    (
        r"unsupported operand type\(s\) for [-+]: 'NoneType'",
        "framepack-one-frame-missing",
        "A picture dataset needs one_frame and control pictures.",
        "Turn one_frame on in the latent cache and give the dataset a control_directory.",
    ),
    (
        r"VAE dtype is not supported",
        "framepack-vae-dtype-not-allowed",
        "FramePack's latent cache takes no vae_dtype.",
        "Remove vae_dtype from the extra options.",
    ),
    (
        r"module 'torch' has no attribute 'float8e4m3fn'",
        "framepack-fp8-not-scaled",
        "fp8 without fp8_scaled does not work for FramePack.",
        "Choose fp8_scaled in the Memory Optimizer.",
    ),
    (
        r"NotImplementedError",
        "framepack-solver-unknown",
        "FramePack knows the solver unipc only.",
        "Remove sample_solver.",
    ),
    (
        r"object of type 'float' has no len",
        "lora-multiplier-missing",
        "A LoRA was given without its multiplier.",
        "Use the lora socket instead of extra options.",
    ),
    (
        r"The size of tensor a \(\d+\) must match",
        "size-not-divisible",
        "Width and height must be divisible by 16.",
        "Change width and height.",
    ),
)


def explain(failure: Failure) -> Explanation | None:
    """The explanation of the script's own last error line, if it is one of FramePack's."""
    return explain_by(FAILURES, failure, "framepack")
