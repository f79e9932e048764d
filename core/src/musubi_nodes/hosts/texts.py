"""Translations in each package's ``locales/<language>.toml``."""

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
    """Translations into one language, of a node's package, then the core.

    ``missing`` and ``used`` contain ``(package, sentence)`` for the tests.
    """

    def __init__(self, language: str, nodes: Iterable[type[Node]] = ()) -> None:
        self.language = language
        self.missing: set[tuple[str, str]] = set()
        self.used: set[tuple[str, str]] = set()
        self._nodes = {node.id: node for node in nodes}

    def of(self, node: type[Node] | None = None, table: str = "sentences") -> Translate:
        """Return a translator, which falls back to English.

        The table ``messages`` has progress texts, and causes and fixes of errors; words that web/js shows too are in
        ``page``.
        """
        package = package_of(node) if node else CORE
        return lambda sentence: self._found(table, sentence, package) or self._missed(sentence, package)

    def title(self, id: str) -> str:
        node = self._nodes.get(id)
        return self.of(node)(node.title) if node else id

    def label(self, node: type[Node] | str, name: str) -> str:
        """Translate a socket's label; widgets keep their names."""
        found = self._nodes.get(node) if isinstance(node, str) else node
        if found is None or name not in _sockets(found):
            return name
        return self._found("labels", name, package_of(found)) or self._missed(name, package_of(found))

    def _found(self, table: str, key: str, package: str) -> str:
        for owner in (package, CORE):
            known = translations(owner, self.language)
            if found := known.get(table, {}).get(key) or (table == "messages" and known.get("page", {}).get(key)):
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
    return node.__module__.partition(".")[0]


def translations(package: str, language: str) -> dict[str, dict[str, str]]:
    return data(package, f"{language}.toml")


@cache
def data(package: str, name: str) -> dict[str, Any]:
    if not hasattr(sys.modules.get(package), "__path__"):  # a node of a single file
        return {}
    file = files(package) / "locales" / name
    return parse_toml(file.read_text("utf-8")) if file.is_file() else {}
