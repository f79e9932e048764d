"""Names that must be unique among plugins."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from musubi_nodes.families.fields import Socket, socket_class
from musubi_nodes.plugins.discovery import CORE
from musubi_nodes.plugins.errors import PluginError
from musubi_nodes.plugins.registered import Registered

Key = tuple[str, str]


class Names:
    """Owners of names.

    Plugins may share a socket class, but a socket type belongs to one class only.
    """

    def __init__(self) -> None:
        self._taken: dict[Key, tuple[object, str]] = {_socket_key(kind): (kind, CORE) for kind in core_sockets()}

    def take(self, registered: Registered) -> None:
        mine: dict[Key, tuple[object, str]] = {}
        for key, thing in _claims(registered):
            held, owner = (self._taken | mine).get(key, (thing, ""))
            if held is not thing:
                code, whose = (
                    ("name-twice", "registered twice by this plugin")
                    if key in mine
                    else ("name-taken", f"already taken by {owner}")
                )
                raise PluginError(code, f"the {key[0]} {key[1]!r} is {whose}")
            mine[key] = (thing, registered.distribution)
        self._taken = mine | self._taken


def _claims(registered: Registered) -> Iterator[tuple[Key, object]]:
    yield from ((("node id", node.id), object()) for node in registered.nodes)
    yield from ((("family key", family.key), object()) for family in registered.families)
    yield from ((("install", install.name), object()) for install in registered.installs)
    yield from ((("executor", executor.name), object()) for executor in registered.executors)
    for node in registered.nodes:
        for kind in (*sockets_of(node.Inputs), *sockets_of(node.Outputs)):
            yield _socket_key(kind), kind


def sockets_of(model: type[BaseModel]) -> Iterator[type[Socket]]:
    """Return the classes that define the model's socket types."""
    for field in model.model_fields.values():
        kind = socket_class(field.annotation)
        if kind is not None:
            yield next(base for base in kind.__mro__ if "socket" in vars(base))


def core_sockets() -> Iterator[type[Socket]]:
    waiting = [Socket]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if "socket" in vars(kind) and kind.__module__.startswith("musubi_nodes."):
                yield kind


def _socket_key(kind: type[Socket]) -> Key:
    return "socket type", kind.socket
