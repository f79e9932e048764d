"""Contract tests: script parsers accept each argument list of a node.

In a plugin's tests::

    @pytest.mark.parametrize("node", NODES, ids=lambda node: node.id)
    def test_its_script_accepts_each_option(node):
        check_all([node])
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from musubi_nodes.commands.option_owners import IMPORTABLE, RUNNER, SECRET, refusal
from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.commands.tables import RELEASES, Table, table
from musubi_nodes.errors import MusubiError, NotPossible
from musubi_nodes.families.generating.media_files import media_fields
from musubi_nodes.families.node import Node
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.tool import ToolNode
from musubi_nodes.runs.install import Install
from musubi_nodes.testing.fill import build, default_value, filled, has_widgets, one_by_one, socket_classes, try_build
from musubi_nodes.testing.parsers import parser_for
from musubi_nodes.testing.written import SAMPLED, write, written_cases

NEWEST = RELEASES[-1]

RUNNER_OPTIONS: dict[str, Any] = {
    "dataset_config": "/run/dataset.toml",
    "keep_cache": True,
    "output_dir": "/run/out",
    "output_name": "my_lora",
    "logging_dir": "/run/logs",
    "network_module": "networks.lora",
    "optimizer_type": "AdamW",
    "sample_prompts": "/run/prompts.json",
    "resume": "/run/out/my_lora-state",
    "save_path": "/run/out",
    "latent_path": ["/run/out/a_latent.safetensors"],
    "image_path": "/run/image.png",
    "input": "/loras/a.safetensors",
    "output": "/run/out/a_other.safetensors",
    "target": "other",
    "path": ["/run/out/a-000001.safetensors", "/run/out/a.safetensors"],
    "output_file": "/run/out/ema.safetensors",
    "save_merged_model": "/run/out/merged.safetensors",
}

TOOLS: dict[str, dict[str, Any]] = {
    "merge_lora.py": {"dit": "/models/dit.safetensors", "lora_weight": ["/loras/a.safetensors"]},
}


UNSUPPORTED = {"--attn_mode=sdpa": "parsers take it, but modules/attention.py does not (v0.3.4): send torch"}
"""Words that a parser accepts and its script does not."""


@dataclass(frozen=True)
class Case:
    """A node with inputs; ``label`` names the changed ones."""

    node: type[ScriptNode]
    label: str
    inputs: Any

    def __str__(self) -> str:
        return f"{self.node.id}-{self.label}"

    def words(self, known: Table | None = None, version: str = NEWEST) -> list[str]:
        """Return the argument list for ``known`` options, or for ``version``."""
        known = options_of(self.node.script, version) if known is None else known
        inputs, files = write(self.node, self.inputs)
        return self.node().planned(inputs, known, version).argv(runner_options(self.node, known) | files)

    def check(self, known: Table | None = None, version: str = NEWEST) -> None:
        """Assert that the parser accepts it or the declaration refuses it."""
        try:
            words = self.words(known, version)
        except NotPossible:
            return
        script = self.node.script
        (parser_of(script, version) if known is None else parser_for(known, script)).parse_args(words)
        for word, why in UNSUPPORTED.items():
            assert word not in words, f"{word}: {why}"


@cache
def parser_of(script: str, version: str = NEWEST) -> ArgumentParser:
    return parser_for(options_of(script, version), script)


def cases(nodes: Iterable[type[Node]]) -> list[Case]:
    """Return cases with defaults, and with each input changed once."""
    scripts = [node for node in nodes if issubclass(node, ScriptNode)]
    found = [
        Case(node, *made) for node in scripts for made in (*_variants(node), *_together(node), *written_cases(node))
    ]
    return [case for case in found if case.inputs is not None]


def check_all(nodes: Iterable[type[Node]]) -> None:
    """Check all :func:`cases`; the AssertionError names each that fails."""
    wrong = {}
    for case in cases(nodes):
        try:
            case.check()
        except Exception as error:
            wrong[str(case)] = f"{error!r:.500}"
    assert not wrong, "\n".join(f"{case}: {error}" for case, error in wrong.items())


def options_of(script: str, version: str = NEWEST, install: Install | None = None) -> Table:
    """Return a script's options, from ``install`` or a stored table."""
    known = parser_options(install, script) if install else table(script, version)
    if known is None:
        raise MusubiError(
            "script-missing",
            f"{script} is not in musubi-tuner {version}",
            fix="Give the install that has it: options_of(install=...).",
        )
    return known


def runner_options(node: type[ScriptNode], known: Table) -> dict[str, Any]:
    set_by_runner = {name: value for name, value in RUNNER_OPTIONS.items() if name in known}
    return _required_by(node, known) | set_by_runner | _media_options(node) | TOOLS.get(node.script, {})


def _required_by(node: type[ScriptNode], known: Table) -> dict[str, Any]:
    """Return a tool's required options: it has no models, so its run sends them."""
    needed = known.values() if issubclass(node, ToolNode) else ()
    return {spec.name: ["/run/file"] if spec.is_list else "/run/file" for spec in needed if spec.required}


def unreachable(node: type[ScriptNode], known: Table | None = None) -> set[str]:
    """Return options of the script that nobody can set, and no reason is declared."""
    known = options_of(node.script) if known is None else known
    sent = RUNNER_OPTIONS.keys() | _media_options(node).keys() | TOOLS.get(node.script, {}).keys()
    for case in cases([node]):
        sent |= {word.split("=")[0].lstrip("-") for word in _words_or_none(case, known) if word.startswith("--")}
    by_extra = {name for name, spec in known.items() if not refusal(spec)}
    by_server = RUNNER | SECRET | IMPORTABLE | {n for n in known if "uploads" in refusal(known[n])}
    return set(known) - sent - by_extra - by_server - node.refused_options.keys()


def _media_options(node: type[ScriptNode]) -> dict[str, Any]:
    """Return the options of pictures and videos, except samples."""
    marks = [mark for _, mark in media_fields(node.Inputs)]
    return {mark.option: ["/run/a.png"] if getattr(mark, "several", False) else "/run/a.png" for mark in marks}


def set_twice(node: type[ScriptNode], known: Table | None = None) -> set[str]:
    known = options_of(node.script) if known is None else known
    sent = [argument.name for argument in node().arguments(build(node.Inputs), known, NEWEST)]
    return {name for name in sent if sent.count(name) > 1}


def _words_or_none(case: Case, known: Table) -> list[str]:
    try:
        return case.words(known)
    except MusubiError:
        return []


def _variants(node: type[ScriptNode]) -> Iterator[tuple[str, Any]]:
    yield "defaults", build(node.Inputs)
    yield from one_by_one(node.Inputs)
    for name, kind in socket_classes(node.Inputs).items():
        yield name, build(node.Inputs, default_value, **{name: filled(kind)})
        for label, value in one_by_one(kind) if has_widgets(kind) else ():
            yield f"{name}.{label}", build(node.Inputs, default_value, **{name: value})


def _together(node: type[ScriptNode]) -> Iterator[tuple[str, Any]]:
    sockets = socket_classes(node.Inputs)
    models = [value for _, value in one_by_one(sockets["models"])] if "models" in sockets else []
    for number, value in enumerate(models):
        if "sampling" in sockets:
            yield f"samples-{number}", try_build(node.Inputs, {}, models=value, sampling=SAMPLED)
        if "lora" in sockets:
            yield f"lora-{number}", try_build(node.Inputs, {}, models=value, lora=filled(sockets["lora"]))
