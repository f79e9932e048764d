"""The committed help pages and locale files are those of the declarations and translations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.examples import example_of
from musubi_nodes.hosts.help import help_page, page_name
from musubi_nodes.hosts.locales import SETTINGS, locale_files
from musubi_nodes.hosts.texts import LANGUAGES, Texts
from musubi_nodes.plugins.manager import plugins

ROOT = Path(__file__).resolve().parents[1]
PAGES, LOCALES = ROOT / "web" / "docs", ROOT / "locales"
NODES = plugins().nodes
FOREIGN = {
    "LoadImage.IMAGE": "IMAGE",
    "PreviewImage.images": "IMAGE",
    "PreviewAny.source": "STRING",
    "SaveVideo.video": "VIDEO",
}
"""Slots of ComfyUI's own nodes (0.3.64)."""
RUN = "run: python -m musubi_nodes.hosts.help web/docs locales"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_a_help_page_names_every_input_and_output_and_has_not_drifted(node: type[Node], language: str) -> None:
    page = help_page(node, Texts(language, NODES))
    assert all(spec.name in page and spec.description for spec in (*node.fields(), *node.outputs()))
    assert (PAGES / page_name(node, language)).read_text("utf-8") == page, RUN


def test_markdown_does_not_take_a_product_for_emphasis() -> None:
    (node,) = [node for node in NODES if node.id == "MusubiTuner_VideoInput"]
    assert "Wan and HunyuanVideo N\\*4+1, FramePack N\\*36+1" in help_page(node)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_locale_files_have_not_drifted(language: str) -> None:
    made = locale_files(NODES, Texts(language, NODES))
    assert {path.name for path in (LOCALES / language).iterdir()} == made.keys()
    for name, content in made.items():
        assert json.loads((LOCALES / language / name).read_text("utf-8")) == content, RUN


def test_the_page_has_the_settings_that_are_translated() -> None:
    script = (ROOT / "web" / "js" / "notify.js").read_text("utf-8")
    assert all(text in script for texts in SETTINGS.values() for text in texts)


def test_no_page_is_left_of_a_node_that_is_gone() -> None:
    made = {page_name(node, language) for node in NODES for language in LANGUAGES}
    assert {path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md")} == made


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
def test_each_node_has_an_example_that_fits_its_declaration(node: type[Node]) -> None:
    example = example_of(node)
    assert example
    inputs, outputs = by_name(node.fields()), by_name(node.outputs())
    for name, end in example.takes.items():
        assert end_of(end, "outputs") in inputs[name].wire.split(",")
    for name, end in example.gives.items():
        assert outputs[name].wire in end_of(end, "fields").split(",")
    node.parse({name: inputs[name].to_widget(value) for name, value in example.values.items()}, partly=True)
    needed = {name for name, spec in inputs.items() if spec.required}
    assert needed <= example.takes.keys() | example.values.keys()


def by_name(specs: Iterable[FieldSpec]) -> dict[str, FieldSpec]:
    return {spec.name: spec for spec in specs}


def end_of(end: str, slots: str) -> str:
    """The type of ``<node id>.<slot>``."""
    id, _, name = end.rpartition(".")
    if end in FOREIGN:
        return FOREIGN[end]
    (node,) = [node for node in NODES if node.id == id]
    return by_name(getattr(node, slots)())[name].wire
