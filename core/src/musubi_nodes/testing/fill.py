"""Values for declared inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from musubi_nodes.datasets.config.toml import DatasetConfig
from musubi_nodes.families.fields import FieldSpec, Settings, Socket, fields_of, socket_class
from musubi_nodes.families.prompts import Prompt, Prompts
from musubi_nodes.families.sockets import Cache, Dataset, Latent, Lora

Chooser = Callable[[FieldSpec], Any]

NEEDED = {"prompt": "a text"}
"""Required texts whose widgets are empty by default."""


def default_value(spec: FieldSpec) -> Any:
    """Return the default, a file name, or the first possible value."""
    if name := {"model": "model.safetensors", "input": "clip.mp4"}.get(spec.kind):
        return name
    if not spec.required:
        return NEEDED.get(spec.name, spec.default)
    return next((value for value in (*spec.choices, *spec.examples, spec.minimum) if value is not None), "a text")


def other_values(spec: FieldSpec) -> list[Any]:
    """Return other choices, both limits, or a text's examples."""
    if spec.kind == "bool":
        return [not spec.default]
    if spec.kind == "choice":
        wanted = spec.choices[1:] if spec.optional else spec.choices
        return [choice for choice in wanted if choice != spec.default]
    if spec.kind in ("int", "float"):
        lowest = spec.minimum + 1 if spec.optional and spec.minimum is not None else spec.minimum
        kind = int if spec.kind == "int" else float
        return [kind(v) for v in (lowest, spec.maximum) if v is not None and v != spec.default]
    if spec.kind == "string":
        return list(spec.examples) or ["a text"]
    return [None] if spec.kind == "model" and spec.optional else [default_value(spec)]


def build(model: type[BaseModel], choose: Chooser = default_value, **fixed: Any) -> BaseModel:
    values = {spec.name: choose(spec) for spec in fields_of(model) if spec.kind != "socket"}
    for name, field in model.model_fields.items():
        kind = socket_class(field.annotation)
        if kind is not None and (field.is_required() or name in fixed) and name not in fixed:
            values[name] = filled(kind)
    return model.model_validate({**values, **fixed})


def has_widgets(kind: type[Socket]) -> bool:
    return issubclass(kind, Settings)


def filled(kind: type[Socket]) -> Socket:
    if issubclass(kind, Lora):
        return kind(path=Path("/loras/a.safetensors"))
    if issubclass(kind, Latent):
        return kind(path=Path("/out/a_latent.safetensors"))
    if issubclass(kind, Prompts):
        return kind(items=(Prompt(prompt="a text"),))
    if issubclass(kind, Cache):
        return kind(dataset=dataset())
    if issubclass(kind, Dataset):
        return dataset()
    if not issubclass(kind, Settings):
        return kind(**{name: "1" for name, field in kind.model_fields.items() if field.is_required()})
    return build(kind)  # type: ignore[return-value]


def dataset() -> Dataset:
    config = DatasetConfig.model_construct(datasets=())
    return Dataset.model_construct(name="data", source=Path("/data/data.toml"), config=config, fingerprint="0")


def one_by_one(model: type[BaseModel], **fixed: Any) -> Iterator[tuple[str, BaseModel]]:
    for spec in fields_of(model):
        if spec.kind == "socket":
            continue
        for value in other_values(spec):
            made = try_build(model, {spec.name: value}, **fixed)
            if made is not None:
                yield f"{spec.name}={value}", made


def try_build(model: type[BaseModel], chosen: Mapping[str, object], **fixed: Any) -> BaseModel | None:
    try:
        return build(model, lambda spec: chosen.get(spec.name, default_value(spec)), **fixed)
    except ValidationError:
        return None


def socket_classes(model: type[BaseModel]) -> dict[str, type[Socket]]:
    found = {name: socket_class(field.annotation) for name, field in model.model_fields.items()}
    return {name: kind for name, kind in found.items() if kind is not None}
