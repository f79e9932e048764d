"""The contract with musubi-tuner: every argument list that a node can build is accepted by the script's own parser.

Checked against the table of each kept release: the newest accepts everything; older ones accept it, or it is refused
before the run with a message that names option and version.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musubi_nodes.commands.argv import argv
from musubi_nodes.commands.ownership import IMPORTABLE, RUNNER, SECRET, refusal
from musubi_nodes.commands.tables import RELEASES, Table, table
from musubi_nodes.config import Config
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.fields import FieldSpec, fields_of
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Sampling
from musubi_nodes.plugins.discovery import checkout, find_plugins
from musubi_nodes.plugins.manager import Plugins
from musubi_nodes.testing.fill import (
    build,
    default_value,
    filled,
    has_widgets,
    one_by_one,
    other_values,
    socket_classes,
    try_build,
)
from musubi_nodes.testing.parsers import parser_for

NEWEST = RELEASES[-1]

OWNED = {
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
    "end_image_path": "/run/end.png",
    "control_path": "/run/control.mp4",
    "control_image_path": ["/run/control-0.png"],
    "control_image_mask_path": ["/run/mask-0.png"],
    "input": "/loras/a.safetensors",
    "output": "/run/out/a_other.safetensors",
    "target": "other",
    "path": ["/run/out/a-000001.safetensors", "/run/out/a.safetensors"],
    "output_file": "/run/out/ema.safetensors",
    "save_merged_model": "/run/out/merged.safetensors",
}
"""What the runner and the media inputs set, as far as a script has it."""

NOT_OFFERED = {
    "ckpt_dir": "the model files are chosen one by one",
    "video_path": "the script parses it and never reads it",
    "log_tracker_config": "a file of the server; trackers are the server's own configuration",
    "latent_path": "comes over the latent socket",
}


@cache
def script_nodes() -> list[type[ScriptNode]]:
    nodes = Plugins(Config(), find_plugins(checkout())).nodes
    return [node for node in nodes if issubclass(node, ScriptNode)]


TOOLS = {"merge_lora.py": {"dit": "/models/dit.safetensors", "lora_weight": ["/loras/a.safetensors"]}}
"""What tool nodes set themselves because they have no models socket."""


def owned(node: type[ScriptNode], known: Table) -> dict[str, Any]:
    return {name: value for name, value in OWNED.items() if name in known} | TOOLS.get(node.script, {})


def words(node: type[ScriptNode], inputs: Any, release: str) -> list[str]:
    """The argument list for the script of ``release``, or the refusal."""
    known = table(node.script, release)
    if known is None:
        raise MusubiError(f"{node.script} is not in {release}")
    arguments, _ = node().command_line(inputs, known, release, owned(node, known))
    return arguments


def accept(node: type[ScriptNode], inputs: Any, release: str = NEWEST) -> None:
    parser_for(table(node.script, release) or {}, node.script).parse_args(words(node, inputs, release))


def variants(node: type[ScriptNode]) -> Iterator[tuple[str, Any]]:
    """The defaults, each own field changed, and each field of each settings and models socket changed."""
    yield "defaults", build(node.Inputs)
    yield from one_by_one(node.Inputs)
    for name, kind in socket_classes(node.Inputs).items():
        yield name, build(node.Inputs, **{name: filled(kind)})
        for label, value in one_by_one(kind) if has_widgets(kind) else ():
            yield f"{name}.{label}", build(node.Inputs, **{name: value})


def together(node: type[ScriptNode]) -> Iterator[tuple[str, Any]]:
    """Fields that only make sense together: samples with their prompts, both Wan 2.2 models with a LoRA."""
    sockets = socket_classes(node.Inputs)
    models = [value for _, value in one_by_one(sockets["models"])] if "models" in sockets else []
    samples = Sampling(sample_prompts="a cat", sample_every_n_epochs=1, sample_at_first=True)
    for number, value in enumerate(models):
        if "sampling" in sockets:
            yield f"samples-{number}", try_build(node.Inputs, {}, models=value, sampling=samples)
        if "lora" in sockets:
            yield f"lora-{number}", try_build(node.Inputs, {}, models=value, lora=filled(sockets["lora"]))


CASES = [(node, label, inputs) for node in script_nodes() for label, inputs in (*variants(node), *together(node))]


def refused_by_declaration(error: MusubiError) -> bool:
    """Some values suit generators only, such as attention sage: the node says so."""
    return "is not possible in" in str(error) or "is set twice" in str(error)


@pytest.mark.parametrize(("node", "label", "inputs"), CASES, ids=[f"{n.id}-{label}" for n, label, _ in CASES])
def test_the_newest_parser_accepts_each_option(node: type[ScriptNode], label: str, inputs: Any) -> None:
    try:
        accept(node, inputs)
    except MusubiError as error:
        assert refused_by_declaration(error), error


@pytest.mark.parametrize("release", RELEASES[:-1])
def test_older_parsers_accept_each_option_or_it_is_refused_with_both_versions(release: str) -> None:
    accepted = refused = 0
    for node, label, inputs in CASES:
        if table(node.script, release) is None:
            continue
        try:
            accept(node, inputs, release)
            accepted += 1
        except MusubiError as error:
            refused += 1
            assert refused_by_declaration(error) or (release in str(error) and "--" in str(error)), (label, error)
    assert accepted > 20 and refused < accepted * 4


def choices(spec: FieldSpec) -> st.SearchStrategy[Any]:
    return st.sampled_from([default_value(spec), *other_values(spec)])


def any_inputs(node: type[ScriptNode]) -> st.SearchStrategy[Any]:
    """Random valid combinations of all fields of the node and its sockets."""

    @st.composite
    def draw(pick: Any) -> Any:
        fixed = {}
        for name, kind in socket_classes(node.Inputs).items():
            chosen = {s.name: pick(choices(s)) for s in _few(pick, kind)} if has_widgets(kind) else {}
            fixed[name] = try_build(kind, chosen) or filled(kind) if has_widgets(kind) else filled(kind)
        own = {s.name: pick(choices(s)) for s in _few(pick, node.Inputs)}
        return try_build(node.Inputs, own, **fixed) or build(node.Inputs, **fixed)

    return draw()


def _few(pick: Any, model: Any) -> list[FieldSpec]:
    specs = [spec for spec in fields_of(model) if spec.kind != "socket"]
    return pick(st.lists(st.sampled_from(specs), max_size=6, unique_by=lambda s: s.name)) if specs else []


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_newest_parser_accepts_random_combinations(data: st.DataObject) -> None:
    node = data.draw(st.sampled_from(script_nodes()))
    inputs = data.draw(any_inputs(node))
    try:
        accept(node, inputs)
    except MusubiError as error:
        assert refused_by_declaration(error), error


@pytest.mark.parametrize("node", script_nodes(), ids=lambda node: node.id)
def test_every_option_of_the_script_can_be_reached(node: type[ScriptNode]) -> None:
    known = table(node.script) or {}
    sent = set()
    for case, _, inputs in CASES:
        if case is node:
            sent |= {word.split("=")[0].lstrip("-") for word in _words_or_none(node, inputs) if word.startswith("--")}
    sent |= OWNED.keys() | TOOLS.get(node.script, {}).keys()
    by_extra = {name for name, spec in known.items() if not refusal(spec)}
    by_server = RUNNER | SECRET | IMPORTABLE | {n for n in known if "uploads" in refusal(known[n])}
    unreachable = known.keys() - sent - by_extra - by_server - NOT_OFFERED.keys()
    assert not unreachable


def _words_or_none(node: type[ScriptNode], inputs: Any) -> list[str]:
    try:
        return words(node, inputs, NEWEST)
    except MusubiError:
        return []


@pytest.mark.parametrize("node", script_nodes(), ids=lambda node: node.id)
def test_each_option_has_one_owner(node: type[ScriptNode]) -> None:
    known = table(node.script) or {}
    sent = [argument.name for argument in node().arguments(build(node.Inputs), known, NEWEST)]
    assert len(sent) == len(set(sent))


def test_an_option_that_no_field_knows_is_reached_as_extra_option() -> None:
    node = next(n for n in script_nodes() if n.id == "MusubiTuner_WanLoRATrainer")
    inputs = build(node.Inputs, lambda s: "loss_typo = 1" if s.name == "extra_options" else default_value(s))
    with pytest.raises(MusubiError, match="loss_typo"):
        words(node, inputs, NEWEST)
    known = {**(table(node.script) or {}), "brand_new": (table(node.script) or {})["seed"]}
    inputs = build(node.Inputs, lambda s: "brand_new = 3" if s.name == "extra_options" else default_value(s))
    arguments, sent = node().command_line(inputs, known, "9.9.9", owned(node, known))
    assert argv(sent, known) == arguments and "--brand_new=3" in arguments
