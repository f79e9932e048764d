"""Beyond loopback nothing outside the allowed folders is opened, by whatever field, file or link it is named; on
loopback the same is opened, so that each of these tests can fail."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.every_node import every_node
from tests.hostile.opened import opened
from tests.hostile.test_running import sockets
from tests.hostile.world import World
from tests.links import can_link, symlink

from musubi_nodes.config import load_config
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.node import Node
from musubi_nodes.families.product import LORA
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Training
from musubi_nodes.families.training.fingerprint import TrainingFingerprint
from musubi_nodes.families.training.resume import resume_point
from musubi_nodes.hosts.comfyui.host import ComfyHost
from musubi_nodes.testing.errors import codes, fails
from musubi_nodes.testing.hostile import assert_clear, text_fields

READS = {
    "MusubiTuner_DatasetConfigLoader": {"path": "secret.toml"},
    "MusubiTuner_DatasetConfigEditor": {"toml": "secret.toml", "source": "", "control_directory": ""},
    "MusubiTuner_BatchProcessor": {"file": "secret.csv"},
    "MusubiTuner_VideoInput": {"file": "secret.mp4"},
    "LoadImage": {"image": "secret.png"},
}
"""The fields that read a file or folder by its path, each with what lies outside for it."""
PLAIN = [node for node in every_node() if not issubclass(node, ScriptNode)]


@pytest.fixture
def world(tmp_path: Path, musubi_miniature: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """Its input folder has links to the folder outside, and to each file there."""
    made = World(tmp_path)
    folder = made.folder / "input"
    folder.mkdir()
    picture(made.outside / "secret.png")
    (made.outside / "secret.toml").write_text(f"[[datasets]]\nimage_directory = '{made.outside}'\n", "utf-8")
    if can_link():
        symlink(folder / "link", made.outside)
        for file in made.outside.iterdir():
            symlink(folder / f"link-{file.name}", file)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(made.host, "trusted", False)
    made.services.config = made.services.config.model_copy(update={"read_roots": [str(made.folder)]})
    return made


def picture(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (96, 64), "red").save(path)


def spellings(world: World, name: str) -> list[str]:
    """One file or folder outside, spelled in every way."""
    own, whole = f"link-{name}" if name else "link", str(world.outside / name)
    linked = [f"link/../link/{name}", own, str(world.folder / "input" / own)] if can_link() else []
    return [whole, f"../../outside/{name}", f"'{whole}'", *linked]


def names(world: World) -> list[str]:
    return ["", *sorted(file.name for file in world.outside.iterdir())]


@pytest.mark.parametrize("node", PLAIN, ids=lambda node: node.id)
def test_no_field_of_any_node_opens_what_lies_outside(node: type[Node], world: World) -> None:
    given = sockets(world)
    needed = {spec.name: given[spec.socket] for spec in node.fields() if spec.required and spec.socket in given}
    own = {"source": str(world.folder / "pictures")} if node.id.endswith("Editor") else {}
    texts = [text for name in names(world) for text in spellings(world, name)]
    with opened(world.outside) as found:
        for spec in text_fields(node.Inputs):
            for text in texts:
                world.attempt(node.id, **{**needed, **own, spec.name: text})
                assert not found, f"{spec.name} = {text}"


@pytest.mark.parametrize(("node", "field"), [(node, field) for node, fields in READS.items() for field in fields])
def test_it_is_refused_with_the_way_out(node: str, field: str, world: World) -> None:
    sockets(world)
    own = {"source": str(world.folder / "pictures")} if node.endswith("Editor") and field != "source" else {}
    for text in spellings(world, READS[node][field]):
        with pytest.raises(MusubiError) as caught:
            world.run(node, **{**own, field: text})
        assert {"path-not-allowed", "path-outside-folder"} & {*codes(caught.value)}
        assert_clear(caught.value)


@pytest.mark.parametrize(("node", "field"), [(node, field) for node, fields in READS.items() for field in fields])
def test_on_loopback_the_same_is_opened(node: str, field: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.host, "trusted", True)
    sockets(world)
    if field == "control_directory":
        picture(world.outside / "p0.png")
    own = {"source": str(world.folder / "pictures")} if node.endswith("Editor") and field != "source" else {}
    with opened(world.outside) as found:
        world.attempt(node, **{**own, field: str(world.outside / READS[node][field])})
    assert found


def line(**values: str) -> str:
    return json.dumps({"caption": "a square", **values}) + "\n"


def toml(world: World, text: str) -> dict[str, Any]:
    path = world.folder / "input" / "own.toml"
    path.write_text("[general]\nresolution = [96, 64]\ncaption_extension = '.txt'\n[[datasets]]\n" + text, "utf-8")
    return {"path": str(path)}


def in_folder(world: World, name: str, target: str) -> dict[str, Any]:
    """A folder of the input folder with a picture, its caption, and a link."""
    folder = world.folder / "input" / "pictures"
    folder.mkdir()
    picture(folder / "a.png")
    if name != "a.txt":
        (folder / "a.txt").write_text("a square", "utf-8")
    if name == "b.png":
        (folder / "b.txt").write_text("a square", "utf-8")
    symlink(folder / name, world.outside / target)
    return toml(world, f"image_directory = '{folder}'\n")


def controls(world: World, kind: str) -> dict[str, Any]:
    """A folder of control pictures; ``kind``: the folder, or one of its files, is a link."""
    pictures, folder = world.folder / "input" / "pictures", world.folder / "input" / "control"
    pictures.mkdir()
    picture(pictures / "a.png")
    (pictures / "a.txt").write_text("a square", "utf-8")
    if kind == "folder":
        symlink(folder, world.outside)
    else:
        folder.mkdir()
        symlink(folder / "a.png", world.outside / "secret.png")
    return toml(world, f"image_directory = '{pictures}'\ncontrol_directory = '{folder}'\n")


def jsonl(world: World, text: str) -> dict[str, Any]:
    path = world.folder / "input" / "own.jsonl"
    path.write_text(text, "utf-8")
    return toml(world, f"image_jsonl_file = '{path}'\ncache_directory = '{world.folder / 'input' / 'cache'}'\n")


def prompts(world: World, name: str, text: str) -> dict[str, Any]:
    path = world.folder / "input" / name
    path.write_text(text, "utf-8")
    return {"file": str(path)}


LOADER, BATCH = "MusubiTuner_DatasetConfigLoader", "MusubiTuner_BatchProcessor"
FILES: dict[str, tuple[str, Callable[[World], dict[str, Any]]]] = {
    "image_directory": (LOADER, lambda w: toml(w, f"image_directory = '{w.outside}'\n")),
    "image_directory by ..": (LOADER, lambda w: toml(w, "image_directory = '../../outside'\n")),
    "image_directory by a link": (LOADER, lambda w: toml(w, "image_directory = 'link'\n")),
    "video_directory": (LOADER, lambda w: toml(w, f"video_directory = '{w.outside}'\n")),
    "video_directory by a link": (LOADER, lambda w: toml(w, "video_directory = 'link'\n")),
    "image_jsonl_file": (LOADER, lambda w: toml(w, f"image_jsonl_file = '{w.outside}/secret.jsonl'\n")),
    "video_jsonl_file by a link": (LOADER, lambda w: toml(w, "video_jsonl_file = 'link-secret.jsonl'\n")),
    "cache_directory": (LOADER, lambda w: toml(w, f"image_directory = '.'\ncache_directory = '{w.outside}'\n")),
    "cache_directory by ..": (LOADER, lambda w: toml(w, "image_directory = '.'\ncache_directory = '../../outside'\n")),
    "cache_directory by a link": (LOADER, lambda w: toml(w, "image_directory = '.'\ncache_directory = 'link/c'\n")),
    "control_directory": (LOADER, lambda w: toml(w, f"image_directory = '.'\ncontrol_directory = '{w.outside}'\n")),
    "control_directory by a link": (LOADER, lambda w: controls(w, "folder")),
    "a control picture that is a link": (LOADER, lambda w: controls(w, "file")),
    "a picture that is a link": (LOADER, lambda w: in_folder(w, "b.png", "secret.png")),
    "a caption that is a link": (LOADER, lambda w: in_folder(w, "a.txt", "secret.txt")),
    "a picture of a JSONL": (LOADER, lambda w: jsonl(w, line(image_path=str(w.outside / "secret.png")))),
    "a picture of a JSONL by ..": (LOADER, lambda w: jsonl(w, line(image_path="../../outside/secret.png"))),
    "a picture of a JSONL by a link": (LOADER, lambda w: jsonl(w, line(image_path="link-secret.png"))),
    "a picture of a JSONL that is not there": (LOADER, lambda w: jsonl(w, line(image_path=str(w.outside / "no.png")))),
    "a control picture of a JSONL": (
        LOADER,
        lambda w: jsonl(w, line(image_path="a.png", control_path=str(w.outside / "secret.png"))),
    ),
    "a picture of a CSV": (BATCH, lambda w: prompts(w, "a.csv", f"prompt,image\na,{w.outside}/secret.png\n")),
    "a picture of a CSV by ..": (BATCH, lambda w: prompts(w, "a.csv", "prompt,image\na,../../outside/secret.png\n")),
    "a picture of a JSONL of prompts by a link": (
        BATCH,
        lambda w: prompts(w, "a.jsonl", json.dumps({"prompt": "a", "image": "link-secret.png"})),
    ),
}
"""What a file of the input folder names: the node that reads it, and how it is made."""
NEEDS_LINKS = pytest.mark.skipif(not can_link(), reason="no symbolic link can be made here")
CASES = [pytest.param(case, marks=NEEDS_LINKS if "by a link" in case else ()) for case in FILES]


@pytest.mark.parametrize("case", CASES)
def test_a_file_inside_leads_to_nothing_outside(case: str, world: World) -> None:
    node, made = FILES[case]
    values = made(world)
    with opened(world.outside) as found:
        with fails("path-not-allowed") as caught:
            world.run(node, **values)
        assert not found
    assert_clear(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_asking_whether_it_changed_opens_nothing_outside_either(case: str, world: World) -> None:
    name, made = FILES[case]
    node, values = world.node(name), made(world)
    context = types.SimpleNamespace(host=world.host, services=world.services, node_id="7")
    with opened(world.outside) as found, fails("path-not-allowed"):
        node().changed(node.parse(values), context)  # type: ignore[arg-type]
    assert not found


def test_a_configured_folder_may_be_read(world: World) -> None:
    world.services.config = world.services.config.model_copy(update={"read_roots": [str(world.outside)]})
    (world.outside / "secret.txt").write_text("a square", "utf-8")
    values = toml(world, f"image_directory = '{world.outside}'\n")
    assert world.run(LOADER, **values).dataset.config


def test_a_state_to_resume_lies_in_the_output_folder(world: World) -> None:
    output, state = world.host.output_folder, world.outside / "a-state"
    state.mkdir()
    (state / "model.safetensors").write_bytes(b"")
    output.mkdir(parents=True, exist_ok=True)
    symlink(output / "linked-state", state)
    identity = TrainingFingerprint(key="", output_name="my_lora", program="", dataset="", settings={})
    for text in (str(state), "../../outside/a-state", "linked-state", "//host/a-state", "\\\\host\\a-state", "~/a"):
        inputs = types.SimpleNamespace(training=Training(resume=text), optimizer=None, train_again=False)
        with pytest.raises(MusubiError, match="resume") as caught:
            resume_point(inputs, identity, Context(world.host, world.services), world.services.families[0], LORA)
        assert_clear(caught.value)


@pytest.mark.parametrize("share", ["//host/share/data", "\\\\host\\share\\data"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_network_share_is_read_only_where_it_is_configured(
    share: str, trusted: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows logs in at whatever host is named, as the user."""
    monkeypatch.setattr(world.host, "trusted", trusted)
    share = share.replace("\\", "/") if sys.platform != "win32" else share
    values = toml(world, f"image_directory = '{share}'\n")
    with fails("path-not-allowed", "share"):
        world.run(LOADER, **values)
    world.services.config = world.services.config.model_copy(update={"read_roots": ["//host/share"]})
    with fails("folder-missing", "share"):
        world.run(LOADER, **values)


def test_a_line_of_a_jsonl_that_names_a_share_is_refused_on_loopback_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.host, "trusted", True)
    spelled = (r"//host", r"\\\\host", r"/\\host", r"\/\/host", r"\u002f\u002Fhost")
    for name in (f"{host}/share/a.png" for host in spelled):
        with fails("path-not-allowed"):
            world.run(LOADER, **jsonl(world, f'{{"caption": "a", "image_path": "{name}"}}\n'))


@pytest.mark.parametrize("where", ["pictures/cache", "pictures-cache", "caches/pictures"])
def test_on_loopback_caches_may_lie_beside_the_dataset(
    where: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.host, "trusted", True)
    world.dataset()
    folder = str(world.folder / where)
    source = str(world.folder / "pictures")
    made = world.run("DatasetConfigEditor", source=source, cache_directory=folder)
    assert [str(part.cache_directory) for part in made.dataset.config.datasets] == [folder]
    loaded = world.run(LOADER, **toml(world, f"image_directory = '{source}'\ncache_directory = '{folder}'\n"))
    assert [str(part.cache_directory) for part in loaded.dataset.config.datasets] == [folder]


def test_on_loopback_a_toml_says_where_its_caches_lie(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a file of the user's own disk, as musubi-tuner takes it; a workflow can name it, not write it."""
    monkeypatch.setattr(world.host, "trusted", True)
    world.dataset()
    values = toml(world, f"image_directory = '{world.folder / 'pictures'}'\ncache_directory = '{world.outside}/c'\n")
    (part,) = world.run(LOADER, **values).dataset.config.datasets
    assert part.cache_directory == world.outside / "c"


def test_a_workflow_cannot_have_caches_written_anywhere_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.host, "trusted", True)
    world.dataset()
    linked = ["link/x"] if can_link() else []
    for folder in (str(world.outside), "/etc", "../../outside/x", "//host/share", *linked):
        with fails("path-not-allowed"):
            world.run("DatasetConfigEditor", source=str(world.folder / "pictures"), cache_directory=folder)


@pytest.mark.parametrize(
    ("listen", "trusted"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("127.0.0.1, ::1", True),
        ("0.0.0.0", False),
        ("0.0.0.0,::", False),
        ("127.0.0.1,192.168.1.5", False),
        ("my-host", False),
        ("", False),
    ],
)
def test_comfyui_is_trusted_only_on_loopback(listen: str, trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    listening(listen, monkeypatch)
    assert ComfyHost().trusted is trusted


def test_comfyui_behind_a_proxy_is_not_trusted_where_the_configuration_says_so(
    monkeypatch: pytest.MonkeyPatch, own_surroundings: Path
) -> None:
    listening("127.0.0.1", monkeypatch)
    (own_surroundings / "config.toml").write_text("shared = true\n", "utf-8")
    load_config.cache_clear()
    assert not ComfyHost().trusted


def listening(listen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = types.ModuleType("comfy.cli_args")
    arguments.args = types.SimpleNamespace(listen=listen)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comfy", types.ModuleType("comfy"))
    monkeypatch.setitem(sys.modules, "comfy.cli_args", arguments)
