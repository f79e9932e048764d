"""Two results have one key only if all that they are made from is the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from musubi_nodes.commands.parser_options import parser_options
from musubi_nodes.families import (
    Context,
    Family,
    InputFile,
    Install,
    ModelFile,
    NodeInputs,
    Option,
    SameResult,
    ToolInputs,
    ToolNode,
    write_bytes,
)
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.result_key import key_of
from musubi_nodes.testing.workplace import Workplace

BYTES = np.arange(24, dtype=np.float32)
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "another shape of an array": (BYTES.reshape(4, 6), BYTES.reshape(6, 4)),
    "another type of its numbers": (BYTES, BYTES.view(np.int32)),
    "one array or two": ([BYTES], [BYTES[:12], BYTES[12:]]),
    "two arrays, parted elsewhere": ([BYTES[:12], BYTES[12:]], [BYTES[:6], BYTES[6:]]),
    "an array and its bytes": (BYTES, BYTES.tobytes()),
    "lists that are nested in another way": ([["a"], ["b"]], [["a", "b"], []]),
    "a text and a number": ("1", 1),
    "where one text ends": (["a\0b", "c"], ["a", "b\0c"]),
    "a mapping's values": ({"a": BYTES}, {"a": BYTES + 1}),
    "nothing and an empty text": (None, ""),
}


class Inputs(NodeInputs):
    """Fields of a third party's node."""

    source: Any = None
    memory: Any = None
    device: str = ""
    threads: Annotated[int, Option(), SameResult()] = 1
    adapter: Annotated[str | None, ModelFile("loras")] = None


@pytest.mark.parametrize("row", DIFFERENT)
def test_what_differs_has_another_key(row: str) -> None:
    one, other = DIFFERENT[row]
    assert key_of(one) == key_of(one) != key_of(other)


@pytest.mark.parametrize("make", [object, lambda: (n for n in ()), lambda: test_what_differs_has_another_key])
def test_what_cannot_be_told_apart_names_no_result(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        key_of([make()])


@pytest.mark.parametrize("values", [{"source": BYTES}, {"memory": BYTES}, {"device": "cuda:1"}])
def test_a_field_counts_whatever_its_name(values: dict[str, Any]) -> None:
    assert key_of(Inputs()) != key_of(Inputs(**values))


def test_a_field_that_is_marked_so_does_not_count() -> None:
    assert key_of(Inputs()) == key_of(Inputs(threads=8))


def test_a_model_file_without_an_option_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"one")
    before = key_of(Inputs(adapter=str(file)))
    file.write_bytes(b"two")
    assert before != key_of(Inputs(adapter=str(file)))


SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
for name in ("shovel", "bucket", "threads"):
    parser.add_argument(f"--{name}")
parser.parse_args()
"""


class Dig(ToolNode):
    """Digs with a script that no stored table knows."""

    id, title, script = "Dig", "Dig", "dig.py"
    family = Family("dig", "Dig", "dig", "networks.lora_dig")

    class Inputs(ToolInputs):
        shovel: Annotated[str | None, ModelFile("loras"), Option()] = None
        bucket: Annotated[str | None, ModelFile("loras")] = None
        threads: Annotated[int, Option(), SameResult()] = 1

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"bucket": inputs.bucket}


def planned(install: Install, values: Mapping[str, Any]) -> Plan:
    known = parser_options(install, Dig.script)
    return Dig().planned(Dig.Inputs(**values), known, install.version).on(install)


@pytest.fixture
def key(tmp_path: Path, musubi_surroundings: Path) -> Callable[..., str]:
    folder = tmp_path / "src" / "musubi_tuner"
    folder.mkdir(parents=True)
    (folder / "dig.py").write_text(SCRIPT, "utf-8")
    install = Install("mine", tmp_path, Path(sys.executable))
    return lambda **values: planned(install, values).key()


@pytest.mark.parametrize("field", ["shovel", "bucket"])
def test_a_changed_file_behind_an_unknown_option_has_another_key(
    field: str, key: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"one")
    before = key(**{field: str(file)})
    assert key(**{field: str(file)}) == before
    file.write_bytes(b"two")
    assert key(**{field: str(file)}) != before


def test_an_option_that_is_marked_so_does_not_count(key: Callable[..., str]) -> None:
    assert key() == key(threads=8)


class Convert(ToolNode):
    """Reads an upload beside its options."""

    id, title, script = "Convert", "Convert", "convert_lora.py"

    class Inputs(ToolInputs):
        reference: Annotated[str, InputFile("image")]

    def computed_options(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"target": "other"}


def test_a_changed_upload_has_another_key(musubi_workplace: Workplace) -> None:
    context = Context(musubi_workplace.host, musubi_workplace.services)
    file = context.host.input_folder() / "a.png"
    keys = []
    for content in (b"one", b"one", b"two"):
        write_bytes(file, content)
        keys.append(Convert().plan(Convert.Inputs(reference="a.png"), context).key())
    assert keys[0] != keys[2]
