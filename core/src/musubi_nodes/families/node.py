"""Base of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import new_class
from typing import Any, ClassVar, Generic, cast

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from typing_extensions import TypeVar

from musubi_nodes.errors import Problem, finding, problems
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import FieldSpec, fields_of, whole_text
from musubi_nodes.runs.record.disk import disk_error, is_full


class NodeInputs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    _whole = field_validator("*", mode="before")(whole_text)


class NodeOutputs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)


Ports = TypeVar("Ports", bound=BaseModel)


def without(ports: type[Ports], names: Set[str]) -> type[Ports]:
    """Return inputs or outputs without these; their defaults stay readable."""
    gone = {name: field.default for name, field in ports.model_fields.items() if name in names}
    if not gone:
        return ports
    space = {"__module__": ports.__module__, "__annotations__": dict.fromkeys(gone, ClassVar[Any]), **gone}
    return cast("type[Ports]", new_class(ports.__name__, (ports,), {}, lambda made: made.update(space)))


InputsT = TypeVar("InputsT", bound=BaseModel, default=Any)


class Node(Generic[InputsT]):
    """Base of nodes; the docstring is the description."""

    id: ClassVar[str]
    title: ClassVar[str]
    category: ClassVar[str]
    search: ClassVar[tuple[str, ...]] = ()
    """Search words in any language."""
    output_node: ClassVar[bool] = False
    lazy_outputs: ClassVar[frozenset[str]] = frozenset()
    """Outputs made only if linked; a new link re-runs the node."""
    always_runs: ClassVar[bool] = False
    """Whether it depends on more than its inputs."""
    resolves_statically: ClassVar[bool] = False
    """Whether outputs follow from inputs at once, without writing."""
    resolved_sockets: ClassVar[frozenset[str]] = frozenset()
    """Sockets that :meth:`validate` gets from such nodes."""
    Inputs: ClassVar[type[BaseModel]]
    Outputs: ClassVar[type[BaseModel]]

    def run(self, inputs: InputsT, context: Context) -> BaseModel:
        """Turn inputs into outputs; raises :class:`MusubiError`."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        """Raise a :class:`MusubiError` before the workflow runs.

        ``values`` are the known fields, ``linked`` the linked inputs; :attr:`resolved_sockets` may be in both.
        """

    def changed(self, inputs: InputsT, context: Context) -> str:
        """Return a text that changes when the node must re-run.

        Files and the install are compared anyway (:mod:`.input_state`).
        """
        return ""

    @classmethod
    def fields(cls) -> tuple[FieldSpec, ...]:
        return fields_of(cls.Inputs)

    @classmethod
    def outputs(cls) -> tuple[FieldSpec, ...]:
        return fields_of(cls.Outputs, ranges=False)

    @classmethod
    def description(cls) -> str:
        """Return the docstring as one line."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def known(cls, widgets: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields by widgets' values, with defaults."""
        specs = [spec for spec in cls.fields() if spec.kind != "socket"]
        return {
            spec.name: spec.from_widget(widgets[spec.name]) if spec.name in widgets else spec.default for spec in specs
        }

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, partly: bool = False, linked: Set[str] = frozenset()
    ) -> BaseModel | None:
        """Validate values; raises one :class:`MusubiError`.

        ``partly``: linked inputs may be missing; returns ``None`` if nothing can be built.
        """
        specs = {spec.name: spec for spec in cls.fields()}
        given = {name: specs[name].from_widget(value) for name, value in values.items() if name in specs}
        try:
            return cls.Inputs.model_validate(given)
        except ValidationError as error:
            open_ = partly and bool(linked)
            wrong = [
                e for e in error.errors() if not (partly and e["type"] == "missing") and not (open_ and not e["loc"])
            ]
            if not wrong:
                return None
            found = [_sentence(specs, e) for e in wrong]
            raise problems("inputs-invalid", f"{cls.title}", found, fix="Correct the value in the node.") from None


def run_node(node: type[Node], inputs: Any, context: Context) -> BaseModel:
    """Run a node; a full disk is one clear error, also without a run folder."""
    try:
        return node().run(inputs, context)
    except OSError as error:
        if not is_full(error):
            raise
        raise disk_error(error, context.host.output_folder) from error


def _sentence(specs: dict[str, FieldSpec], error: Any) -> Problem:
    where = ".".join(str(part) for part in error["loc"])
    found = finding(error)
    if not where:
        return found
    spec = specs.get(where.split(".")[0])
    given = "" if error["type"] == "missing" or (spec and spec.kind == "socket") else f" ({str(error['input'])[:80]!r})"
    return Problem(found.code, f"{where}{given}: {found}")
