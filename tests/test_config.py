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

DRIVE = "C:" if os.name == "nt" else ""
"""Without it a path is none of its own on Windows."""
TEXT = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text("utf-8")


def read(content: str | bytes, **environment: str) -> Config:
    config_file().write_bytes(content if isinstance(content, bytes) else content.replace("'/", f"'{DRIVE}/").encode())
    return read_config(config_file(), environment)


def refused(content: str | bytes, **environment: str) -> MusubiError:
    with pytest.raises(MusubiError) as raised:
        read(content, **environment)
    assert str(config_file()) in raised.value.what
    assert raised.value.fix
    return raised.value


def test_no_file_is_fine():
    assert read_config(config_file(), {}) == Config()
    assert load_config() == Config()


def test_a_home_that_is_no_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "null").touch()
    assert read_config(tmp_path / "null" / ".config" / "config.toml", {}) == Config()


def test_a_byte_order_mark_is_no_harm():
    assert read(b'\xef\xbb\xbfinstall = "x"\r\n').install == "x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("instal = 'x'", r"instal is no key \(did you mean 'install'\?\)"),
        ("installs = 3", "installs: input should be"),
        ("[installs]\nmain = '/x'", r"installs\.main: input should be"),
        ("[installs.main]\npython = '/p'", r"installs\.main\.root: field required"),
        ("[installs.main]\nroot = '/r'\npyton = '/p'", r"installs\.main\.pyton is no key \(did you mean 'python'\?\)"),
        ("[installs.main]\nroot = '/r'\ncpu = 'perhaps'", r"installs\.main\.cpu: input should be a valid boolean"),
        ("[installs.main]\nroot = '/r'\nenvironment = { A = 1 }", r"installs\.main\.environment\.A: "),
        (
            "[installs.main]\nroot = '/r'\nenvironment = { A = \"\\u0000\" }",
            r"environment\.A: holds a NUL",
        ),
        ('[secrets]\nHF_TOKEN = "hf_\\u0000"', r"secrets\.HF_TOKEN: holds a NUL"),
        ("plugins_off = 'wan'", "plugins_off: input should be a valid list"),
        ("read_roots = [1]", r"read_roots\.0: "),
        ("executor = 3", "executor: input should be a valid string"),
        ("models = { vae = '/v' }", r"models\.vae: input should be a valid list"),
        ("[install.main]\nroot = '/r'", r"\[installs\.NAME\], with an s"),
        ("[installs.main]\nroot = 'musubi'", r"installs\.main\.root: must be an absolute path"),
        ("[installs.main]\nroot = '/r'\npython = 'python3'", r"installs\.main\.python: must be an absolute path"),
        ("comfyui = './ComfyUI'", "comfyui: must be an absolute path"),
        ("read_roots = ['/d', 'data']", r"read_roots\.1: must be an absolute path"),
        ("models = { vae = ['vae'] }", r"models\.vae\.0: must be an absolute path"),
        ("install = ", "is no TOML"),
        ('root = "C:\\AI"', "is no TOML: Unescaped"),
        (b"install = '\xe9'", "is not UTF-8"),
        ("install = 1\nexecutor = 2", "2 problems"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(content, message):
    assert re.search(message, str(refused(content)))


@pytest.mark.parametrize("content", ["secrets = { HF_TOKEN = 12345 }", "secrets = ['12345']", "HF_TOKEN = '12345'"])
def test_a_secret_is_not_repeated_in_a_message(content):
    assert "12345" not in str(refused(content))


def test_a_wrong_file_is_told_even_where_the_environment_says_all():
    refused("installs = 3", MUSUBI_TUNER_ROOT="/r", MUSUBI_NODES_INSTALL="x")


def test_a_folder_is_no_file():
    config_file().mkdir()
    with pytest.raises(MusubiError, match="cannot be read"):
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
    assert "MUSUBI_TUNER_ROOT is not set" in caplog.text


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
