"""What ComfyUI's event loop asks of nodes is answered within a budget, whatever lies on disk."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import json.scanner
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from tests.giving_up import GivenUp, GivesUp

from musubi_nodes import budget, parsing
from musubi_nodes.budget import LOOK_SECONDS, Budget, Interruptible, limited_by, spend
from musubi_nodes.errors import MusubiError, Unresolved
from musubi_nodes.files import CAPTION, read_bytes
from musubi_nodes.hosts.comfyui import early, promptly
from musubi_nodes.hosts.comfyui.promptly import Lists, begin_request, validated
from musubi_nodes.testing.errors import fails
from musubi_nodes.weights import read_header


@pytest.fixture
def hanging() -> Iterator[Callable[[], Any]]:
    """Something that does not end before the test."""
    over = threading.Event()
    yield over.wait
    over.set()


def test_what_a_check_raises_is_raised() -> None:
    def check() -> None:
        raise MusubiError("something-wrong", "wrong")

    with fails("something-wrong"):
        asyncio.run(validated(check))


def test_the_event_loop_goes_on_while_a_check_hangs(monkeypatch: Any, hanging: Callable[[], Any]) -> None:
    monkeypatch.setattr(promptly, "SECONDS", 0.1)
    turns = []

    async def both() -> None:
        checked = asyncio.ensure_future(validated(hanging))
        while not checked.done():
            turns.append(1)
            await asyncio.sleep(0.001)
        assert await checked is True

    asyncio.run(both())
    assert len(turns) > 5


def test_a_request_waits_once_for_all_its_checks(monkeypatch: Any, hanging: Callable[[], Any]) -> None:
    monkeypatch.setattr(promptly, "SECONDS", 0.1)
    asked = []

    async def request() -> None:
        begin_request()
        await validated(hanging)
        await validated(lambda: asked.append(1))

    asyncio.run(request())
    assert not asked


def test_requests_have_budgets_of_their_own(monkeypatch: Any, hanging: Callable[[], Any]) -> None:
    monkeypatch.setattr(promptly, "SECONDS", 0.1)
    asked = []

    async def request(check: Callable[[], Any]) -> None:
        begin_request()
        await validated(check)

    asyncio.run(request(hanging))
    monkeypatch.setattr(promptly, "SECONDS", 60.0)
    asyncio.run(request(lambda: asked.append(1)))
    assert asked


def test_no_more_threads_wait_than_are_allowed(monkeypatch: Any, hanging: Callable[[], Any]) -> None:
    monkeypatch.setattr(promptly, "SECONDS", 0.01)
    monkeypatch.setattr(promptly, "_free", threading.BoundedSemaphore(2))
    before = threading.active_count()
    for _ in range(5):
        assert asyncio.run(validated(hanging))
    assert threading.active_count() <= before + 2


def test_a_file_beyond_the_budget_is_not_read(tmp_path: Any) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"12345")
    with Budget(60, 8).used():
        assert read_bytes(path, CAPTION) == b"12345"
        with pytest.raises(Unresolved):
            read_bytes(path, CAPTION)
    assert read_bytes(path, CAPTION) == b"12345"


def test_no_file_is_opened_when_the_time_is_over(tmp_path: Any) -> None:
    (tmp_path / "a.txt").touch()
    budget = Budget(0, 8)
    with budget.used():
        time.sleep(0.001)
        with pytest.raises(Unresolved):
            read_bytes(tmp_path / "a.txt", CAPTION)
    assert budget.seconds < 0


@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="Windows counts handles of all kinds")
def test_a_file_is_closed_when_the_user_gives_up_as_it_is_opened(tmp_path: Any) -> None:
    (tmp_path / "a.txt").touch()
    before = psutil.Process().num_fds()
    with limited_by(GivesUp()), pytest.raises(GivenUp):
        read_bytes(tmp_path / "a.txt", CAPTION)
    assert psutil.Process().num_fds() == before


def test_a_user_is_asked_some_times_a_second_while_files_are_gone_through() -> None:
    looks: list[float] = []
    with limited_by(Interruptible(lambda: looks.append(time.monotonic()))):
        for _ in range(10_000):
            spend()
    assert all(later - one >= LOOK_SECONDS for one, later in pairwise(looks))
    assert len(looks) < 10_000


@pytest.mark.parametrize("watch", [Budget(60, 8), Interruptible(lambda: None)])
def test_who_reads_much_lets_other_threads_on(monkeypatch: Any, watch: Any) -> None:
    start, rests = time.monotonic() + 1, []
    now = [start]
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=rests.append))
    with watch.used() if isinstance(watch, Budget) else limited_by(watch):
        for step in range(1_000):
            now[0] = start + step / 100_000
            spend()
    assert len(rests) in (5, 6)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomli is all there is")
def test_toml_is_parsed_by_what_lets_other_threads_on() -> None:
    found = importlib.util.find_spec(f"{parsing.toml().__name__}._parser")
    assert found and str(found.origin).endswith(".py")


@pytest.mark.parametrize(
    "text", [f'["{"a" * parsing.AT_ONCE}", {{"b": [1, 2.5, null]}}]', f"[{'[], ' * parsing.AT_ONCE}[]]"]
)
def test_long_json_is_parsed_by_what_lets_other_threads_on(monkeypatch: Any, text: str) -> None:
    scanned: list[int] = []
    patient = json.scanner.py_make_scanner

    def noting(decoder: Any) -> Any:
        scanned.append(1)
        return patient(decoder)

    monkeypatch.setattr(json.scanner, "py_make_scanner", noting)
    assert parsing.parse_json(text, len(text)) == json.loads(text)
    assert parsing.parse_json("[1]") == [1]
    assert len(scanned) == 1


def test_long_json_that_is_none_is_told_with_its_place() -> None:
    with pytest.raises(json.JSONDecodeError) as told:
        parsing.parse_json(f'["{"a" * parsing.AT_ONCE}",\n 1, x]')
    assert (told.value.lineno, told.value.colno) == (2, 5)
    with pytest.raises(ValueError, match="levels deep"):
        parsing.parse_json("[" * (parsing.AT_ONCE + 1), parsing.AT_ONCE + 1)


@pytest.mark.parametrize("text", [f"[{'[], ' * parsing.AT_ONCE}[]]", f"[{'1, ' * parsing.AT_ONCE}{'[], ' * 99}[]]"])
def test_long_json_is_given_up(text: str) -> None:
    with pytest.raises(Unresolved), Budget(-1, 8).used():
        parsing.parse_json(text, len(text))


def test_a_header_counts_for_what_is_made_of_it(tmp_path: Any) -> None:
    header = b'{"__metadata__":{}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with Budget(60, len(header) * 3).used():
        read_header(tmp_path / "a.safetensors")
    with pytest.raises(Unresolved), Budget(60, len(header) * 3 - 1).used():
        read_header(tmp_path / "a.safetensors")


def test_plugins_are_loaded_when_the_server_starts(monkeypatch: Any) -> None:
    begun: list[Any] = []
    loaded = threading.Event()
    monkeypatch.setattr(early, "load", loaded.set)
    early.load_when_started()
    assert not loaded.is_set()
    app = SimpleNamespace(on_startup=begun)
    server = SimpleNamespace(PromptServer=SimpleNamespace(instance=SimpleNamespace(app=app)))
    monkeypatch.setitem(sys.modules, "server", server)
    early.load_when_started()
    assert not loaded.is_set()
    asyncio.run(begun[0](app))
    assert loaded.wait(60)


def test_a_list_that_is_not_there_in_time_is_the_last_known_one(monkeypatch: Any, hanging: Callable[[], Any]) -> None:
    lists = Lists[list[str]]()
    monkeypatch.setattr(promptly, "RESTS", 0)
    assert lists.get("a", lambda: ["1"], []) == ["1"]
    monkeypatch.setattr(promptly, "LIST_SECONDS", 0.01)
    assert lists.get("a", hanging, []) == ["1"]
    assert lists.get("b", hanging, ["none"]) == ["none"]


def test_a_folder_that_hangs_is_looked_at_once(monkeypatch: Any, hanging: Callable[[], Any]) -> None:
    looks = []

    def look() -> list[str]:
        looks.append(1)
        hanging()
        return []

    monkeypatch.setattr(promptly, "LIST_SECONDS", 0.01)
    lists = Lists[list[str]]()
    for _ in range(5):
        lists.get("a", look, [])
    assert len(looks) == 1


def test_a_list_that_takes_long_is_kept_for_longer(monkeypatch: Any) -> None:
    monkeypatch.setattr(promptly, "RESTS", 1_000_000)
    lists = Lists[list[str]]()

    def slow() -> list[str]:
        time.sleep(0.02)
        return ["1"]

    assert lists.get("a", slow, []) == lists.get("a", lambda: ["2"], []) == ["1"]


def test_an_error_of_a_list_is_raised_and_looked_for_again() -> None:
    def look() -> list[str]:
        raise MusubiError("file-missing", "no")

    lists = Lists[list[str]]()
    with pytest.raises(MusubiError):
        lists.get("a", look, [])
    assert lists.get("a", lambda: ["1"], []) == ["1"]


def test_what_cannot_be_loaded_early_is_told_to_whoever_asks_for_it(monkeypatch: Any) -> None:
    def broken() -> None:
        raise MusubiError("config-invalid", "the configuration is wrong")

    monkeypatch.setattr("musubi_nodes.plugins.manager.plugins", broken)
    early.load()
