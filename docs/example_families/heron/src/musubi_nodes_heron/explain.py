"""Failures that only these scripts know: how the last error's message begins, its code, why, and what to do."""

from __future__ import annotations

from musubi_nodes.families import Explanation, Failure, explain_by

_TABLE = (
    (
        r"size mismatch for patch_embedding.weight",
        "model-other-task",
        "The DiT does not belong to the chosen task.",
        "Choose the task of this file in Heron Models.",
    ),
    (
        r"DiT weights are in (fp16|bf16), mixed precision must be",
        "mixed-precision-mismatch",
        "mixed_precision of the training settings does not fit the DiT's own precision.",
        "Set mixed_precision to the precision that the message names.",
    ),
)


def explain(failure: Failure) -> Explanation | None:
    """The explanation of the script's own last error line, if it is one of these."""
    return explain_by(_TABLE, failure, "heron")
