"""Failures that only Wan's scripts know (texts of v0.3.4)."""

from __future__ import annotations

from musubi_nodes.families import Explanation, Failure, explain_by

FAILURES = (
    (
        r"size mismatch for patch_embedding|'patch_embedding",
        "model-other-task",
        "The DiT does not belong to the chosen task.",
        "Choose the task of this file in Wan Models.",
    ),
    (
        r"DiT weights are in (fp16|bf16), mixed precision must be",
        "mixed-precision-mismatch",
        "mixed_precision of the training settings does not fit the DiT's own precision.",
        "Set mixed_precision to the precision that the message names.",
    ),
    (
        r"DiT weights is already in fp8 format",
        "fp8-mismatch",
        "An fp8 file cannot be scaled to fp8 once more.",
        "Set fp8 to fp8 (not fp8_scaled) in the Memory Optimizer, or choose the fp16 or bf16 file.",
    ),
    (
        r"scaled_mm only supports per-tensor",
        "fp8-fast-not-allowed",
        "fp8_fast does not work together with fp8_scaled.",
        "Remove fp8_fast.",
    ),
    (
        r"k_lens is not supported",
        "attention-unsuited",
        "The chosen attention does not fit this run.",
        "Choose sdpa, with a resolution that is divisible by 16.",
    ),
    (
        r"Video length is less than",
        "control-video-too-short",
        "The control video has fewer frames than the video that is made.",
        "Lower video_length, or give a longer control video.",
    ),
    (
        r"clip is required for one frame training|One frame training requires",
        "wan-one-frame-input-missing",
        "One-frame training needs CLIP and one or two control images for each picture.",
        "Choose the CLIP file in Wan Models and give the dataset a control_directory.",
    ),
)


def explain(failure: Failure) -> Explanation | None:
    """The explanation of the script's own last error line, if it is one of Wan's."""
    return explain_by(FAILURES, failure, "wan")
