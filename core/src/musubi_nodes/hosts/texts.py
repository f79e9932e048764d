"""The nodes' sentences in other languages: each package brings ``locales/<language>.toml``, English = translated."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from musubi_nodes.families.node import Node
from musubi_nodes.i18n import Translate
from musubi_nodes.parsing import parse_toml

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ja")
CORE = "musubi_nodes"


class Texts:
    """English sentences of ``nodes`` in ``language``: those of a node's own package first, then the core's.

    ``missing`` and ``used`` hold ``(package, sentence)``, for the test that nothing is missing or left over.
    """

    def __init__(self, language: str, nodes: Iterable[type[Node]] = ()) -> None:
        self.language = language
        self.missing: set[tuple[str, str]] = set()
        self.used: set[tuple[str, str]] = set()
        self._nodes = {node.id: node for node in nodes}

    def of(self, node: type[Node] | None = None, table: str = "sentences") -> Translate:
        """What translates the sentences of ``node``, or of the core; a sentence without translation stays English.

        ``table``: ``messages`` are what nodes say, and causes and remedies in errors.
        """
        package = package_of(node) if node else CORE
        return lambda sentence: self._found(table, sentence, package) or self._missed(sentence, package)

    def title(self, id: str) -> str:
        """The title of a node, or ``id`` where there is none."""
        node = self._nodes.get(id)
        return self.of(node)(node.title) if node else id

    def label(self, node: type[Node] | str, name: str) -> str:
        """How a socket of a node (or of a node's id) is labelled.

        Widgets keep their names: messages and musubi-tuner's documentation use them.
        """
        found = self._nodes.get(node) if isinstance(node, str) else node
        if found is None or name not in _sockets(found):
            return name
        return self._found("labels", name, package_of(found)) or self._missed(name, package_of(found))

    def _found(self, table: str, key: str, package: str) -> str:
        for owner in (package, CORE):
            if found := translations(owner, self.language).get(table, {}).get(key):
                self.used.add((owner, key))
                return str(found)
        return ""

    def _missed(self, sentence: str, package: str) -> str:
        if self.language != ENGLISH:
            self.missing.add((package, sentence))
        return sentence


def _sockets(node: type[Node]) -> set[str]:
    inputs = (spec for spec in node.fields() if spec.kind == "socket")
    return {spec.name for spec in (*inputs, *node.outputs())}


def package_of(node: type[Node]) -> str:
    """The package that declares ``node``."""
    return node.__module__.partition(".")[0]


def translations(package: str, language: str) -> dict[str, dict[str, str]]:
    """``sentences``, ``messages``, and ``labels`` of sockets by their name, as one package brings them."""
    return data(package, f"{language}.toml")


@cache
def data(package: str, name: str) -> dict[str, Any]:
    """A TOML file of the folder ``locales`` in ``package``; empty where the package has none."""
    if not hasattr(sys.modules.get(package), "__path__"):  # a node of a single file
        return {}
    file = files(package) / "locales" / name
    return parse_toml(file.read_text("utf-8")) if file.is_file() else {}
