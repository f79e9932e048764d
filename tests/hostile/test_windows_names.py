"""Names that Windows takes for something else: refused on every system, since a workflow travels."""

from __future__ import annotations

import json
import os
from pathlib import Path, PureWindowsPath

import pytest
from tests.hostile.every_node import every_node

from musubi_nodes.datasets.config.toml import parse
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.node import Node
from musubi_nodes.file_names import checked_name
from musubi_nodes.files import cleaned_path, is_inside, is_relative, is_share
from musubi_nodes.testing.errors import fails, says
from musubi_nodes.testing.hostile import assert_clear
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.windows_names import meaning_on_windows

DEVICES = (
    "CON",
    "nul",
    "Prn",
    "AUX",
    "CONIN$",
    "conout$",
    "COM1",
    "lpt9",
    "COM\u00b9",
    "NUL.txt",
    "aux.tar.gz",
    "nul .png",
)
ODD = (
    *DEVICES, *(f"cats\\{name}" for name in DEVICES), *(f"cats/{name}/a.png" for name in DEVICES),
    "x:x", "c:", "C:cats", "d:..\\cats", "C:cats\\nul.png",
    "a.png:b", "cats:hidden:$DATA", "C:\\cats\\a.png:b", "cats:$INDEX_ALLOCATION/a.png",
    "\\\\?\\C:\\cats", "//?/C:/cats", "\\\\.\\PhysicalDrive0", "//./pipe/x", "\\??\\C:\\cats", "\\\\?\\UNC\\host\\x",
    "\\??\\UNC\\host\\share\\a.png", "\\\\?", "\\/?/C:/x",
    "cats.", "cats ", "cats. .", "cats /a.png", "cats.\\a.png", "...", ".. ", "a/... /b",
)  # fmt: skip
PLAIN = (
    "a", "a.png", "cats/a.png", "..\\a", "./a", "../../a", "C:\\cats\\a.png", "c:/cats", "\\\\host\\share\\a.png",
    "//host/share/a.png", "console", "nullable.txt", "con_cats", "a.con", "com10", "lpt", "com0x", "aux-in", " cats",
    ".hidden", "..cats", "a..b", "猫/ねこ.png", "'quoted'", "\\cats", "",
)  # fmt: skip
ELSEWHERE = ("/data/run 12:00/cats.", "/aux/NUL", "~/cats:1/a.png")
"""Paths from the root or a home folder of another system than Windows."""


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_it_is_seen(text: str) -> None:
    assert meaning_on_windows(text)


@pytest.mark.parametrize("text", PLAIN, ids=ascii)
def test_a_plain_path_is_none(text: str) -> None:
    assert meaning_on_windows(text) == ""


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_whole_path_of_another_system_cannot_be_meant_for_windows(text: str) -> None:
    assert bool(meaning_on_windows(text)) == (os.name == "nt")


@pytest.mark.skipif(os.name != "nt", reason="Windows itself is asked what a name leads to")
@pytest.mark.parametrize("name", ["NUL", "cats.", "cats ", "x:x"])
def test_windows_agrees(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written under such a name does not lie in the folder under that name."""
    monkeypatch.chdir(tmp_path)
    try:
        Path(name).write_text("x")
    except OSError:
        return
    assert name not in os.listdir(tmp_path)  # noqa: PTH208


@pytest.mark.parametrize("text", [text for text in ODD if text == text.strip()], ids=ascii)
def test_a_path_of_a_workflow_is_refused_with_one_clear_error(text: str) -> None:
    for spelled in (text, f'"{text}"', f"  {text} "):
        with fails("path-unsafe-on-windows") as caught:
            cleaned_path(spelled)
        assert_clear(caught.value)


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_it_is_no_name_below_a_folder_and_no_name_of_an_output(text: str) -> None:
    assert not is_relative(text)
    with fails("file-name-invalid", "output_name"):
        checked_name(text, "output_name")


class Place(Workplace):
    """Also with the nodes of the terminal."""

    def node(self, name: str) -> type[Node]:
        return next(node for node in every_node() if node.id in (name, f"MusubiTuner_{name}"))


FIELDS = {
    "DatasetConfigLoader": "path",
    "DatasetConfigEditor": "source",
    "BatchProcessor": "file",
    "VideoInput": "file",
    "LoadImage": "image",
}


@pytest.mark.parametrize("node", FIELDS)
@pytest.mark.parametrize("text", ["NUL", "x:x", "cats:b", "\\??\\UNC\\host\\share\\a.png", "cats./a.png"])
def test_nodes_refuse_it_also_on_loopback(tmp_path: Path, musubi_miniature: str, node: str, text: str) -> None:
    place = Place(tmp_path)
    assert place.host.trusted
    with pytest.raises(MusubiError) as caught:
        place.run(node, **{FIELDS[node]: text})
    assert caught.value.code in ("path-unsafe-on-windows", "path-not-allowed")
    assert_clear(caught.value)


def test_a_dataset_toml_is_refused(tmp_path: Path) -> None:
    with fails("path-unsafe-on-windows", "image_directory"):
        parse({"datasets": [{"image_directory": "cats:b", "resolution": [64, 64]}]}, base=tmp_path)


def test_a_line_of_a_jsonl_file_is_told(tmp_path: Path) -> None:
    lines = [{"image_path": text, "caption": "a cat"} for text in ("cats:b", "\\??\\UNC\\host\\share\\a.png")]
    file = tmp_path / "cats.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    table = {"image_jsonl_file": str(file), "cache_directory": str(tmp_path / "cache"), "resolution": [64, 64]}
    (found,) = scan(parse({"datasets": [table]}, base=tmp_path)).datasets
    first, second = found.bad_lines
    assert says(first, "path-unsafe-on-windows", "line 1") and says(second, "path-unsafe-on-windows", "line 2")
    assert not found.items


@pytest.mark.parametrize(
    "text", ["\\??\\UNC\\host\\share", "/??/UNC/host/share", "\\\\?\\UNC\\host\\share", "//host/share"]
)
def test_every_spelling_of_a_network_share_is_one(text: str) -> None:
    assert is_share(text) and is_share(PureWindowsPath(text)) and not is_inside(Path(text), [Path("/data")])


def test_a_path_that_cannot_be_resolved_lies_in_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``resolve()`` of CON and NUL raises on Windows, that of a loop of links elsewhere."""

    def refuse(path: Path, strict: bool = False) -> Path:
        raise OSError(1, "Incorrect function", str(path))

    monkeypatch.setattr(Path, "resolve", refuse)
    assert not is_inside(tmp_path / "NUL", [tmp_path])
