"""Collects and checks a plugin's registrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from musubi_nodes.families.family import Family
from musubi_nodes.families.node import Node
from musubi_nodes.files import SAFE_NAME
from musubi_nodes.plugins.declared import problems_of
from musubi_nodes.plugins.errors import PluginError
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.executor import Executor

Ask = Callable[[str], Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Registered:
    distribution: str
    families: tuple[Family, ...] = ()
    nodes: tuple[type[Node], ...] = ()
    installs: tuple[Install, ...] = ()
    executors: tuple[Executor, ...] = ()


def collect(distribution: str, ask: Ask) -> Registered:
    """Call all hooks of one plugin; raises :class:`PluginError`."""
    return Registered(
        distribution,
        families=_answers(ask, "musubi_register_family", _family),
        nodes=_answers(ask, "musubi_register_nodes", _node),
        installs=_answers(ask, "musubi_provide_installs", _install),
        executors=_answers(ask, "musubi_provide_executors", _executor),
    )


def _answers(ask: Ask, hook: str, checked: Callable[[Any], T]) -> tuple[T, ...]:
    try:
        return tuple(checked(item) for item in _items(ask(hook)))
    except PluginError as error:
        raise error.at(hook) from error


def _items(answer: Any) -> Iterator[Any]:
    """Normalise one item, several, or ``None``."""
    if answer is None:
        return
    several = isinstance(answer, Iterable) and not isinstance(answer, str | bytes | Mapping | type)
    yield from answer if several else [answer]


def _family(item: Any) -> Family:
    if not isinstance(item, Family):
        raise PluginError("answer-invalid", f"{_shown(item)} is no Family")
    _named(item.key, "the family's key")
    return item


def _node(item: Any) -> type[Node]:
    if not isinstance(item, type) or not issubclass(item, Node):
        raise PluginError("answer-invalid", f"{_shown(item)} is no node class")
    _named(getattr(item, "id", None), f"the id of {item.__name__}")
    if wrong := problems_of(item):  # type: ignore[arg-type]  # a class can be hashed
        raise PluginError("node-invalid", f"node {item.id}: {'; '.join(map(str, wrong))}", problems=wrong)
    return item


def _install(item: Any) -> Install:
    if not isinstance(item, Install):
        raise PluginError("answer-invalid", f"{_shown(item)} is no Install")
    _named(item.name, "the install's name")
    return item


def _executor(item: Any) -> Executor:
    if isinstance(item, type) or not callable(getattr(item, "start", None)):
        raise PluginError("answer-invalid", f"{_shown(item)} is no Executor: it needs name and start(spec)")
    _named(getattr(item, "name", None), "the executor's name")
    return item


def _named(name: Any, what: str) -> None:
    if not isinstance(name, str) or not SAFE_NAME.fullmatch(name):
        raise PluginError("name-invalid", f"{what} is {_shown(name)}; letters, digits, '.', '_' and '-' are possible")


def _shown(item: Any) -> str:
    return repr(item)[:80]
