"""A node: declared inputs, declared outputs, and what it does between them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from musubi_nodes.errors import Problem, finding, problems
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import FieldSpec, fields_of, whole_text


class NodeInputs(BaseModel):
    """Base of a node's declared inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    _whole = field_validator("*", mode="before")(whole_text)


class NodeOutputs(BaseModel):
    """Base of a node's declared outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)


class Node:
    """Declare ``id``, ``title``, ``category``, ``search``, ``Inputs`` and ``Outputs``; the docstring is the
    description."""

    id: ClassVar[str]
    title: ClassVar[str]
    category: ClassVar[str]
    search: ClassVar[tuple[str, ...]] = ()
    """Words beside the title by which it is found, in every language: what people call it, or the trouble it ends."""
    output_node: ClassVar[bool] = False
    lazy_outputs: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are made only if somebody uses them: another link makes the node run again."""
    always_runs: ClassVar[bool] = False
    """Whether it runs at each queue because it shows what no input tells, such as caches made by other nodes."""
    resolves_statically: ClassVar[bool] = False
    """Whether it only hands on what its inputs say, at once and without writing anything: other nodes can then look at
    what it will hand on before the workflow runs."""
    resolved_sockets: ClassVar[frozenset[str]] = frozenset()
    """Sockets whose values :meth:`validate` finds in ``values`` where such nodes bring them."""
    Inputs: ClassVar[type[BaseModel]]
    Outputs: ClassVar[type[BaseModel]]

    def run(self, inputs: Any, context: Context) -> BaseModel:
        """Turn validated inputs into outputs; raises :class:`MusubiError` for everything a user can mend."""
        raise TypeError(f"{type(self).__name__} does not say what it does")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        """Raise a :class:`MusubiError` for what can be known to fail before anything of the workflow runs.

        ``values`` are the known values of fields, ``linked`` the inputs that will come over a link; of those that the
        node :attr:`resolved_sockets` some are in ``values`` nevertheless. ComfyUI asks when the workflow is queued, the
        terminal before its first node; both look for missing files by themselves.
        """

    def changed(self, inputs: Any, context: Context) -> str:
        """A text that differs when the node must run again although its inputs are the same.

        Files of model and input fields and the chosen install count by themselves (:mod:`.behind`).
        """
        return ""

    @classmethod
    def fields(cls) -> tuple[FieldSpec, ...]:
        """The inputs, in the order of widgets and sockets."""
        return fields_of(cls.Inputs)

    @classmethod
    def outputs(cls) -> tuple[FieldSpec, ...]:
        """The outputs, in their order."""
        return fields_of(cls.Outputs, ranges=False)

    @classmethod
    def description(cls) -> str:
        """The docstring as one paragraph of plain text."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def known(cls, widgets: Mapping[str, Any]) -> dict[str, Any]:
        """The fields' values for what widgets hold; a widget that is not there has its default."""
        specs = [spec for spec in cls.fields() if spec.kind != "socket"]
        return {
            spec.name: spec.from_widget(widgets[spec.name]) if spec.name in widgets else spec.default for spec in specs
        }

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, partly: bool = False, linked: Set[str] = frozenset()
    ) -> BaseModel | None:
        """Widget and socket values as validated inputs; one :class:`MusubiError` with all that is wrong.

        ``partly``: what comes over a link (``linked``) is not there yet, so that it may be missing, and values that do
        not fit together may fit with it; returns ``None`` where that leaves nothing to build.
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


def _sentence(specs: dict[str, FieldSpec], error: Any) -> Problem:
    where = ".".join(str(part) for part in error["loc"])
    found = finding(error)
    if not where:
        return found
    spec = specs.get(where.split(".")[0])
    given = "" if error["type"] == "missing" or (spec and spec.kind == "socket") else f" ({str(error['input'])[:80]!r})"
    return Problem(found.code, f"{where}{given}: {found}")
