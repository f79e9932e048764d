"""A plugin that does something wrong is left out whole, with one message; everything else works."""

from __future__ import annotations

import logging

import pytest

from musubi_nodes.testing.errors import codes

IMPORT = """
from typing import Annotated, Any, Literal
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

class BirdModels(Models):
    socket = "MUSUBI_BIRD_MODELS"
    task: Annotated[Literal["fly", "sing"], Option()] = Field("fly", description="What it does.")
    dit: Annotated[str, ModelFile("diffusion_models"), Option()] = Field(description="The DiT.")
    vae: Annotated[str, ModelFile("vae"), Option()] = Field(description="The VAE.")
    note: str = Field("", description="Never sent.")

class Bird(ModelsNode):
    "Names the files."
    id, title = "Good", "Bird Models"
    models = BirdModels

class Latent(LatentCache):
    "Encodes pictures."
    id, title = "Bad", "Bird Latent Cache"
    family = BIRD
    script = "wan_cache_latents.py"
    class Inputs(LatentCacheInputs):
        models: Annotated[BirdModels, ForwardOptions("vae")]
        depth: Annotated[int, Option("bird_depth")] = Field(3, ge=1, le=9, description="How deep.")
        tiling: Annotated[bool, Option()] = Field(False, description="In tiles.")

class Trainer(LoRATrainer):
    "Trains."
    id, title = "Trainer", "Bird LoRA Trainer"
    family, script = BIRD, "wan_train_network.py"
    sample_models = ("vae",)
    class Inputs(LoRATrainerInputs):
        models: Annotated[BirdModels, ForwardOptions("dit")]

class Generator(VideoGenerator):
    "Generates."
    id, title = "Generator", "Bird Generator"
    family, script = BIRD, "wan_generate_video.py"
    class Inputs(VideoGeneratorInputs):
        models: Annotated[BirdModels, ForwardOptions("dit", "vae", "task")]

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
    "import": ("import there_is_no_such_package", "plugin-broken", "there_is_no_such_package"),
    "error": ("x = 1 / 0", "plugin-broken", "bad_plugin.py, line 1"),
    "exit": ("raise SystemExit(3)", "plugin-broken", "SystemExit: 3"),
    "syntax": ("def (", "plugin-broken", "bad_plugin.py, line 1"),
    "no hook": ("x = 1", "hook-missing", "@musubi_nodes.hookimpl"),
    "unmarked": (
        hook("musubi_register_nodes", "return []").replace("@hookimpl", ""),
        "hook-unmarked",
        "musubi_register_nodes",
    ),
    "arguments": (
        hook("musubi_explain_error", "return None", "failure, family"),
        "hook-arguments-unknown",
        "musubi_explain_error(failure)",
    ),
    "misspelt": (hook("musubi_registr_nodes", "return []"), "hook-unknown", "'musubi_register_nodes'"),
    "unknown": (hook("musubi_after_breakfast", "return []"), "hook-unknown", "musubi_after_breakfast"),
    "raises": (hook("musubi_register_nodes", "return {}['x']"), "plugin-broken", "KeyError: 'x' ("),
    "raises late": (hook("musubi_register_nodes", "yield Good; raise OSError('gone')"), "plugin-broken", "gone"),
    "number": (hook("musubi_register_nodes", "return 3"), "answer-invalid", "3"),
    "text": (hook("musubi_register_nodes", "return 'Good'"), "answer-invalid", "'Good'"),
    "instance": (hook("musubi_register_nodes", "return [Good()]"), "answer-invalid", "Good object"),
    "base": (hook("musubi_register_nodes", "return [Node]"), "name-invalid", "Node"),
    "no family": (hook("musubi_register_family", "return {'key': 'x'}"), "answer-invalid", "{'key': 'x'}"),
    "key": (hook("musubi_register_family", "return Family('a b', 'A', 'a', 'a')"), "name-invalid", "'a b'"),
    "no install": (hook("musubi_provide_installs", "return ['/home/me']"), "answer-invalid", "'/home/me'"),
    "no executor": (hook("musubi_provide_executors", "return [object()]"), "answer-invalid", "start(spec)"),
    "range": (inputs("steps: int = 3"), "field-invalid", "steps", "ge="),
    "no widget": (inputs("steps: dict"), "field-invalid", "steps"),
    "no inputs": (inputs("pass", "Node"), "attribute-invalid", 'title = "My Node"', "category ="),
    "twice": (hook("musubi_register_nodes", "return [Good, Good]"), "name-twice", "'Good'"),
}

DEPTH = 'depth: Annotated[int, Option("bird_depth")] = Field(3, ge=1, le=9, description="How deep.")'
DECLARED = {
    "docstring": (family('"Encodes pictures."', "pass"), "attribute-invalid", "Bad", "docstring"),
    "title": (family('"Bad", "Bird Latent Cache"', '"Bad", ""'), "attribute-invalid", "Bad", 'title = "'),
    "family": (family("    family = BIRD\n", ""), "attribute-invalid", "Bad", "family = MY_FAMILY"),
    "family's key": (
        family("    family = BIRD\n", "    family = 'bird'\n"),
        "attribute-invalid",
        "Bad",
        "family = MY_FAMILY",
    ),
    "script": (family('script = "wan_cache_latents.py"', "pass"), "attribute-invalid", "Bad", 'script = "'),
    "models": (family("models = BirdModels", "pass"), "attribute-invalid", "Good", "models = MyModels"),
    "several": (
        family('family, script = BIRD, "wan_generate_video.py"', "pass"),
        "attribute-invalid",
        "Generator",
        "family = MY_FAMILY",
        "script = ",
    ),
    "other inputs": (
        family("class Inputs(LatentCacheInputs)", "class Inputs(NodeInputs)"),
        "attribute-invalid",
        "Bad",
        "class Inputs(LatentCacheInputs)",
    ),
    "no socket type": (
        family('socket = "MUSUBI_BIRD_MODELS"', "pass"),
        "socket-type-missing",
        "Good",
        "models",
        "BirdModels",
    ),
    "range": (family(DEPTH, DEPTH.replace("ge=1, ", "")), "field-invalid", "Bad", "depth", "ge="),
    "choices": (
        family(DEPTH, DEPTH.replace("int,", "Literal[1, 3],").replace("ge=1, le=9, ", "")),
        "choices-not-text",
        "Bad",
        "depth",
    ),
    "no choices": (family(DEPTH, DEPTH.replace("int,", "list,")), "field-invalid", "Bad", "depth"),
    "default of a range": (
        family(DEPTH, DEPTH.replace("Field(3", "Field(30")),
        "default-invalid",
        "Bad",
        *("depth", "30", "1", "9"),
    ),
    "default of choices": (
        family('Field("fly"', 'Field("swim"'),
        "default-invalid",
        "Good",
        *("task", "'swim'", "fly, sing"),
    ),
    "default none": (
        family(DEPTH, DEPTH.replace("Field(3", "Field(None")),
        "default-invalid",
        "Bad",
        *("depth", "None", "1", "9"),
    ),
    "description": (
        family(DEPTH, DEPTH.replace(', description="How deep."', "")),
        "description-missing",
        "Bad",
        "depth",
    ),
    "takes misspelt": (
        family('ForwardOptions("vae")', 'ForwardOptions("vea")'),
        "field-unknown",
        "Bad",
        *("models", "BirdModels", "'vea'", "'vae'"),
    ),
    "takes no option": (
        family('ForwardOptions("vae")', 'ForwardOptions("vae", "note")'),
        "field-not-an-option",
        "Bad",
        *("models", "'note'", "BirdModels"),
    ),
    "takes of no socket": (
        family(DEPTH, DEPTH.replace("Option", "ForwardOptions")),
        "takes-not-a-socket",
        "Bad",
        "depth",
    ),
    "samples": (
        family('sample_models = ("vae",)', 'sample_models = ("vae", "t5")'),
        "field-unknown",
        "Trainer",
        *("sample_models", "BirdModels", "'t5'"),
    ),
    "option twice": (
        family("tiling: Annotated[bool, Option()]", 'tiling: Annotated[bool, Option("bird_depth")]'),
        "option-set-twice",
        "Bad",
        *("--bird_depth", "depth", "tiling"),
    ),
    "a file as free text": (
        family(DEPTH, 'depth: Annotated[str, Option("bird_file")] = Field("", description="A file.")'),
        "option-names-file",
        "Bad",
        *("depth", "--bird_file", "ModelFile"),
    ),
    "option taken as well": (
        family(DEPTH, DEPTH.replace("bird_depth", "vae")),
        "option-set-twice",
        "Bad",
        *("--vae", "depth", "models.vae"),
    ),
}
LATENT, TRAINER = 'script = "wan_cache_latents.py"', 'sample_models = ("vae",)'
GENERATOR = 'family, script = BIRD, "wan_generate_video.py"'
BIRD = '"networks.lora_bird"'


def named(old: str, line: str, *values: str, code: str = "name-unknown", node: str = "Generator") -> tuple[str, ...]:
    """One more line in a class, which holds a name that does not exist."""
    return family(old, f"{old}\n    {line}"), code, node, *values


def shaped(more: str, *values: str, node: str) -> tuple[str, ...]:
    """One more field of the family, which holds a name that does not exist."""
    return family(BIRD, f"{BIRD}, {more}"), "name-unknown", node, *values


MODELS = "models: Annotated[BirdModels, ForwardOptions({})]"
SENT = MODELS.format('"dit", "vae", "task"')
PICTURE = '    image: Annotated[Any, {}] = Field(None, description="A picture.")'
NAMES = {
    "attribute": named(LATENT, "refused_option = {}", "'refused_options'", code="attribute-unknown", node="Bad"),
    "method": named(
        TRAINER,
        "def needed_flag(self, inputs): return {'i2v'}",
        "'needed_flags'",
        code="attribute-unknown",
        node="Trainer",
    ),
    "class": named(TRAINER, "class Input: pass", "'Inputs'", code="attribute-unknown", node="Trainer"),
    "property of models": named(
        'socket = "MUSUBI_BIRD_MODELS"',
        "@property\n    def most_block_to_swap(self): return (1, 1)",
        "'most_blocks_to_swap'",
        code="attribute-unknown",
        node="Bad",
    ),
    "script": (
        family(LATENT, LATENT.replace("latents", "latent")),
        "script-unknown",
        "Bad",
        *("wan_cache_latent.py", "'wan_cache_latents.py'", "script_since"),
    ),
    "script of a known release": (
        family(LATENT, 'script, script_since = "bird_cache_latents.py", "0.3.4"'),
        "script-unknown",
        "Bad",
    ),
    "refused option": named(LATENT, 'refused_options = {"vae_typ": "why"}', "'vae_typ'", "'vae_dtype'", node="Bad"),
    "prompt field": named(GENERATOR, 'prompt_fields = {"frame": "seed"}', "prompt_fields", "'frame'", "'frames'"),
    "field for a prompt": named(GENERATOR, 'prompt_fields = {"frames": "length"}', "prompt_fields", "'length'"),
    "prompt line": named(GENERATOR, 'prompt_line = {"hight": "h"}', "prompt_line", "'hight'", "'height'"),
    "kept by text": named(GENERATOR, 'kept_by_text = {"pictures"}', "kept_by_text", "'pictures'"),
    "prompt inputs": named(GENERATOR, 'prompt_inputs = {"prompt", "sections"}', "prompt_inputs", "'sections'"),
    "what is lacking": named(GENERATOR, 'lacks = frozenset({"latents"})', "lacks", "'latents'", "'latent'"),
    "what is ignored": shaped('ignores=frozenset({"negative"})', "'negative'", node="Generator"),
    "size option": named(GENERATOR, 'size_option = "image_size"', "size_option", "'image_size'", "'video_size'"),
    "picture": named(SENT, PICTURE.format('Picture("image_paht")'), "field image", "'image_paht'", "'image_path'"),
    "clip": named(SENT, PICTURE.format('Clip("control_clip")'), "field image", "'control_clip'"),
    "several pictures": named(
        SENT, PICTURE.format('Picture("image_path", several=True)'), "image", code="option-takes-one"
    ),
    "sample picture": named(MODELS.format('"dit"'), PICTURE.format('SamplePicture("image")'), "image", node="Trainer"),
    "version of a field": named(
        SENT, '    wings: Annotated[Flag, ForVersions(("fly",))] = Field(False, description="Wings.")', "'fly'"
    ),
    "versions": shaped('versions={"sing": {}, "swim": {}}', "'sing'", "'swim'", "version_field", node="Bad"),
    "memory": shaped('vae_saving={"vae_tilling": True}', "'vae_tilling'", "'vae_tiling'", node="Bad"),
    "default": shaped('training_defaults={"flow_shift": 3.0}', "'flow_shift'", "'discrete_flow_shift'", node="Trainer"),
    "option map": shaped(
        'trainer_options={"fp8": {"fp9": {}}, "atention": {}}', "'fp9'", "'atention'", "'attention'", node="Trainer"
    ),
    "text encoder": (
        family(LATENT, LATENT.replace("latents", "text_encoder_outputs"))
        .replace(BIRD, f'{BIRD}, fp8_text_encoder="fp8_t6"')
        .replace("LatentCache", "TextEncoderCache")
        .replace("TextEncoderCacheInputs", "CacheInputs"),
        "name-unknown",
        *("Bad", "'fp8_t6'", "'fp8_t5'"),
    ),
    "attention": shaped('generator_split_attn={"torch": "why"}', "'torch'", node="Generator"),
}
DECLARED |= {f"name of {name}": case for name, case in NAMES.items()}
WRONG |= {f"declared: {name}": case for name, case in DECLARED.items()}


def test_the_declarations_that_are_made_wrong_here_are_right_as_they_stand(place, told):
    place.install("bird", IMPORT + FAMILY)
    assert {"Good", "Bad", "Trainer", "Generator"} < {node.id for node in place.load().nodes}
    assert not told()


def test_a_script_newer_than_all_tables_is_declared_so(place, told):
    newer = 'script, script_since = "bird_cache_latents.py", "99.0"\n    refused_options = {"depths": "why"}'
    place.install("bird", family(LATENT, newer))
    assert "Bad" in {node.id for node in place.load().nodes} and not told()


@pytest.mark.parametrize("case", WRONG)
def test_one_bad_plugin(place, node, told, case):
    source, code, *values = WRONG[case]
    place.bundle("before", node("Before"))
    place.install("bad-plugin", source)
    place.install("zz-after", node("After"))
    found = place.load()
    assert list(found.loaded) == ["core", "before", "zz_after"]
    assert {"Before", "After"} < {node.id for node in found.nodes}
    assert not {"Bad", "Good"} & {node.id for node in found.nodes}
    assert list(found.failed) == ["bad_plugin (bad-plugin)"]
    (error,) = found.failed.values()
    assert code in codes(error) and not [value for value in values if value not in error.what]
    (line,) = told()
    assert "bad_plugin (bad-plugin)" in line and error.what in line and "\n" not in line


def test_a_plugin_that_is_left_out_is_asked_no_more(place, told):
    place.install("bad-plugin", hook("musubi_explain_error", "raise OSError", "failure") + "\nmusubi_x = print\n")
    found = place.load()
    assert len(told()) == len(found.failed) == 1
    assert len(found.explainers("wan")) == len(found.loaded) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[project", ""),
        ("x = 1", "[project]"),
        ("[project]\nversion = '1'", "[project]"),
        ("[project]\nname = 'b'\n[project.entry-points]\nmusubi_nodes = 'x'", "[project.entry-points.musubi_nodes]"),
        ("[project]\nname = 'b'\n[project.entry-points.musubi_nodes]\nx = 3", "[project.entry-points.musubi_nodes]"),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_a_broken_pyproject(place, node, told, content, said):
    place.bundle("good", node("Here"))
    file = place.bundle("broken", node("NotHere")) / "pyproject.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = place.load()
    assert list(found.loaded) == ["core", "good"]
    error = found.failed["broken (plugins/broken)"]
    assert error.code == "pyproject-invalid" and said in error.what and "pyproject.toml" in error.what
    assert len(told()) == 1


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
