"""Checks of a workflow before it runs, in both hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from musubi_nodes.errors import MusubiError, Problem, did_you_mean, problems
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.input_files import find_input
from musubi_nodes.families.models.files import find_model
from musubi_nodes.families.node import Node
from musubi_nodes.runs.install import Install


def preflight(
    node: type[Node],
    widgets: Mapping[str, object],
    linked: Set[str],
    context: Context,
    upstream: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Raise a :class:`MusubiError` for a known problem of ``node``.

    ``widgets`` are known values, ``linked`` linked inputs, ``upstream`` values from :mod:`.resolved_inputs`.
    """
    own = {name: value for name, value in widgets.items() if name not in linked}
    check_given(node, own.keys() | linked, (spec for spec in node.fields() if spec.kind != "socket"))
    node.parse(own, partly=True, linked=linked)
    known = node.known(own)
    specs = [spec for spec in node.fields() if spec.name not in linked and known.get(spec.name) is not None]
    install = context.services.install(known["install"]) if "install" in known and "install" not in linked else None
    wrong = [error for spec in specs if (error := _missing(spec, str(known[spec.name]), install, context))]
    if len(wrong) > 1:
        found = [Problem(error.code, f"{error.what}. {error.why}" if error.why else error.what) for error in wrong]
        raise problems("inputs-invalid", node.title, found, fix=wrong[0].fix)
    if wrong:
        raise wrong[0]
    node().validate({**known, **upstream}, linked, replace(context, preflight=True))


def check_given(node: type[Node], names: Set[str], specs: Iterable[FieldSpec]) -> None:
    if missing := [spec.name for spec in specs if spec.required and spec.name not in names]:
        raise MusubiError(
            "input-missing", f"{node.title} has nothing at {', '.join(missing)}", fix="Connect or fill it in."
        )


def _missing(spec: FieldSpec, value: str, install: Install | None, context: Context) -> MusubiError | None:
    try:
        if spec.kind == "model":
            find_model(context.host, spec.model_kind, value, install)
        elif spec.kind == "input":
            find_input(context, spec.input_kind, value)
        elif spec.kind == "family":
            _check_family(spec.name, value, context)
    except MusubiError as error:
        return error
    return None


def _check_family(name: str, value: str, context: Context) -> None:
    keys = [family.key for family in context.services.families]
    if value not in keys:
        raise MusubiError(
            "family-unknown",
            f"{name}: there is no model family {value[:120]!r}{did_you_mean(value, keys)}",
            fix="Choose another one.",
        )


def used_outputs(node: type[Node], node_id: str, workflow: object) -> frozenset[str] | None:
    """Return linked outputs; ``None`` for a node made by a loop."""
    if not isinstance(workflow, Mapping) or node_id not in workflow:
        return None
    names = [spec.name for spec in node.outputs()]
    links = [
        value
        for other in workflow.values()
        for value in other.get("inputs", {}).values()
        if isinstance(value, list) and len(value) == 2 and str(value[0]) == node_id
    ]
    return frozenset(names[number] for _, number in links if number in range(len(names)))
