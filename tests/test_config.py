"""config.toml and the environment: what counts, and one clear message for what is wrong."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest
import tomli

from musubi_nodes.config import Config, InstallConfig, cache_folder, config_file, load_config, read_config
from musubi_nodes.errors import MusubiError
from musubi_nodes.testing.errors import codes, fails

DRIVE = "C:" if os.name == "nt" else ""
"""Without it a path is none of its own on Windows."""
TEXT = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text("utf-8")


def read(content: str | bytes, **environment: str) -> Config:
    config_file().write_bytes(content if isinstance(content, bytes) else content.replace("'/", f"'{DRIVE}/").encode())
    return read_config(config_file(), environment)


def refused(content: str | bytes, **environment: str) -> MusubiError:
    with pytest.raises(MusubiError) as raised:
        read(content, **environment)
    error = raised.value
    assert str(config_file()) in error.what and error.fix
    return error


def test_no_file_is_fine():
    assert read_config(config_file(), {}) == Config()
    assert load_config() == Config()


def test_a_home_that_is_no_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "null").touch()
    assert read_config(tmp_path / "null" / ".config" / "config.toml", {}) == Config()


def test_a_byte_order_mark_is_no_harm():
    assert read(b'\xef\xbb\xbfinstall = "x"\r\n').install == "x"


@pytest.mark.parametrize(
    ("content", "key", "code"),
    [
        ("instal = 'x'", "instal", "key-unknown"),
        ("installs = 3", "installs", "dict-type"),
        ("[installs]\nmain = '/x'", "installs.main", "model-type"),
        ("[installs.main]\npython = '/p'", "installs.main.root", "missing"),
        ("[installs.main]\nroot = '/r'\npyton = '/p'", "installs.main.pyton", "key-unknown"),
        ("[installs.main]\nroot = '/r'\ncpu = 'perhaps'", "installs.main.cpu", "bool-parsing"),
        ("[installs.main]\nroot = '/r'\nenvironment = { A = 1 }", "installs.main.environment.A", "string-type"),
        (
            "[installs.main]\nroot = '/r'\nenvironment = { A = \"\\u0000\" }",
            "installs.main.environment.A",
            "variable-value-invalid",
        ),
        ('[secrets]\nHF_TOKEN = "hf_\\u0000"', "secrets.HF_TOKEN", "variable-value-invalid"),
        ("plugins_off = 'wan'", "plugins_off", "list-type"),
        ("read_roots = [1]", "read_roots.0", "string-type"),
        ("executor = 3", "executor", "string-type"),
        ("models = { vae = '/v' }", "models.vae", "list-type"),
        ("[install.main]\nroot = '/r'", "[installs.NAME]", "install-not-a-name"),
        ("[installs.main]\nroot = 'musubi'", "installs.main.root", "path-not-absolute"),
        ("[installs.main]\nroot = '/r'\npython = 'python3'", "installs.main.python", "path-not-absolute"),
        ("comfyui = './ComfyUI'", "comfyui", "path-not-absolute"),
        ("read_roots = ['/d', 'data']", "read_roots.1", "path-not-absolute"),
        ("models = { vae = ['vae'] }", "models.vae.0", "path-not-absolute"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(content: str, key: str, code: str) -> None:
    error = refused(content)
    assert codes(error) == ["config-invalid", code] and key in str(error)


@pytest.mark.parametrize(("content", "near"), [("instal = 'x'", "install"), ("installs.a.pyton = '/p'", "python")])
def test_a_near_miss_is_told_with_the_key_that_is_meant(content: str, near: str) -> None:
    with fails("key-unknown", repr(near)):
        read(content)


@pytest.mark.parametrize(
    ("content", "code"),
    [("install = ", "toml-invalid"), ('root = "C:\\AI"', "toml-invalid"), (b"install = '\xe9'", "file-not-utf8")],
)
def test_what_is_no_toml_is_refused_with_its_file(content: str | bytes, code: str) -> None:
    assert codes(refused(content)) == [code]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert codes(refused("install = 1\nexecutor = 2")) == ["config-invalid", "string-type", "string-type"]


@pytest.mark.parametrize("content", ["secrets = { HF_TOKEN = 12345 }", "secrets = ['12345']", "HF_TOKEN = '12345'"])
def test_a_secret_is_not_repeated_in_a_message(content):
    assert "12345" not in str(refused(content))


def test_a_wrong_file_is_told_even_where_the_environment_says_all():
    refused("installs = 3", MUSUBI_TUNER_ROOT="/r", MUSUBI_NODES_INSTALL="x")


def test_a_folder_is_no_file():
    config_file().mkdir()
    with fails("file-unreadable", config_file()):
        read_config(config_file(), {})


def test_the_environment_wins_over_the_file():
    content = "install = 'a'\nplugins_off = ['wan']\n[installs.a]\nroot = '/a'\n"
    assert read(content).install == "a"
    config = read(
        content, MUSUBI_TUNER_ROOT=f"{DRIVE}/b", MUSUBI_TUNER_PYTHON=f"{DRIVE}/p", MUSUBI_NODES_PLUGINS_OFF="x,, y"
    )
    assert config.install == "environment"
    assert config.installs == {
        "a": InstallConfig(root=f"{DRIVE}/a"),
        "environment": InstallConfig(root=f"{DRIVE}/b", python=f"{DRIVE}/p"),
    }
    assert config.plugins_off == ["x", "y"]
    assert read(content, MUSUBI_TUNER_ROOT=f"{DRIVE}/b", MUSUBI_NODES_INSTALL="a").install == "a"


def test_a_folder_of_the_environment_may_begin_where_the_program_does():
    assert read("", MUSUBI_TUNER_ROOT="musubi-tuner").installs["environment"].root == "musubi-tuner"


def test_what_the_file_says_about_the_environments_install_is_kept():
    content = "[installs.environment]\nroot = '/a'\ncpu = true\nenvironment = { HF_HOME = '/hf' }\n"
    found = read(content, MUSUBI_TUNER_ROOT=f"{DRIVE}/b").installs["environment"]
    assert found == InstallConfig(root=f"{DRIVE}/b", cpu=True, environment={"HF_HOME": f"{DRIVE}/hf"})


@pytest.mark.parametrize("text", ['"{}"', "'{}'", "  {}\t", ' "{}" ', "{}"])
def test_quotes_and_blanks_around_environment_values_are_cleaned(text, monkeypatch, tmp_path):
    config = read("", MUSUBI_TUNER_ROOT=text.format(f"{DRIVE}/r"), MUSUBI_TUNER_PYTHON=text.format(f"{DRIVE}/p"))
    assert config.installs["environment"] == InstallConfig(root=f"{DRIVE}/r", python=f"{DRIVE}/p")
    assert read("", MUSUBI_NODES_INSTALL=text.format("miniature")).install == "miniature"
    monkeypatch.setenv("MUSUBI_NODES_CACHE", text.format(tmp_path))
    monkeypatch.setenv("MUSUBI_NODES_CONFIG", text.format(tmp_path / "c.toml"))
    assert (cache_folder(), config_file()) == (tmp_path, tmp_path / "c.toml")


@pytest.mark.parametrize("value", ["", "  ", '""'])
def test_an_empty_variable_is_no_variable(value):
    names = ("MUSUBI_TUNER_ROOT", "MUSUBI_TUNER_PYTHON", "MUSUBI_NODES_INSTALL", "MUSUBI_NODES_PLUGINS_OFF")
    assert read("", **dict.fromkeys(names, value)) == Config()


def test_a_python_without_a_root_is_told(caplog):
    caplog.set_level(logging.WARNING, "musubi_nodes")
    assert read("", MUSUBI_TUNER_PYTHON="/p") == Config()
    assert "MUSUBI_TUNER_ROOT" in caplog.text


@pytest.mark.parametrize("name", [*Config.model_fields, *InstallConfig.model_fields])
def test_every_key_is_documented(name):
    assert re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(
    "name",
    ["TUNER_ROOT", "TUNER_PYTHON", "NODES_INSTALL", "NODES_PLUGINS_OFF", "NODES_CONFIG", "NODES_CACHE", "NODES_VENV"],
)
def test_every_variable_is_documented(name):
    assert f"| `MUSUBI_{name}` |" in TEXT


def test_the_example_is_complete_and_right():
    (example,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    config = read(example)
    assert set(tomli.loads(example)) == set(Config.model_fields)
    assert {name for install in config.installs.values() for name in install.model_fields_set} == set(
        InstallConfig.model_fields
    )
