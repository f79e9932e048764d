"""Which musubi-tuner is used, and what is said where none can be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from musubi_nodes.config import Config, InstallConfig, config_file, read_config
from musubi_nodes.plugins.discovery import checkout, find_plugins
from musubi_nodes.plugins.installs import choose_install, known_installs
from musubi_nodes.plugins.manager import Plugins
from musubi_nodes.runs.install import Install
from musubi_nodes.testing.errors import fails

MINIATURE = Install("miniature", Path("/miniature"), Path(sys.executable), cpu=True)


def choose(config: Config, name: str | None = None, provided: tuple[Install, ...] = (MINIATURE,)) -> Install:
    return choose_install(name, config, known_installs(config, provided))


@pytest.fixture
def installs(tmp_path) -> dict[str, InstallConfig]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return {name: InstallConfig(root=str(tmp_path / name), python=sys.executable) for name in ("one", "two")}


def test_the_order_of_choice(installs):
    both, one = Config(installs=installs), Config(installs={"one": installs["one"]})
    assert choose(one).name == "one"
    assert choose(both.model_copy(update={"install": "two"})).name == "two"
    assert choose(both.model_copy(update={"install": "two"}), "one").name == "one"
    assert choose(both, "miniature") is MINIATURE


def test_none_configured_offers_the_miniature_only_where_it_is_there():
    config, found = Config(), find_plugins(checkout())
    with fails("install-not-configured", "MUSUBI_TUNER_ROOT", config_file()) as without:
        Plugins(config, [plugin for plugin in found if plugin.name != "miniature"]).install()
    with fails("install-not-configured", "MUSUBI_TUNER_ROOT", config_file(), "MUSUBI_NODES_INSTALL", '"miniature"'):
        Plugins(config, found).install()
    assert "miniature" not in str(without.value)


def test_several_and_none_chosen(installs):
    with fails("install-not-chosen", 2, "one, two", 'install = "one"'):
        choose(Config(installs=installs))


def test_an_unknown_name_is_a_near_miss(installs):
    with fails("install-unknown", "'tow'", "'two'", "miniature, one, two"):
        choose(Config(installs=installs), "tow")
    with fails("install-unknown"):
        choose(Config(), "x" * 500, provided=())


def test_a_path_is_no_name(installs):
    with fails("install-unknown"):
        choose(Config(installs=installs), installs["one"].root)


def test_the_configuration_wins_over_a_plugin(installs):
    config = Config(installs={"miniature": installs["one"]})
    assert choose(config, "miniature").root == Path(installs["one"].root)


def test_a_broken_install_harms_only_who_uses_it(installs, tmp_path):
    config = Config(installs={**installs, "gone": InstallConfig(root=str(tmp_path / "gone"))})
    assert choose(config, "two").name == "two"
    with fails("install-folder-missing", tmp_path / "gone", "'gone'"):
        choose(config, "gone")


def test_what_an_install_is_configured_with_arrives(tmp_path):
    values = InstallConfig(root=str(tmp_path), python=sys.executable, environment={"HF_HOME": "/hf"}, cpu=True)
    install = choose(Config(installs={"toy": values}))
    assert (install.name, install.cpu, install.environment) == ("toy", True, {"HF_HOME": "/hf"})


def test_the_environment_chooses_the_miniature_over_the_file(installs):
    config_file().write_text(f"[installs.one]\nroot = '{installs['one'].root}'\n", "utf-8")
    assert choose(read_config(config_file(), {"MUSUBI_NODES_INSTALL": "miniature"})) is MINIATURE
