"""A plugin that does something wrong is left out whole, with one message; everything else works."""

from __future__ import annotations

import logging

import pytest

IMPORT = """
from musubi_nodes import hookimpl
from musubi_nodes.families import Family, Node, NodeInputs, NodeOutputs
from pydantic import Field

class Good(Node):
    id, title, category = "Good", "Good", "Test"
    class Inputs(NodeInputs):
        pass
    class Outputs(NodeOutputs):
        pass
"""


def hook(name: str, answer: str, arguments: str = "") -> str:
    return f"{IMPORT}\n@hookimpl\ndef {name}({arguments}):\n    {answer}\n"


def inputs(field: str, base: str = "Good") -> str:
    declared = f"class Bad({base}):\n    id = 'Bad'\n    class Inputs(NodeInputs):\n        {field}\n"
    return f"{IMPORT}\n{declared}\n@hookimpl\ndef musubi_register_nodes():\n    return [Bad]\n"


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
    "no inputs": (inputs("pass", "Node"), "node Bad: type object 'Bad' has no attribute 'title'"),
    "twice": (hook("musubi_register_nodes", "return [Good, Good]"), "node id 'Good' is registered twice"),
}


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
    assert message in line and "\n" not in line
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
