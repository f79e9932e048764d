"""Workflows in API format: reading, ``--set``, checking and running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musubi_nodes.errors import MusubiError, did_you_mean
from musubi_nodes.families.context import Context, Services
from musubi_nodes.families.node import Node, run_node
from musubi_nodes.families.preflight import check_given, preflight
from musubi_nodes.families.resolved_inputs import upstream_values
from musubi_nodes.files import WORKFLOW, read_text
from musubi_nodes.hosts.terminal.constants import Constant
from musubi_nodes.hosts.terminal.foreign import ANYTHING, FOREIGN
from musubi_nodes.hosts.terminal.host import TerminalHost
from musubi_nodes.parsing import parse_json


@dataclass(frozen=True)
class Step:
    """One node; a link is a ``(node id, output number)`` tuple."""

    id: str
    node: type[Node]
    inputs: Mapping[str, Any]

    def links(self) -> dict[str, tuple[str, int]]:
        return {name: value for name, value in self.inputs.items() if isinstance(value, tuple)}


Workflow = dict[str, Step]

ADDED_BY_CANVAS = {"upload", "control_after_generate"}
"""Widgets that the canvas adds to its export."""


def read_workflow(path: Path, known: Iterable[type[Node]]) -> Workflow:
    try:
        raw = parse_json(read_text(path, WORKFLOW), lists=WORKFLOW.most)
    except OSError as error:
        raise MusubiError(
            "file-unreadable", f"the workflow {path} cannot be read: {error}", fix="Correct the path."
        ) from None
    except ValueError as error:
        raise MusubiError(
            "json-invalid", f"{path} is no JSON: {error}", fix="Export it again: Workflow > Export (API)."
        ) from None
    raw = _nodes(path, raw)
    nodes = {node.id: node for node in known} | FOREIGN
    workflow = {str(id_): _step(str(id_), entry, nodes) for id_, entry in raw.items()}
    for step in workflow.values():
        for name, (source, number) in step.links().items():
            if source not in workflow or not _carries(workflow[source].node, number, step.node, name):
                raise MusubiError(
                    "link-invalid",
                    f"node {step.id} ({step.node.title}): input {name} takes no such output",
                    fix="Export the workflow again.",
                )
    return workflow


def _nodes(path: Path, raw: Any) -> dict[str, Any]:
    """Return the nodes, also of a request body ``{"prompt": {...}}``."""
    wrapped = raw.get("prompt") if isinstance(raw, dict) else None
    found = wrapped if isinstance(wrapped, dict) and "class_type" not in wrapped else raw
    canvas = isinstance(found, dict) and (
        isinstance(found.get("nodes"), list) or (found is raw and isinstance(raw.get("workflow"), dict))
    )
    if canvas or not isinstance(found, dict):
        raise MusubiError(
            "workflow-not-api",
            f"{path} is a workflow of the canvas, not an API file" if canvas else f"{path} holds no workflow",
            fix="In ComfyUI choose Workflow > Export (API), and run that file.",
        )
    return found


def _carries(source: type[Node], number: int, target: type[Node], name: str) -> bool:
    outputs, inputs = source.outputs(), {spec.name: spec for spec in target.fields()}
    if not 0 <= number < len(outputs) or name not in inputs:
        return False
    given, taken = outputs[number].wire, inputs[name].socket
    return inputs[name].kind != "socket" or taken == ANYTHING or given in taken.split(",")


def _step(id_: str, entry: Any, nodes: Mapping[str, type[Node]]) -> Step:
    whole = isinstance(entry, dict) and isinstance(entry.get("inputs", {}), dict)
    if not whole or not isinstance(entry.get("class_type"), str):
        raise MusubiError(
            "workflow-node-invalid",
            f"node {id_} has no class_type or no inputs",
            fix="Export the workflow again: Workflow > Export (API).",
        )
    name = entry["class_type"]
    if name not in nodes:
        raise MusubiError(
            "node-unknown",
            f"node {id_} is a {name}, which the terminal does not have{did_you_mean(name, list(nodes))}",
            why="Outside ComfyUI there are the nodes of musubi-nodes, and " + ", ".join(FOREIGN) + ".",
            fix="Remove it from the workflow, or install the plugin that brings it.",
        )
    inputs = {key: _value(value) for key, value in dict(entry.get("inputs", {})).items()}
    return Step(id_, nodes[name], inputs)


def _value(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) and isinstance(value[1], int):
        return (str(value[0]), value[1])
    return value["__value__"] if isinstance(value, dict) and "__value__" in value else value


def set_values(workflow: Workflow, settings: Iterable[str]) -> None:
    """Apply ``NODE.input=value``.

    NODE is an id, or a class name with or without ``MusubiTuner_``.
    """
    for setting in settings:
        target, equals, text = setting.partition("=")
        wanted, dot, name = target.rpartition(".")
        if not equals or not dot:
            raise MusubiError(
                "setting-invalid", f"--set {setting!r} is not NODE.input=value", fix="Write for example --set 3.seed=7"
            )
        steps = [s for s in workflow.values() if wanted in (s.id, s.node.id, s.node.id.removeprefix("MusubiTuner_"))]
        if not steps:
            names = [s.node.id.removeprefix("MusubiTuner_") for s in workflow.values()]
            raise MusubiError(
                "node-unknown",
                f"--set {setting!r}: there is no node {wanted!r}{did_you_mean(wanted, names)}",
                fix=f"The workflow has {', '.join(names)}.",
            )
        for step in steps:
            specs = {spec.name: spec for spec in step.node.fields()}
            if name not in specs or specs[name].kind == "socket":
                known = [n for n, s in specs.items() if s.kind != "socket"]
                near = did_you_mean(name, known)
                raise MusubiError(
                    "widget-unknown",
                    f"--set {setting!r}: {step.node.title} has no widget {name!r}{near}",
                    fix=f"It has {', '.join(known)}.",
                )
            workflow[step.id] = Step(step.id, step.node, {**step.inputs, name: _typed(specs[name].kind, text)})


def _typed(kind: str, text: str) -> Any:
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:
            return text
    return text


def check_workflow(workflow: Workflow, host: TerminalHost, services: Services) -> list[Step]:
    """Return the steps that lead to an output, sorted and checked."""
    ends = [step for step in workflow.values() if step.node.output_node]
    if not ends:
        raise MusubiError(
            "workflow-without-output",
            "the workflow has no output node",
            fix="Add a trainer, a generator or a save node.",
        )
    ordered = list(_without_constants(_ordered(workflow, ends)))
    whole, nodes = _prompt({step.id: step for step in ordered}), {step.node for step in ordered}
    for step in ordered:
        context = Context(host, services, step.node.title)
        try:
            widgets = {k: v for k, v in step.inputs.items() if not isinstance(v, tuple)}
            _require(step)
            known = upstream_values(step.node, step.id, whole, nodes, context)
            preflight(step.node, widgets, step.links().keys(), context, known)
        except MusubiError as error:
            raise error.at(f"node {step.id}") from None
    return ordered


def _without_constants(ordered: Iterable[Step]) -> Iterator[Step]:
    """Inline constants, so that their values are checked as typed ones."""
    values: dict[str, Any] = {}
    for step in ordered:
        inputs = {
            name: values.get(value[0], value) if isinstance(value, tuple) else value
            for name, value in step.inputs.items()
        }
        if not issubclass(step.node, Constant) or isinstance(inputs.get("value"), tuple):
            yield Step(step.id, step.node, inputs)
            continue
        try:
            values[step.id] = step.node.parse(inputs).value  # type: ignore[union-attr]
        except MusubiError as error:
            raise error.at(f"node {step.id}") from None


def _require(step: Step) -> None:
    known = [spec.name for spec in step.node.fields()]
    if strange := sorted(set(step.inputs) - set(known) - ADDED_BY_CANVAS):
        near = did_you_mean(strange[0], known)
        raise MusubiError(
            "input-unknown", f"{step.node.title} has no input {strange[0]!r}{near}", fix="Correct the workflow file."
        )
    check_given(step.node, step.inputs.keys(), step.node.fields())


def _ordered(workflow: Workflow, ends: Iterable[Step]) -> Iterator[Step]:
    done: set[str] = set()
    for end in ends:
        path = {end.id: _sources(end)}
        while path:
            id_, sources = next(reversed(path.items()))
            source = next((each for each in sources if each not in done), None)
            if source in path:
                raise MusubiError(
                    "workflow-circular", f"node {source} feeds itself", fix="Remove the circle from the workflow."
                )
            if source is not None:
                path[source] = _sources(workflow[source])
                continue
            del path[id_]
            if id_ not in done:
                done.add(id_)
                yield workflow[id_]


def _sources(step: Step) -> Iterator[str]:
    return (source for source, _ in step.links().values())


def run_workflow(workflow: Workflow, host: TerminalHost, services: Services) -> Iterator[tuple[Step, Context]]:
    """Run all steps, and yield each with its context.

    As in ComfyUI, a node runs once per value of its longest input; shorter inputs repeat their last.
    """
    steps = check_workflow(workflow, host, services)
    used, metadata = _used(steps), {"prompt": _prompt(workflow)}
    results: dict[str, list[list[Any]]] = {}
    for step in steps:
        linked = {name: results[source][number] or [None] for name, (source, number) in step.links().items()}
        made: list[list[Any]] = [[] for _ in step.node.outputs()]
        for turn in range(max(map(len, linked.values()), default=1)):
            context = Context(host, services, step.node.title, frozenset(used[step.id]), metadata)
            values = {name: found[min(turn, len(found) - 1)] for name, found in linked.items()}
            inputs = step.node.parse({**step.inputs, **values})
            try:
                outputs = run_node(step.node, inputs, context)
            finally:
                host.end_bar()
            for spec, given in zip(step.node.outputs(), made, strict=True):
                value = getattr(outputs, spec.name)
                given.extend(value if spec.listed else [value])
            yield step, context
        results[step.id] = made


def _used(steps: Sequence[Step]) -> Mapping[str, set[str]]:
    used: dict[str, set[str]] = {step.id: set() for step in steps}
    outputs = {step.id: step.node.outputs() for step in steps}
    for step in steps:
        for source, number in step.links().values():
            used[source].add(outputs[source][number].name)
    return used


def _prompt(workflow: Workflow) -> dict[str, Any]:
    return {
        step.id: {
            "class_type": step.node.id,
            "inputs": {k: list(v) if isinstance(v, tuple) else v for k, v in step.inputs.items()},
        }
        for step in workflow.values()
    }
