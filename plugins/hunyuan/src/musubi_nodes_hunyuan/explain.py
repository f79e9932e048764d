"""Failures that only HunyuanVideo's scripts know (texts of v0.3.4)."""

from __future__ import annotations

from musubi_nodes.families import Explanation, Failure, explain_by

FAILURES = (
    (
        r"KeyError: 'clipL'",
        "cache-incomplete",
        "The text cache was made only half: an earlier run was interrupted before the second encoder.",
        "Queue the text encoder cache again.",
    ),
    (
        r"Latent size.{0,60} be divisible by patch size",
        "size-not-divisible",
        "Width and height must be divisible by 16.",
        "Change width and height.",
    ),
    (
        r"VAE path does not exist|vae checkpoint is required",
        "model-missing",
        "The VAE file is not there.",
        "Choose it in HunyuanVideo Models.",
    ),
    (
        r"object of type 'float' has no len",
        "lora-multiplier-missing",
        "A LoRA was given without its multiplier.",
        "Use the lora socket instead of extra options.",
    ),
)


def explain(failure: Failure) -> Explanation | None:
    """The explanation of the script's own last error line, if it is one of HunyuanVideo's."""
    return explain_by(FAILURES, failure, "hunyuan")
