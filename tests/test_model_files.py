"""The files that families offer for download: in the examples, in the READMEs, and as ComfyUI's page takes them."""

from __future__ import annotations

import json
import re
from pathlib import PurePath

import pytest
from tools import canvas, readmes

from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.hosts.texts import package_of
from musubi_nodes.plugins.manager import plugins

MODELS = [node for node in plugins().nodes if any(spec.downloads for spec in node.fields())]
FIELDS = [spec for node in MODELS for spec in node.fields() if spec.downloads]
URL = re.compile(r"https://huggingface\.co/[\w.-]+/[\w.-]+/resolve/main/[\w./-]+")
OFFERED = {".safetensors", ".sft", ".ckpt", ".pth", ".pt"}
"""Endings that the page downloads (missingModelDownload.ts, frontend 1.49.6)."""
EXAMPLES = sorted(canvas.LAYOUTS["workflows"])


@pytest.mark.parametrize("spec", FIELDS, ids=lambda spec: f"{spec.model_kind}-{spec.name}")
def test_a_file_is_one_that_the_page_downloads_and_the_field_takes(spec: FieldSpec) -> None:
    for file in spec.downloads:
        assert URL.fullmatch(file.url) and file.url.endswith(f"/{file.name}")
        assert PurePath(file.name).suffix in (OFFERED if spec.pickled else {".safetensors"})


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_offers_every_model_that_it_names(name: str) -> None:
    drawn = json.loads((canvas.EXAMPLES / f"{name}.json").read_text("utf-8"))
    for node in drawn["nodes"]:
        named = {str(value) for value in node.get("widgets_values", ()) if PurePath(str(value)).suffix in OFFERED}
        offered = {model["name"] for model in node["properties"].get("models", ())}
        assert offered == {value for value in named if not value.startswith("musubi/")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_offers_the_nodes_own_file_where_others_have_one_of_that_name(name: str) -> None:
    own = {node.id: {file.name: file.url for spec in node.fields() for file in spec.downloads} for node in MODELS}
    for node in json.loads((canvas.EXAMPLES / f"{name}.json").read_text("utf-8"))["nodes"]:
        for model in node["properties"].get("models", ()):
            assert model["url"] == own.get(node["type"], {}).get(model["name"], model["url"])


def test_the_readmes_tables_have_not_drifted() -> None:
    made = dict(readmes.readmes())
    assert {file.parent.name for file in made} == {package_of(node).removeprefix("musubi_nodes_") for node in MODELS}
    assert all(file.read_text("utf-8") == text for file, text in made.items()), "run: python -m tools.readmes"
