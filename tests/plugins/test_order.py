"""The order of plugins, which of two counts, and which are switched off."""

from __future__ import annotations

import logging

import pytest

from musubi_nodes.config import Config, config_file, read_config


def test_core_then_bundled_then_installed_by_distribution_name(place, node):
    place.install("zebra-nodes", node("Z"), name="a_first_by_entry_name")
    place.install("apple-nodes", node("A"))
    place.bundle("quick", node("Q"))
    place.bundle("brown", node("B"))
    found = place.load()
    assert list(found.loaded) == ["core", "brown", "quick", "apple_nodes", "a_first_by_entry_name"]
    assert [node.id for node in found.nodes][-4:] == ["B", "Q", "A", "Z"]
    assert found.nodes[0].id.startswith("MusubiTuner_")


def test_the_bundled_plugin_counts_where_the_same_distribution_is_installed(place, node, told):
    place.install("musubi-nodes-mine", node("FromTheWheel"), name="mine")
    place.bundle("mine", node("FromTheClone"), distribution="Musubi_Nodes.Mine", name="mine")
    found = place.load()
    assert [node.id for node in found.nodes if node.id.startswith("From")] == ["FromTheClone"]
    assert not found.failed and not told()


def test_a_bundled_package_is_imported_before_an_installed_one_of_the_same_name(place, node):
    (place.site / "bundled_mine.py").write_text("raise RuntimeError('the old wheel')", "utf-8")
    place.bundle("mine", node("Mine"))
    assert "Mine" in {node.id for node in place.load().nodes}


@pytest.mark.parametrize("names", [["first"], ["first", "second"]])
def test_switched_off_by_the_configuration(place, node, names):
    place.bundle("first", node("First"))
    place.install("second", node("Second"))
    found = place.load(Config(plugins_off=names))
    assert not set(names) & set(found.loaded)
    assert not found.failed


def test_switched_off_by_the_environment(place, node):
    place.bundle("first", node("First"))
    place.install("second", node("Second"))
    config = read_config(config_file(), {"MUSUBI_NODES_PLUGINS_OFF": " first, second "})
    assert list(place.load(config).loaded) == ["core"]


def test_a_plugin_that_is_off_is_not_even_imported(place):
    place.bundle("broken", "raise RuntimeError")
    assert not place.load(Config(plugins_off=["broken"])).failed


def test_a_wrong_name_in_plugins_off_is_told(place, node, caplog):
    caplog.set_level(logging.WARNING, "musubi_nodes")
    place.bundle("first", node("First"))
    (problem,) = place.load(Config(plugins_off=["frist"])).unknown
    assert problem.code == "plugin-unknown" and "'frist'" in problem.text and "'first'" in problem.text
    assert problem.text in caplog.text


def test_the_core_cannot_be_switched_off(place):
    assert "core" in place.load(Config(plugins_off=["core"])).loaded


def test_a_damaged_distribution_without_a_name_does_no_harm(place, node, told):
    info = place.site / "nameless-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("", "utf-8")
    (info / "entry_points.txt").write_text("[musubi_nodes]\nnameless = not_there\n", "utf-8")
    place.install("second", node("Second"))
    found = place.load()
    assert "second" in found.loaded
    assert len(found.failed) == len(told()) == 1
