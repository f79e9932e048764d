"""Help pages out of the declarations, so that no input is missing: ``python -m musubi_nodes.hosts.help web/docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from musubi_nodes.commands.option import Option, marker
from musubi_nodes.families.fields import ANY, FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.files import write_text

KINDS = {
    "model": "a file of {}",
    "input": "a {} of the input folder",
    "install": "a configured install",
    "family": f"`{ANY}`, or a model family",
}


def help_page(node: type[Node]) -> str:
    """The node's page in Markdown."""
    lines = [f"# {node.title}", "", node.description(), ""]
    if script := getattr(node, "script", ""):
        lines += [f"Runs `{script}` of musubi-tuner.", ""]
    specs = node.fields()
    sockets = [spec for spec in specs if spec.kind == "socket"]
    widgets = [spec for spec in specs if spec.kind != "socket"]
    lines += _table("Inputs", ("input", "type", "meaning"), (_socket(spec) for spec in sockets))
    lines += _table("Settings", ("setting", "values", "meaning"), (_widget(node, spec) for spec in widgets))
    lines += _table("Outputs", ("output", "type", "meaning"), (_socket(spec) for spec in node.outputs()))
    return "\n".join(lines).rstrip() + "\n"


def write_pages(nodes: Iterable[type[Node]], folder: Path) -> list[Path]:
    """One ``<NodeId>.md`` for each node."""
    return [write_text(folder / f"{node.id}.md", help_page(node)) for node in nodes]


def _table(title: str, heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    body = [f"| {' | '.join(_cell(text) for text in row)} |" for row in rows]
    if not body:
        return []
    return [f"## {title}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *body, ""]


def _socket(spec: FieldSpec) -> tuple[str, ...]:
    needed = "" if spec.required else " (optional)"
    return f"{spec.name}{needed}", f"`{spec.wire}`", spec.description


def _widget(node: type[Node], spec: FieldSpec) -> tuple[str, ...]:
    field = node.Inputs.model_fields[spec.name]
    option = marker(field, Option)
    sent = f" Sent as `--{option.name or spec.name}`." if option else ""
    more = " Shown under advanced." if spec.widget.advanced else ""
    return f"`{spec.name}`", _values(spec), f"{spec.description}{sent}{more}"


def _values(spec: FieldSpec) -> str:
    if spec.kind == "choice":
        return ", ".join(f"`{choice}`" for choice in spec.choices) + f"; at first `{spec.to_widget(spec.default)}`"
    if spec.kind in ("int", "float"):
        return f"{spec.minimum:g} to {spec.maximum:g}; at first {spec.to_widget(spec.default):g}"
    if spec.kind == "bool":
        return f"on or off; at first {'on' if spec.default else 'off'}"
    return KINDS.get(spec.kind, "text").format(spec.model_kind or spec.input_kind)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    from musubi_nodes.plugins.manager import plugins

    write_pages(plugins().nodes, Path(sys.argv[1]))
