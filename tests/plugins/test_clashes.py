"""A name that two plugins want: the later plugin is left out whole, and the message names both distributions."""

from __future__ import annotations

import pytest

HEAD = """
from pathlib import Path
from musubi_nodes import hookimpl
from musubi_nodes.families import Dataset, Family, Node, NodeInputs, NodeOutputs, Socket
from musubi_nodes.families import Install
from pydantic import Field

class {id}(Node):
    "Does nothing."
    id, title, category = "{id}", "X", "Test"
    class Inputs(NodeInputs):
        pass
    class Outputs(NodeOutputs):
        pass

@hookimpl
def musubi_register_nodes():
    return [{id}]
"""

SOCKET = """
class Thing(Socket):
    socket = "{socket}"

class {id}(Node):
    "Does nothing."
    id, title, category = "{id}", "X", "Test"
    class Inputs(NodeInputs):
        thing: Thing | None = Field(None, description="It.")
    class Outputs(NodeOutputs):
        pass
"""

FAMILY = """
@hookimpl
def musubi_register_family():
    return Family("same", "Same", "same", "networks.same")
"""
INSTALL = """
@hookimpl
def musubi_provide_installs():
    return [Install("same", Path("/m"), Path("/p"))]
"""
EXECUTOR = """
class Cluster:
    name = "{name}"
    def start(self, spec):
        raise OSError

@hookimpl
def musubi_provide_executors():
    return [Cluster()]
"""


def source(id_: str, more: str = "") -> str:
    return HEAD.format(id=id_) + more


CLASHES = {
    "node id": (source("Same"), source("Same"), "'Same'"),
    "family key": (source("A", FAMILY), source("B", FAMILY), "'same'"),
    "install": (source("A", INSTALL), source("B", INSTALL), "'same'"),
    "executor": (source("A", EXECUTOR.format(name="x")), source("B", EXECUTOR.format(name="x")), "'x'"),
    "socket type": (
        source("A", SOCKET.format(id="A", socket="MY_THING")),
        source("B", SOCKET.format(id="B", socket="MY_THING")),
        "'MY_THING'",
    ),
}


@pytest.mark.parametrize("kind", CLASHES)
def test_the_later_plugin_is_left_out_whole(place, told, kind):
    first, second, name = CLASHES[kind]
    place.install("aaa-first", first)
    place.install("bbb-second", second)
    found = place.load()
    assert list(found.loaded) == ["core", "aaa_first"]
    (error,) = found.failed.values()
    assert error.code == "name-taken" and name in error.what and "aaa-first" in error.what
    (line,) = told()
    assert "bbb_second (bbb-second)" in line and error.what in line
    assert not {"B"} & {node.id for node in found.nodes}


@pytest.mark.parametrize(
    "more", [SOCKET.format(id="B", socket=socket) for socket in ("MUSUBI_DATASET", "MUSUBI_RUN", "MUSUBI_MEMORY")]
)
def test_the_cores_own_sockets_are_taken_from_the_start(place, more):
    place.install("bbb-second", source("B", more))
    found = place.load()
    assert list(found.loaded) == ["core"]
    (error,) = found.failed.values()
    assert error.code == "name-taken" and "musubi-nodes" in error.what


def test_the_cores_own_executor_is_taken(place):
    place.install("bbb-second", source("B", EXECUTOR.format(name="local")))
    found = place.load()
    assert found.executor().start.__module__ == "musubi_nodes.runs.process.executor"
    (error,) = found.failed.values()
    assert error.code == "name-taken" and "'local'" in error.what and "musubi-nodes" in error.what


def test_plugins_may_share_the_class_of_a_socket(place, told):
    shared = SOCKET.format(id="A", socket="MY_THING")
    place.install("aaa-first", source("A", shared))
    place.install("bbb-second", "from aaa_first import Thing\n" + source("B") + SOCKET.split("\n\n")[1].format(id="B"))
    found = place.load()
    assert list(found.loaded) == ["core", "aaa_first", "bbb_second"] and not told()
    assert [spec.socket for spec in found.nodes[-1].fields()] == ["MY_THING"]


def test_a_plugin_that_is_left_out_leaves_its_names_to_others(place, told):
    place.install("aaa-first", source("A", FAMILY) + "raise OSError\n")
    place.install("bbb-second", source("B", FAMILY) + EXECUTOR.format(name="local"))
    place.install("ccc-third", source("C", FAMILY))
    found = place.load()
    assert list(found.loaded) == ["core", "ccc_third"]
    assert [family.key for family in found.families] == ["same"] and len(told()) == 2


def test_two_distributions_with_one_entry_point_name(place):
    place.install("aaa-first", source("A"), name="same")
    place.install("bbb-second", source("B"), name="same")
    found = place.load()
    assert found.loaded["same"].distribution == "aaa-first"
    error = found.failed["same (bbb-second)"]
    assert error.code == "name-taken" and "'same'" in error.what and "aaa-first" in error.what
    assert len(found.explainers("")) == 2


def test_an_installed_plugin_with_the_name_of_another_bundled_one(place):
    place.bundle("same", source("A"), distribution="bundled-one")
    place.install("bbb-second", source("B"), name="same")
    found = place.load()
    assert found.loaded["same"].distribution == "bundled-one"
    error = found.failed["same (bbb-second)"]
    assert error.code == "name-taken" and "bundled-one" in error.what


def test_two_entry_points_of_one_module(place):
    place.install("aaa-first", source("A"))
    entries = place.site / "aaa_first-1.0.dist-info" / "entry_points.txt"
    entries.write_text(entries.read_text("utf-8") + "again = aaa_first\n", "utf-8")
    found = place.load()
    assert len(found.loaded) == 2
    (error,) = found.failed.values()
    assert error.code == "plugin-twice" and "aaa_first" in error.what


@pytest.mark.parametrize("broken", ["raise OSError", "@hookimpl\ndef musubi_register_family():\n    return 3\n"])
def test_the_name_of_a_plugin_that_is_left_out_is_free_again(place, told, broken):
    place.install("aaa-first", source("A") + broken, name="same")
    place.install("bbb-second", source("B"), name="same")
    found = place.load()
    assert found.loaded["same"].distribution == "bbb-second"
    assert list(found.failed) == ["same (aaa-first)"]
    assert "B" in {node.id for node in found.nodes}
