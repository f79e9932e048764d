"""Specifications of declared fields: widgets, options and help."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from musubi_nodes.commands.option import NamesFile, Option, marker
from musubi_nodes.errors import InvalidValue
from musubi_nodes.families.hub_file import HubFile
from musubi_nodes.families.recognition.accepts import Accepts

NONE = "none"
"""Combo choice for "no file"."""
DEFAULT = "default"
"""Combo choice for "leave it to musubi-tuner"."""

ANY = "any"
"""Combo choice for no particular family."""

NEWEST = "newest"
"""Combo choice for the newest run."""

Kind = Literal["run", "bool", "int", "float", "string", "choice", "model", "input", "install", "family", "socket"]

PLAIN = {"bool": "BOOLEAN", "int": "INT", "float": "FLOAT"}


def whole_text(value: object) -> Any:
    """Refuse lone surrogates, which JSON can contain but no file."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValue("text-half-character", "holds half a character; type the text again") from None
    return value


class Socket(BaseModel):
    """A frozen value that travels on a link."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)
    socket: ClassVar[str]
    description: ClassVar[str] = ""
    """Default description of inputs with this socket."""

    _whole = field_validator("*", mode="before")(whole_text)


class Settings(Socket):
    """A socket with the values of a node's widgets."""

    def options(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Native:
    """A type of ComfyUI: IMAGE, VIDEO, AUDIO, MASK."""

    socket: str


@dataclass(frozen=True)
class Picture(Native):
    """An IMAGE sent as a file by ``--<option>``; ``several``: the whole batch."""

    option: str
    several: bool = False
    socket: str = field(default="IMAGE", init=False)


@dataclass(frozen=True)
class SamplePicture(Native):
    """An IMAGE for sample prompts without their own ``stands_for``."""

    stands_for: str
    socket: str = field(default="IMAGE", init=False)


@dataclass(frozen=True)
class Clip(Native):
    """A VIDEO or its frames, sent as a file by ``--<option>``."""

    option: str
    socket: str = field(default="VIDEO,IMAGE", init=False)


@dataclass(frozen=True)
class ForVersions:
    """A field for these model versions only."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class ModelFile(NamesFile):
    """A file in ComfyUI's model folder ``kind``.

    ``pickled``: musubi-tuner also reads PyTorch files. ``accepts``: what its loader can read.
    """

    kind: str
    pickled: bool = False
    accepts: Accepts | None = None
    downloads: tuple[HubFile, ...] = ()


@dataclass(frozen=True)
class Choices:
    """Choices that are data."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> Any:
        return core_schema.literal_schema(list(self.names))


@dataclass(frozen=True)
class InputFile:
    """A file in the host's input folder, with an upload button."""

    kind: Literal["image", "video"]


@dataclass(frozen=True)
class InstallName:
    """A configured musubi-tuner; never a path."""


@dataclass(frozen=True)
class FamilyName:
    """A registered family's key, or ``None`` for any."""


@dataclass(frozen=True)
class RunName:
    """A training run's folder, or ``None`` for the newest."""


_NAMED: dict[type, tuple[Kind, str]] = {
    InstallName: ("install", DEFAULT),
    RunName: ("run", NEWEST),
    FamilyName: ("family", ANY),
}
"""Kind of combo, and its choice for ``None``."""


@dataclass(frozen=True)
class Widget:
    """How a field looks.

    ``last`` sorts it behind the family's fields. Fields ``added`` in later releases come last, so that saved positional
    values stay right. ``unset`` is the number for ``None``, by default one below the range.
    """

    advanced: bool = False
    multiline: bool = False
    step: float | None = None
    seed: bool = False
    unset: float | None = None
    last: int = 0
    added: int = 0


Dtype = Annotated[Literal["float16", "bfloat16", "float32"] | None, Option(), Widget(advanced=True)]
Flag = Annotated[bool, Option(), Widget(advanced=True)]
Scale = Annotated[float, Option(), Field(ge=0.0, le=100.0)]


@dataclass(frozen=True)
class FieldSpec:
    """One field as a widget or socket; ``examples`` are for tests."""

    name: str
    kind: Kind
    description: str
    required: bool
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unset: Any = None
    optional: bool = False
    socket: str = ""
    model_kind: str = ""
    pickled: bool = False
    accepts: Accepts | None = None
    downloads: tuple[HubFile, ...] = ()
    input_kind: str = ""
    widget: Widget = Widget()
    listed: bool = False
    examples: tuple[Any, ...] = ()

    @property
    def wire(self) -> str:
        """ComfyUI's type of the value."""
        return self.socket or PLAIN.get(self.kind, "STRING")

    def from_widget(self, value: object) -> Any:
        return None if self.optional and value == self.unset else value

    def to_widget(self, value: object) -> Any:
        return self.unset if value is None else value


def socket_class(annotation: object) -> type[Socket] | None:
    """Return the socket class in ``X`` or ``X | None``."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Socket):
            return kind
    return None


@cache
def fields_of(model: type[BaseModel], *, ranges: bool = True) -> tuple[FieldSpec, ...]:
    """Return the fields in input order; ``ranges`` are required for numbers."""
    specs = [_spec(name, field, ranges) for name, field in model.model_fields.items()]
    return tuple(sorted(specs, key=lambda s: (s.widget.added, s.widget.advanced, s.widget.last)))


def _spec(name: str, field: FieldInfo, ranges: bool) -> FieldSpec:
    inner, optional = without_none(field.annotation)
    listed = get_origin(inner) is list
    if listed:
        (inner,) = get_args(inner)
    widget = marker(field, Widget) or Widget()
    kind = _marked(field, inner, optional) or _plain(name, field, inner, ranges)
    if optional and "minimum" in kind:
        below = kind["minimum"] - 1 if widget.unset is None else inner(widget.unset)
        kind |= {"minimum": below, "unset": below}
    return FieldSpec(
        name=name,
        description=field.description or _description(field),
        required=field.is_required(),
        optional=optional,
        widget=widget,
        listed=listed,
        examples=tuple(field.examples or ()),
        default=None if field.is_required() else field.get_default(call_default_factory=True),
        **kind,
    )


def _description(field: FieldInfo) -> str:
    model = marker(field, ModelFile)
    if model and model.accepts:
        return f"{model.accepts.name[:1].upper()}{model.accepts.name[1:]}."
    return getattr(socket_class(field.annotation), "description", "")


def _marked(field: FieldInfo, inner: Any, optional: bool) -> dict[str, Any]:
    """Return the widget's kind by marks, sockets and choices, if there are any."""
    if native := marker(field, Native):
        return {"kind": "socket", "socket": native.socket}
    if isinstance(inner, type) and issubclass(inner, Socket):
        return {"kind": "socket", "socket": inner.socket}
    if model := marker(field, ModelFile):
        own = {name: getattr(model, name) for name in ("pickled", "accepts", "downloads")}
        return {"kind": "model", "model_kind": model.kind, "unset": NONE, **own}
    if given := marker(field, InputFile):
        return {"kind": "input", "input_kind": given.kind}
    for mark, (kind, unset) in _NAMED.items():
        if marker(field, mark):
            return {"kind": kind, "unset": unset}
    offered = marker(field, Choices)
    if offered or get_origin(inner) is Literal:
        choices = offered.names if offered else tuple(map(str, get_args(inner)))
        return {"kind": "choice", "choices": (DEFAULT,) * optional + choices, "unset": DEFAULT}
    return {}


def _plain(name: str, field: FieldInfo, inner: Any, ranges: bool) -> dict[str, Any]:
    if inner is str:
        return {"kind": "string", "unset": ""}
    if inner not in (bool, int, float):
        raise TypeError(f"field {name}: {field.annotation} has no widget")
    if inner is bool or not ranges:
        return {"kind": inner.__name__}
    low, high = marker(field, Ge), marker(field, Le)
    if low is None or high is None:
        raise TypeError(f"field {name}: a number needs ge= and le=, they are the widget's range")
    return {"kind": inner.__name__, "minimum": inner(low.ge), "maximum": inner(high.le)}


def without_none(annotation: object) -> tuple[Any, bool]:
    """Return ``X`` for ``X | None``, and whether ``None`` was allowed."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        return (rest[0] if len(rest) == 1 else annotation), len(rest) < len(get_args(annotation))
    return annotation, False
