"""The model files that a node's fields name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.models.files import SAFETENSORS, find_model
from musubi_nodes.families.recognition.judged import judged_header
from musubi_nodes.weights import Header

Files = dict[str, Path]


def chosen_models(
    fields: Iterable[FieldSpec],
    inputs: Any,
    context: Context,
    version: str = "",
    used: Callable[[str], bool] = lambda _: True,
) -> tuple[Files, dict[str, Header]]:
    """Return paths, and headers of used safetensors files, by field; each is what its field accepts."""
    install = context.services.install(inputs.install)
    paths, headers = {}, {}
    for spec in fields:
        name = getattr(inputs, spec.name) if spec.kind == "model" else None
        if name is None:
            continue
        path = paths[spec.name] = find_model(context.host, spec.model_kind, name, install)
        if used(spec.name) and (path.suffix.lower() in SAFETENSORS or not spec.pickled):
            headers[spec.name] = judged_header(path, spec.accepts, context.services.weights_kinds, version)
    return paths, headers
