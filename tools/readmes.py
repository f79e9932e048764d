"""Writes the tables of model files into the READMEs of the plugins: ``python -m tools.readmes``.

They come from the declarations of the models nodes; a test refuses a README that differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from musubi_nodes.families import Node
from musubi_nodes.files import write_text
from musubi_nodes.hosts.texts import package_of
from musubi_nodes.plugins.manager import plugins

ROOT = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"(?<=<!-- files -->\n).*?(?=<!-- /files -->)", re.DOTALL)
HEAD = "| input | file | folder | from |\n|---|---|---|---|\n"


def readmes() -> Iterator[tuple[Path, str]]:
    """The README of each bundled plugin whose nodes name files to download, as it should be."""
    for node in plugins().nodes:
        file = ROOT / "plugins" / package_of(node).removeprefix("musubi_nodes_") / "README.md"
        if file.is_file() and TABLE.search(text := file.read_text("utf-8")) and any(s.downloads for s in node.fields()):
            yield file, TABLE.sub(lambda _: table(node), text)  # noqa: B023


def table(node: type[Node]) -> str:
    """What fits each input of a models node."""
    rows = [
        f"| `{spec.name}` | [{file.name}]({file.url}) | `{spec.model_kind}` | `{file.repository}` |\n"
        for spec in node.fields()
        for file in spec.downloads
    ]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    for path, text in readmes():
        write_text(path, text)
