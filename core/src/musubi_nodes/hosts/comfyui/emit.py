"""Declared nodes as V1 classes of ComfyUI."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from musubi_nodes.budget import Interruptible, limited_by
from musubi_nodes.errors import MusubiError, Unresolved
from musubi_nodes.families.context import Context, Services
from musubi_nodes.families.fields import ANY, DEFAULT, NEWEST, NONE, FieldSpec
from musubi_nodes.families.input_files import input_names
from musubi_nodes.families.input_state import input_files_of, input_state
from musubi_nodes.families.models.files import install_model_names
from musubi_nodes.families.node import Node, run_node
from musubi_nodes.families.preflight import preflight, used_outputs
from musubi_nodes.families.resolved_inputs import upstream_values
from musubi_nodes.hosts.comfyui import queued
from musubi_nodes.hosts.comfyui.classes import Answer, Facts
from musubi_nodes.hosts.comfyui.language import in_the_users_language
from musubi_nodes.hosts.comfyui.output_tracker import stamps
from musubi_nodes.hosts.comfyui.promptly import Lists
from musubi_nodes.runs.record.folder import trainings

if TYPE_CHECKING:
    from musubi_nodes.hosts.comfyui.host import ComfyHost
    from musubi_nodes.plugins.manager import Plugins

MOST_RUNS = 100
SMALL_STEPS = (0.001, 0.0001, 0.00001, 0.000001)
HIDDEN = {"musubi_node_id": "UNIQUE_ID", "musubi_workflow": "PROMPT", "musubi_extra": "EXTRA_PNGINFO"}
"""Hidden inputs; an input of the same name would hide one."""


def describe(node: type[Node]) -> Facts:
    """Return what ComfyUI reads of the node's class at startup."""
    outputs = node.outputs()
    return {
        "id": node.id,
        "title": node.title,
        "name": node.__name__,
        "__doc__": node.__doc__,
        "RETURN_TYPES": [spec.wire for spec in outputs],
        "RETURN_NAMES": [spec.name for spec in outputs],
        "OUTPUT_IS_LIST": [spec.listed for spec in outputs],
        "OUTPUT_TOOLTIPS": [spec.description for spec in outputs],
        "CATEGORY": node.category,
        "DESCRIPTION": node.description(),
        # English titles for other languages; read by frontend 1.58.1, not by 1.27.10
        "SEARCH_ALIASES": [node.title, *filter(None, [getattr(node, "script", "")]), *node.search],
        "OUTPUT_NODE": node.output_node,
    }


def answer(node: type[Node], plugins: Plugins, name: str) -> Answer:
    """Return an entry point of the node, with translated errors."""
    functions: dict[str, Any] = {f.__name__: f for f in (input_types, validate, changed, execute)}
    return in_the_users_language(node)(partial(functions[name], node, plugins))


def input_types(node: type[Node], plugins: Plugins) -> dict[str, Any]:
    """Build INPUT_TYPES: only needed sockets are required.

    Frontend 1.27.10 gives only a required combo its upload button (Comfy.UploadImage).
    """
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for spec in node.fields():
        target = required if spec.kind in ("socket", "input") and spec.required else optional
        target[spec.name] = _input(spec, plugins)
    return {"required": required, "optional": optional, "hidden": dict(HIDDEN)}


def _input(spec: FieldSpec, plugins: Plugins) -> tuple[Any, dict[str, Any]]:
    options: dict[str, Any] = {"tooltip": spec.description}
    if spec.widget.advanced:
        options["advanced"] = True
    if spec.kind == "socket":
        return spec.socket, options
    if spec.kind in ("choice", "model", "input", "install", "family", "run"):
        choices = _choices(spec, plugins)
        if spec.kind == "input":
            options[f"{spec.input_kind}_upload"] = True
        default = spec.to_widget(spec.default)
        return choices, options | ({"default": default} if default in choices else {})
    if not spec.required:
        options["default"] = spec.to_widget(spec.default)
    if spec.kind in ("int", "float"):
        options |= {"min": spec.minimum, "max": spec.maximum, "step": _step(spec)}
        if spec.kind == "float":
            options["round"] = False
        if spec.kind == "int":
            # also False: by default each INT called "seed" has the control (frontend 1.27.10)
            options["control_after_generate"] = spec.widget.seed
    if spec.kind == "string":
        options["multiline"] = spec.widget.multiline
    return spec.wire, options


def _step(spec: FieldSpec) -> float:
    """Return 0.01, or a smaller step for a small default.

    The page rounds typed numbers to the digits of the step (onFloatValueChange, frontend 1.27.10).
    """
    if spec.widget.step or spec.kind == "int":
        return spec.widget.step or 1
    scale = abs(spec.default or 1)
    return 0.01 if scale >= 0.1 else next((step for step in SMALL_STEPS if step * 100 <= scale), SMALL_STEPS[-1])


def _choices(spec: FieldSpec, plugins: Plugins) -> list[str]:
    if spec.kind == "choice":
        return list(spec.choices)
    if spec.kind == "install":
        return [DEFAULT, *plugins.installs()]
    if spec.kind in ("input", "run", "model"):
        name = (spec.kind, spec.input_kind, spec.model_kind)
        return [*_first(spec), *_LISTS.get(name, lambda: _listed(spec, plugins), [])]
    if spec.kind == "family":
        return [ANY, *(family.key for family in plugins.families)]
    raise AssertionError(spec.kind)


_LISTS = Lists[list[str]]()


def _first(spec: FieldSpec) -> list[str]:
    if spec.kind == "run":
        return [NEWEST]
    return [NONE] if spec.kind == "model" and spec.optional else []


def _listed(spec: FieldSpec, plugins: Services) -> list[str]:
    if spec.kind == "input":
        return input_names(_host().input_folder(), spec.input_kind)
    if spec.kind == "run":
        return [run.path.name for run in islice(trainings(_host().output_folder), MOST_RUNS)]
    return [*_host().model_names(spec.model_kind), *install_model_names(_install(plugins), spec.model_kind)]


def _install(plugins: Services) -> Any:
    try:
        return plugins.install()
    except MusubiError:
        return None  # the node reports it when it runs


def validate(node: type[Node], plugins: Plugins, values: dict[str, Any]) -> bool:
    """Check all widget values before the queue runs.

    Raises, because a returned text is shown once per input (execution.py, 0.3.64).
    Accepting ``**values`` disables ComfyUI's own checks; :meth:`Node.parse` does them.
    """
    linked = {spec.name for spec in node.fields() if spec.name in values and values[spec.name] is None}
    context, unique_id = Context(_host(), plugins), str(values.get("musubi_node_id", ""))
    with suppress(Unresolved):  # out of time: the node checks again when it runs
        known = upstream_values(node, unique_id, queued.workflow(), plugins.nodes, context)
        preflight(node, widget_values(node, values), linked, context, known)
    return True


def widget_values(node: type[Node], values: dict[str, Any]) -> dict[str, Any]:
    """Return values of widgets; linked ones are still ``None``."""
    widgets = {spec.name for spec in node.fields() if spec.kind != "socket"}
    return {name: value for name, value in values.items() if name in widgets and value is not None}


def changed(node: type[Node], plugins: Services, values: dict[str, Any]) -> str:
    """Return IS_CHANGED; errors are left to the node's execution."""
    if node.always_runs:
        return uuid4().hex
    host, unique_id = _host(), str(values.get("musubi_node_id", ""))
    used = used_outputs(node, unique_id, host.running_workflow()) if node.lazy_outputs else None
    made = node.lazy_outputs if used is None else node.lazy_outputs & used
    known = f"{host.outputs.generation(unique_id)}{' '.join(sorted(made))}"
    context = Context(host, plugins, unique_id)
    try:
        with limited_by(Interruptible(host.raise_if_cancelling)):
            widgets = widget_values(node, values)
            known += input_state(node, _unlinked(node, values, widgets), context)
            inputs = node.parse(widgets, partly=True)
            return known + (node().changed(inputs, context) if inputs is not None else "")
    except MusubiError as error:
        return known + str(error)


def _unlinked(node: type[Node], values: dict[str, Any], widgets: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.known(widgets).items() if name in widgets or name not in values}


def execute(node: type[Node], plugins: Services, values: dict[str, Any]) -> Any:
    from musubi_nodes.hosts.comfyui import media

    unique_id = str(values.pop("musubi_node_id", ""))
    prompt, extra = values.pop("musubi_workflow", None), values.pop("musubi_extra", None)
    host = _host()
    # not PROMPT, which IS_CHANGED does not get (0.3.64)
    used = used_outputs(node, unique_id, host.running_workflow())
    context = Context(host, plugins, unique_id, used, host.metadata(prompt, extra), host.queued(extra))
    sockets = {spec.name: spec.socket for spec in node.fields() if spec.kind == "socket"}
    given = {name: media.from_comfyui(sockets.get(name, ""), value) for name, value in values.items()}
    try:
        with limited_by(Interruptible(context.raise_if_interrupted)):
            inputs = node.parse(given)
            read = stamps(input_files_of(node, inputs, context)) if inputs is not None else {}
            outputs = run_node(node, inputs, context)
    except BaseException as error:
        host.tell(unique_id, _ending(error))
        raise
    host.outputs.record(unique_id, context, read)
    result = tuple(_to_comfyui(spec, getattr(outputs, spec.name)) for spec in node.outputs())
    ui = host.ui(context)
    return {"ui": ui, "result": result} if ui else result


def _to_comfyui(spec: FieldSpec, value: Any) -> Any:
    from musubi_nodes.hosts.comfyui import media

    return (
        [media.to_comfyui(spec.socket, each) for each in value] if spec.listed else media.to_comfyui(spec.socket, value)
    )


def _ending(error: BaseException) -> str:
    if isinstance(error, MusubiError):
        return error.what
    interrupted = not isinstance(error, Exception) or type(error).__name__ == "InterruptProcessingException"
    return "cancelled" if interrupted else f"{type(error).__name__}: {error}"


def _host() -> ComfyHost:
    from musubi_nodes.hosts.comfyui.host import comfy_host

    return comfy_host()
