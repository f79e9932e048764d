"""One writer, or several readers; who dies lets go."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from musubi_nodes.runs.locks import reading, writing

HOLDER = """
import sys, time
from pathlib import Path
from musubi_nodes.runs import locks

with getattr(locks, sys.argv[1])(Path(sys.argv[2]), lambda: None):
    Path(sys.argv[3]).touch()
    time.sleep(600)
"""


class GaveUp(Exception):
    pass


def give_up() -> None:
    raise GaveUp


@contextmanager
def held_elsewhere(
    kind: str, lock: Path, environment: dict[str, str], until: Callable[..., bool]
) -> Iterator[subprocess.Popen[bytes]]:
    ready = lock.with_name(f"ready-{kind}")
    process = subprocess.Popen([sys.executable, "-c", HOLDER, kind, str(lock), str(ready)], env=environment)
    try:
        assert until(ready.exists)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [("reading", reading, True), ("reading", writing, False), ("writing", reading, False), ("writing", writing, False)],
)
def test_only_readers_share(
    tmp_path: Path,
    host_environment: dict[str, str],
    until: Callable[..., bool],
    first: str,
    second: Callable[..., object],
    together: bool,
) -> None:
    lock = tmp_path / "caches.lock"
    with held_elsewhere(first, lock, host_environment, until):
        if together:
            with second(lock, give_up, 0.02):  # type: ignore[attr-defined]
                pass
        else:
            with pytest.raises(GaveUp), second(lock, give_up, 0.02):  # type: ignore[attr-defined]
                raise AssertionError("both hold it")
    with second(lock, give_up, 5):  # type: ignore[attr-defined]
        pass  # the first was killed


def test_nothing_is_left_of_readers(
    tmp_path: Path, host_environment: dict[str, str], until: Callable[..., bool]
) -> None:
    lock = tmp_path / "caches.lock"
    with held_elsewhere("reading", lock, host_environment, until):
        pass
    with reading(lock, give_up, 5):
        pass
    with writing(lock, give_up, 5):
        pass
    assert not list(tmp_path.glob("caches-*"))


def test_who_gives_up_waiting_to_write_lets_others_read(
    tmp_path: Path, host_environment: dict[str, str], until: Callable[..., bool]
) -> None:
    lock = tmp_path / "caches.lock"
    with held_elsewhere("reading", lock, host_environment, until):
        with pytest.raises(GaveUp), writing(lock, give_up, 0.02):
            raise AssertionError("a reader was not waited for")
        with reading(lock, give_up, 5):
            pass
