"""Generator of help pages and locale files.

``python -m musubi_nodes.hosts.help web/docs locales``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from musubi_nodes.commands.option import Option, marker
from musubi_nodes.families.fields import ANY, NEWEST, FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.files import write_json, write_text
from musubi_nodes.hosts.examples import example_lines, plain
from musubi_nodes.hosts.locales import locale_files
from musubi_nodes.hosts.texts import CORE, ENGLISH, LANGUAGES, Texts, translations

KINDS = {
    "model": "a file of {}",
    "image": "an image of the input folder",
    "video": "a video of the input folder",
    "install": "a configured install",
    "run": f"`{NEWEST}`, or a training run",
    "family": f"`{ANY}`, or a model family",
}
BREAK = "  \n  "
PAGE_TEXTS = "js/monitor/japanese.js"
"""Beside the folder of the pages."""


def help_page(node: type[Node], texts: Texts | None = None) -> str:
    return _Page(node, texts or Texts(ENGLISH, [node])).text()


def page_name(node: type[Node], language: str) -> str:
    """Return its path below ``docs/`` (fetchCustomNodeHelp, frontend 1.27.10)."""
    return f"{node.id}.md" if language == ENGLISH else f"{node.id}/{language}.md"


def write_all(nodes: Sequence[type[Node]], pages: Path, locales: Path) -> set[tuple[str, str]]:
    """Write all pages and locale files; return untranslated sentences."""
    missing: set[tuple[str, str]] = set()
    for language in LANGUAGES:
        texts = Texts(language, nodes)
        for node in nodes:
            write_text(pages / page_name(node, language), help_page(node, texts))
        for name, content in locale_files(nodes, texts).items():
            write_json(locales / language / name, content)
        missing |= texts.missing
    return missing


def page_texts() -> str:
    """Return the module with the Japanese of what web/js shows."""
    texts = json.dumps(translations(CORE, "ja")["page"], ensure_ascii=False, indent=2)
    written = "Written by musubi_nodes.hosts.help from [page] of the core's locales/ja.toml."
    return f"// {written}\nexport const JAPANESE = {texts};\n"


class _Page:
    def __init__(self, node: type[Node], texts: Texts) -> None:
        self.node, self.texts = node, texts
        self.translate = texts.of()

    def own(self, sentence: str) -> str:
        return plain(self.texts.of(self.node)(sentence))

    def text(self) -> str:
        node, specs = self.node, self.node.fields()
        lines = [f"# {self.own(node.title)}", "", self.own(node.description()), ""]
        if script := getattr(node, "script", ""):
            lines += [self.translate("Runs `{script}` of musubi-tuner.").format(script=script), ""]
        widgets = [spec for spec in specs if spec.kind != "socket"]
        lines += example_lines(node, self.texts)
        lines += self.section("Inputs", (self.socket(spec) for spec in specs if spec.kind == "socket"))
        lines += self.section("Settings", (self.widget(spec) for spec in widgets if not spec.widget.advanced))
        lines += self.section("Advanced settings", (self.widget(spec) for spec in widgets if spec.widget.advanced))
        lines += self.section("Outputs", map(self.socket, node.outputs()))
        return "\n".join(lines).rstrip() + "\n"

    def section(self, title: str, items: Iterable[str]) -> list[str]:
        """Render a list: the help pane is too narrow for a table."""
        body = list(items)
        return [f"## {self.translate(title)}", "", *body, ""] if body else []

    def socket(self, spec: FieldSpec) -> str:
        label = self.texts.label(self.node, spec.name)
        needed = "" if spec.required else self.translate(" (optional)")
        name = "" if label == spec.name else f" `{spec.name}`"
        return f"- **{label}**{needed}{name} `{spec.wire}`{BREAK}{self.own(spec.description)}"

    def widget(self, spec: FieldSpec) -> str:
        option = marker(self.node.Inputs.model_fields[spec.name], Option)
        sent = f" `--{option.name or spec.name}`" if option else ""
        values = self.translate("Values: {}.").format(self.values(spec))
        files = ", ".join(f"[{file.name}]({file.url})" for file in spec.downloads)
        known = BREAK + self.translate("On Hugging Face: {files}.").format(files=files) if files else ""
        return f"- **{spec.name}**{BREAK}{self.own(spec.description)}{BREAK}{values}{sent}{known}"

    def values(self, spec: FieldSpec) -> str:
        first = spec.to_widget(spec.default)
        if spec.kind == "choice":
            values = ", ".join(f"`{choice}`" for choice in spec.choices)
            return self.translate("{values}; default `{first}`").format(values=values, first=first)
        if spec.kind in ("int", "float"):
            low, high, first = (_number(number) for number in (spec.minimum, spec.maximum, first))
            return self.translate("{low} to {high}; default {first}").format(low=low, high=high, first=first)
        if spec.kind == "bool":
            return self.translate("on or off; default on" if spec.default else "on or off; default off")
        return self.translate(KINDS.get(spec.input_kind or spec.kind, "text")).format(spec.model_kind)


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    from musubi_nodes.plugins.manager import plugins

    write_text(Path(sys.argv[1]).parent / PAGE_TEXTS, page_texts())
    for package, sentence in sorted(write_all(plugins().nodes, Path(sys.argv[1]), Path(sys.argv[2]))):
        print(f"{package}/locales has no translation: {sentence}", file=sys.stderr)
