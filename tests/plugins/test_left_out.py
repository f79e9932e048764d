"""A plugin that does something wrong is left out whole, with one message; everything else works."""

from __future__ import annotations

import logging

import pytest

IMPORT = """
from typing import Annotated, Literal
from musubi_nodes import hookimpl
from musubi_nodes.families import *
from pydantic import Field

class Good(Node):
    "Does nothing."
    id, title, category = "Good", "Good", "Test"
    class Inputs(NodeInputs):
        pass
    class Outputs(NodeOutputs):
        pass
"""

REGISTER = """
@hookimpl
def musubi_register_nodes():
    return [Bad]
"""
FAMILY = """
BIRD = Family("bird", "Bird", "bird", "networks.lora_bird")
MODELS = "The models node."

class BirdModels(Models):
    socket = "MUSUBI_BIRD_MODELS"
    task: Annotated[Literal["fly", "sing"], Option()] = Field("fly", description="What it does.")
    dit: Annotated[str, ModelFile("diffusion_models"), Option()] = Field(description="The DiT.")
    vae: Annotated[str, ModelFile("vae"), Option()] = Field(description="The VAE.")
    note: str = Field("", description="Never sent.")

class Latents(Cache):
    socket = "MUSUBI_BIRD_LATENT_CACHE"

class Texts(Cache):
    socket = "MUSUBI_BIRD_TEXT_CACHE"

class Bird(ModelsNode):
    "Names the files."
    id, title = "Good", "Bird Models"
    models = BirdModels

class Latent(LatentCache):
    "Encodes pictures."
    id, title = "Bad", "Bird Latent Cache"
    family = BIRD
    script = "bird_cache_latents.py"
    cache = Latents
    class Inputs(LatentCacheInputs):
        models: Annotated[BirdModels, Takes("vae")] = Field(description=MODELS)
        depth: Annotated[int, Option("bird_depth")] = Field(3, ge=1, le=9, description="How deep.")
        tiling: Annotated[bool, Option()] = Field(False, description="In tiles.")

class Trainer(LoRATrainer):
    "Trains."
    id, title = "Trainer", "Bird LoRA Trainer"
    family, script = BIRD, "bird_train_network.py"
    sample_models = ("vae",)
    class Inputs(TrainerInputs):
        models: Annotated[BirdModels, Takes("dit")] = Field(description=MODELS)
        latent_cache: Latents = Field(description="The latents.")
        text_cache: Texts = Field(description="The texts.")

class Generator(VideoGenerator):
    "Generates."
    id, title = "Generator", "Bird Generator"
    family, script = BIRD, "bird_generate_video.py"
    class Inputs(GeneratorInputs):
        models: Annotated[BirdModels, Takes("dit", "vae", "task")] = Field(description=MODELS)

@hookimpl
def musubi_register_family():
    return BIRD

@hookimpl
def musubi_register_nodes():
    return [Bird, Latent, Trainer, Generator]
"""


def hook(name: str, answer: str, arguments: str = "") -> str:
    return f"{IMPORT}\n@hookimpl\ndef {name}({arguments}):\n    {answer}\n"


def inputs(field: str, base: str = "Good") -> str:
    body = f"'Does nothing.'\n    id = 'Bad'\n    class Inputs(NodeInputs):\n        {field}\n"
    return f"{IMPORT}\nclass Bad({base}):\n    {body}\n{REGISTER}"


def family(old: str, new: str) -> str:
    """A family's nodes, declared rightly but for one place."""
    assert FAMILY.count(old) == 1
    return f"{IMPORT}\n{FAMILY.replace(old, new)}"


WRONG = {
    "import": ("import there_is_no_such_package", "No module named 'there_is_no_such_package'"),
    "error": ("x = 1 / 0", "bad_plugin.py, line 1"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def (", "bad_plugin.py, line 1"),
    "no hook": ("x = 1", "no function is marked with @musubi_nodes.hookimpl"),
    "unmarked": (
        hook("musubi_register_nodes", "return []").replace("@hookimpl", ""),
        "musubi_register_nodes is not marked",
    ),
    "arguments": (
        hook("musubi_explain_error", "return None", "failure, family"),
        "musubi_explain_error takes family, but the hook is musubi_explain_error(failure)",
    ),
    "misspelt": (hook("musubi_registr_nodes", "return []"), "(did you mean 'musubi_register_nodes'?)"),
    "unknown": (hook("musubi_after_breakfast", "return []"), "there is no hook musubi_after_breakfast"),
    "raises": (hook("musubi_register_nodes", "return {}['x']"), "KeyError: 'x' ("),
    "raises late": (hook("musubi_register_nodes", "yield Good; raise OSError('gone')"), "OSError: gone"),
    "number": (hook("musubi_register_nodes", "return 3"), "musubi_register_nodes: 3 is no node class"),
    "text": (hook("musubi_register_nodes", "return 'Good'"), "'Good' is no node class"),
    "instance": (hook("musubi_register_nodes", "return [Good()]"), "is no node class"),
    "base": (hook("musubi_register_nodes", "return [Node]"), "the id of Node is None"),
    "no family": (hook("musubi_register_family", "return {'key': 'x'}"), "{'key': 'x'} is no Family"),
    "key": (hook("musubi_register_family", "return Family('a b', 'A', 'a', 'a')"), "the family's key is 'a b'"),
    "no install": (hook("musubi_provide_installs", "return ['/home/me']"), "'/home/me' is no Install"),
    "no executor": (hook("musubi_provide_executors", "return [object()]"), "is no Executor: it needs name and start"),
    "range": (inputs("steps: int = 3"), "node Bad: field steps: a number needs ge= and le="),
    "no widget": (inputs("steps: dict"), "node Bad: field steps"),
    "no inputs": (inputs("pass", "Node"), 'node Bad: title is missing or wrong: write title = "My Node"; category'),
    "twice": (hook("musubi_register_nodes", "return [Good, Good]"), "node id 'Good' is registered twice"),
}

DEPTH = 'depth: Annotated[int, Option("bird_depth")] = Field(3, ge=1, le=9, description="How deep.")'
NODE = "musubi_register_nodes: node "
DECLARED = {
    "docstring": (family('"Encodes pictures."', "pass"), "Bad: docstring is missing or wrong: write a docstring"),
    "title": (family('"Bad", "Bird Latent Cache"', '"Bad", ""'), 'Bad: title is missing or wrong: write title = "'),
    "family": (family("    family = BIRD\n", ""), "Bad: family is missing or wrong: write family = MY_FAMILY"),
    "family's key": (family("    family = BIRD\n", "    family = 'bird'\n"), "Bad: family is missing or wrong"),
    "script": (family('script = "bird_cache_latents.py"', "pass"), 'Bad: script is missing or wrong: write script = "'),
    "cache": (
        family("cache = Latents", "pass"),
        "Bad: cache is missing or wrong: write cache = MyCache, a subclass of Cache with a socket of its own$",
    ),
    "models": (
        family("models = BirdModels", "pass"),
        "Good: models is missing or wrong: write models = MyModels, a subclass of Models$",
    ),
    "several": (
        family('family, script = BIRD, "bird_generate_video.py"', "pass"),
        "Generator: family is missing or wrong: write family = MY_FAMILY, the plugin's Family; script is missing",
    ),
    "other inputs": (
        family("class Inputs(LatentCacheInputs)", "class Inputs(NodeInputs)"),
        "Bad: Inputs is missing or wrong: write class Inputs(LatentCacheInputs)",
    ),
    "no text cache": (
        family('text_cache: Texts = Field(description="The texts.")', "pass"),
        "Trainer: field text_cache is missing: declare it with the family's own type",
    ),
    "no socket type": (
        family('socket = "MUSUBI_BIRD_LATENT_CACHE"', "pass"),
        'Bad: field latent_cache: Latents has no socket type: write socket = "MUSUBI_..." in it',
    ),
    "range": (
        family(DEPTH, DEPTH.replace("ge=1, ", "")),
        "Bad: field depth: a number needs ge= and le=, they are the widget's range",
    ),
    "choices": (
        family(DEPTH, DEPTH.replace("int,", "Literal[1, 3],").replace("ge=1, le=9, ", "")),
        "Bad: field depth: the choices of a Literal must be texts",
    ),
    "no choices": (family(DEPTH, DEPTH.replace("int,", "list,")), "Bad: field depth: "),
    "default of a range": (
        family(DEPTH, DEPTH.replace("Field(3", "Field(30")),
        "Bad: field depth: its default 30 is not possible; it must lie in 1 to 9",
    ),
    "default of choices": (
        family('Field("fly"', 'Field("swim"'),
        "Good: field task: its default 'swim' is not possible; it must be one of fly, sing",
    ),
    "default none": (
        family(DEPTH, DEPTH.replace("Field(3", "Field(None")),
        "Bad: field depth: its default None is not possible; it must lie in 1 to 9",
    ),
    "description": (
        family(DEPTH, DEPTH.replace(', description="How deep."', "")),
        'Bad: field depth: it has no description: write Field(..., description="...")',
    ),
    "takes misspelt": (
        family('Takes("vae")', 'Takes("vea")'),
        "Bad: field models: BirdModels has no field 'vea' (did you mean 'vae'?)",
    ),
    "takes no option": (
        family('Takes("vae")', 'Takes("vae", "note")'),
        "Bad: field models: 'note' of BirdModels is no option: mark it there with Option()",
    ),
    "takes of no socket": (
        family(DEPTH, DEPTH.replace("Option", "Takes")),
        "Bad: field depth: Takes is for a socket whose fields are options",
    ),
    "samples": (
        family('sample_models = ("vae",)', 'sample_models = ("vae", "t5")'),
        "Trainer: sample_models: BirdModels has no field 't5'",
    ),
    "option twice": (
        family("tiling: Annotated[bool, Option()]", 'tiling: Annotated[bool, Option("bird_depth")]'),
        "Bad: the option --bird_depth has 2 owners, keep one: field depth, field tiling",
    ),
    "option taken as well": (
        family(DEPTH, DEPTH.replace("bird_depth", "vae")),
        "Bad: the option --vae has 2 owners, keep one: field depth, field models.vae",
    ),
}
WRONG |= {f"declared: {name}": (source, NODE + message) for name, (source, message) in DECLARED.items()}


def test_the_declarations_that_are_made_wrong_here_are_right_as_they_stand(place, told):
    place.install("bird", IMPORT + FAMILY)
    assert {"Good", "Bad", "Trainer", "Generator"} < {node.id for node in place.load().nodes}
    assert not told()


@pytest.mark.parametrize("case", WRONG)
def test_one_bad_plugin(place, node, told, case):
    source, message = WRONG[case]
    place.bundle("before", node("Before"))
    place.install("bad-plugin", source)
    place.install("zz-after", node("After"))
    found = place.load()
    assert list(found.loaded) == ["core", "before", "zz_after"]
    assert {"Before", "After"} < {node.id for node in found.nodes}
    assert not {"Bad", "Good"} & {node.id for node in found.nodes}
    (line,) = told()
    assert line.startswith("musubi-nodes: the plugin bad_plugin (bad-plugin) was left out: ")
    assert message in f"{line}$" and "\n" not in line
    assert list(found.failed) == ["bad_plugin (bad-plugin)"]


def test_a_plugin_that_is_left_out_is_asked_no_more(place, told):
    place.install("bad-plugin", hook("musubi_explain_error", "raise OSError", "failure") + "\nmusubi_x = print\n")
    found = place.load()
    assert len(told()) == len(found.failed) == 1
    assert len(found.explainers("wan")) == len(found.loaded) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[project", "plugins/broken"),
        ("x = 1", "it has no [project] with a name"),
        ("[project]\nversion = '1'", "it has no [project] with a name"),
        ("[project]\nname = 'b'\n[project.entry-points]\nmusubi_nodes = 'x'", "must hold lines like"),
        ("[project]\nname = 'b'\n[project.entry-points.musubi_nodes]\nx = 3", "must hold lines like"),
        (b"\xff\xfe\x00", "pyproject.toml is wrong"),
    ],
)
def test_a_broken_pyproject(place, node, told, content, message):
    place.bundle("good", node("Here"))
    file = place.bundle("broken", node("NotHere")) / "pyproject.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = place.load()
    assert list(found.loaded) == ["core", "good"]
    (line,) = told()
    assert "broken (plugins/broken)" in line and message in line and "pyproject.toml" in line


def test_a_folder_without_entry_points_or_pyproject_is_no_plugin(place, told):
    (place.checkout / "plugins" / "notes").mkdir(parents=True)
    (place.checkout / "plugins" / "library").mkdir()
    (place.checkout / "plugins" / "library" / "pyproject.toml").write_text("[project]\nname = 'library'", "utf-8")
    assert list(place.load().loaded) == ["core"]
    assert not told()


def test_a_pyproject_with_a_byte_order_mark_is_read(place, node):
    file = place.bundle("windows", node("Windows")) / "pyproject.toml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert "windows" in place.load().loaded


def test_the_traceback_is_there_for_who_asks(place, caplog):
    caplog.set_level(logging.DEBUG, "musubi_nodes")
    place.install("bad-plugin", "x = 1 / 0")
    place.load()
    (record,) = [r for r in caplog.records if r.exc_info]
    assert record.levelno == logging.DEBUG


def test_comfyui_gets_the_other_nodes(place, node, told, monkeypatch):
    from musubi_nodes.hosts import comfyui
    from musubi_nodes.plugins import manager

    place.install("bad-plugin", "x = 1 / 0")
    place.install("good-plugin", node("Good"))
    monkeypatch.setattr(manager, "plugins", place.load)
    classes, titles = comfyui.mappings()
    assert "Good" in classes and titles["Good"] == "Hello"
    assert len(told()) == 1
