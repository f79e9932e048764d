"""A plain clone in custom_nodes/: one core, from the clone, whatever else is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LISTED = """
import sys
pack = load({folder!r})
print(json.dumps({{
    "nodes": sorted(pack.NODE_CLASS_MAPPINGS),
    "titles": sorted(pack.NODE_DISPLAY_NAME_MAPPINGS),
    "web": pack.WEB_DIRECTORY,
    "version": sys.modules["musubi_nodes"].__version__,
    "cores": sorted(m.__file__ for m in list(sys.modules.values())
                    if (getattr(m, "__file__", None) or "").endswith(("/musubi_nodes/__init__.py",
                                                                     "\\\\musubi_nodes\\\\__init__.py"))),
    "foreign": sorted({{"torch", "comfy", "folder_paths", "server"}} & set(sys.modules)),
}}))
"""
STATE = """
import sys
load({folder!r})
from musubi_nodes.plugins.manager import plugins
found = plugins()
print(json.dumps({{
    "nodes": {{node.id: name for name, registered in found.loaded.items() for node in registered.nodes}},
    "plugins": list(found.loaded),
    "failed": {{name: str(error) for name, error in found.failed.items()}},
    "families": [family.key for family in found.families],
    "installs": list(found.installs()),
    "modules": [name for name in sys.modules if name.startswith("musubi_nodes_")],
}}))
"""
REFUSED = """
import sys
{before}
try:
    load({folder!r})
except ImportError as error:
    print(json.dumps([str(error), sorted(m for m in sys.modules if m.startswith("musubi_nodes"))]))
"""


def listed(fresh, clone, *path):
    return fresh(LISTED.format(folder=str(clone)), *path)


def test_comfyui_gets_the_nodes_of_a_plain_clone(fresh, clone):
    found = listed(fresh, clone)
    assert {"MusubiTuner_DatasetConfigLoader", "MusubiTuner_WanLoRATrainer"} <= set(found["nodes"])
    assert found["titles"] == found["nodes"]
    assert (clone / found["web"]).is_dir()
    assert found["cores"] == [str(clone / "core" / "src" / "musubi_nodes" / "__init__.py")]


def test_importing_the_pack_imports_neither_torch_nor_comfyui(fresh, clone, tmp_path):
    for name in ("torch", "comfy", "folder_paths", "server"):
        (tmp_path / "foreign" / name).mkdir(parents=True)
        (tmp_path / "foreign" / name / "__init__.py").write_text("", "utf-8")
    assert listed(fresh, clone, tmp_path / "foreign")["foreign"] == []


def test_the_clone_counts_beside_an_older_wheel(fresh, clone, older_wheel):
    found = listed(fresh, clone, older_wheel)
    assert found["version"] != "0.0.1"
    assert found["cores"] == [str(clone / "core" / "src" / "musubi_nodes" / "__init__.py")]
    assert found["nodes"] == listed(fresh, clone)["nodes"]


def test_the_clone_counts_even_if_its_source_comes_late_on_the_path(fresh, clone, older_wheel):
    found = listed(fresh, clone, older_wheel, clone / "core" / "src")
    assert found["cores"] == [str(clone / "core" / "src" / "musubi_nodes" / "__init__.py")]


@pytest.mark.parametrize("before", ["import musubi_nodes", "from musubi_nodes import __version__"])
def test_an_older_core_that_is_already_imported_is_told_and_not_mixed(fresh, clone, older_wheel, before):
    message, modules = fresh(REFUSED.format(folder=str(clone), before=before), older_wheel)
    assert "another musubi_nodes (0.0.1)" in message and str(older_wheel / "musubi_nodes") in message
    assert "Fix: remove the other" in message
    assert modules == ["musubi_nodes"]


def test_a_second_clone_is_told(fresh, clone, tmp_path):
    second = shutil.copytree(clone, tmp_path / "custom_nodes" / "musubi-nodes-backup")
    message, _ = fresh(REFUSED.format(folder=str(second), before=f"load({str(clone)!r})"))
    assert "another musubi_nodes" in message and str(clone) in message


def test_deleting_a_plugins_folder_removes_it_without_a_trace(fresh, clone):
    before = fresh(STATE.format(folder=str(clone)))
    for folder in sorted(file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml")):
        shutil.rmtree(clone / "plugins" / folder)
        after = fresh(STATE.format(folder=str(clone)))
        gone = {node for node, plugin in before["nodes"].items() if plugin == folder}
        assert gone == (before["nodes"].keys() - after["nodes"].keys()) and bool(gone) == (folder != "miniature")
        assert after["plugins"] == [name for name in before["plugins"] if name != folder] and after["failed"] == {}
        assert after["families"] == [name for name in before["families"] if name != folder]
        assert folder not in after["installs"] and f"musubi_nodes_{folder}" not in after["modules"]
        before = after
    assert before["nodes"].keys() == set(listed(fresh, clone)["nodes"])


def test_without_any_plugin_the_core_stands_alone(fresh, clone):
    for folder in (clone / "plugins").iterdir():
        shutil.rmtree(folder)
    found = listed(fresh, clone)
    assert found["nodes"] and not [name for name in found["nodes"] if "Wan" in name]
    (clone / "plugins").rmdir()
    assert listed(fresh, clone)["nodes"] == found["nodes"]


def test_a_bundled_plugin_counts_beside_its_older_wheel(fresh, clone, older_wheel):
    package = older_wheel / "musubi_nodes_wan"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('the old one')", "utf-8")
    info = older_wheel / "musubi_nodes_wan-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: musubi-nodes-wan\nVersion: 0.0.1\n", "utf-8")
    (info / "entry_points.txt").write_text("[musubi_nodes]\nwan = musubi_nodes_wan\n", "utf-8")
    assert "MusubiTuner_WanModels" in listed(fresh, clone, older_wheel)["nodes"]


def test_a_wrong_configuration_is_one_clear_message(fresh, clone, tmp_path):
    (tmp_path / "config.toml").write_text("instal = 'x'", "utf-8")
    code = f"try:\n    load({str(clone)!r})\nexcept Exception as error:\n    print(json.dumps(str(error)))"
    told = fresh(code)
    assert all(value in told for value in ("config.toml", "instal ", "'install'"))
