"""The files of a plugin that is written from a family's scripts."""

from __future__ import annotations

from musubi_nodes.commands.tables import RELEASES
from musubi_nodes.families.generating.generator import Generator, ImageGenerator
from musubi_nodes.hosts.terminal.family_scripts import Found, read_family
from musubi_nodes.hosts.terminal.propose import Names, left_out, needed_files, nodes_module
from musubi_nodes.hosts.terminal.python_text import literal
from musubi_nodes.runs.install import Install

SMALL = {"width": 512, "height": 512}


def plugin_files(
    scaffold: dict[str, str], install: Install, pattern: str, names: Names
) -> tuple[dict[str, str], list[str]]:
    """Return files by path, and lines about what is open; ``scaffold`` is the picture family's."""
    found = read_family(install, pattern)
    module = f"src/musubi_nodes_{names.key}/nodes.py"
    kept = {path: text for path, text in scaffold.items() if path != f"tests/test_{names.key}.py"}
    rows = [f"| {names.title} Models | names the files |"]
    rows += [f"| {names.title} {each.kind.title} | `{each.name}` |" for each in found.scripts if not left_out(each)]
    readme = _with_table(kept["README.md"], rows)
    files = {**kept, module: nodes_module(found, names), "README.md": readme, "tests/test_real.py": _real(found, names)}
    return files, list(_notes(found, module))


def _with_table(readme: str, rows: list[str]) -> str:
    lines = [line for line in readme.split("\n") if not line.startswith("| ") or line == "| node | script |"]
    place = lines.index("|---|---|") + 1
    return "\n".join([*lines[:place], *rows, *lines[place:]])


def _notes(found: Found, module: str) -> list[str]:
    lines = [
        f"{script.name}: its --help failed ({script.failure}); its options are those of v{RELEASES[-1]}, without help"
        for script in found.scripts
        if script.failure
    ]
    lines += [f"{script.name}: no node, because {why}" for script in found.scripts if (why := left_out(script))]
    if len(found.architectures) != 1:
        seen = ", ".join(found.architectures) or "none was found"
        lines.append(f"the tail of its cache files is to be chosen: {seen}")
    if "network_module" not in found.training:
        lines.append("no documented command trains a LoRA: network_module is to be filled in")
    read = "docs/plugins.md of musubi-nodes, from Make it yours on"
    return [*(f"note:    {line}" for line in lines), f"next:    {module}; {read}"]


def _real(found: Found, names: Names) -> str:
    """Return the test of the whole way on a real musubi-tuner."""
    generator = found.of(Generator)
    pictures = generator is None or issubclass(generator.kind.base, ImageGenerator)
    files = [f'        {literal(name)}: "",' for name in needed_files(found)]
    small = SMALL if pictures else {**SMALL, "video_length": 5}
    return _REAL.format(
        title=names.title,
        camel=names.camel,
        files="\n".join(files),
        small=literal(small),
        made="images" if pictures else "video",
    )


_REAL = '''"""{title} on a real musubi-tuner: MUSUBI_NODES_REAL=main python -m pytest tests/test_real.py

``main`` is an install of config.toml; the files below lie in its model folders or in ComfyUI's.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.testing.family_place import FamilyPlace


class {camel}Place(FamilyPlace):
    prefix = "MusubiTuner_{camel}"
    files = {{
{files}
    }}
    small = {small}


@pytest.fixture
def place(tmp_path: Path, musubi_real: str) -> {camel}Place:
    return {camel}Place(tmp_path)


def test_pictures_become_a_lora_and_a_result(place: {camel}Place) -> None:
    trained = place.train()
    assert Path(trained.lora.path).is_file()
    assert place.generate(lora=trained.lora).{made} is not None
'''
