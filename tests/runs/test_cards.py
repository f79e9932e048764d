"""What GPUs tell of themselves, and what they do not."""

from __future__ import annotations

import inspect

import pynvml
import pytest
from tests.fake_nvml import GIB, FakeGpu, FakeNvml

from musubi_nodes.runs.hardware.cards import Card, cards

QUESTIONS = {
    "UUID": {"uuid": ""},
    "Name": {"name": "NVIDIA GPU"},
    "MemoryInfo": {"used": None, "total": None},
    "UtilizationRates": {"use": None},
    "Temperature": {"temperature": None},
    "PowerUsage": {"power": None},
    "EnforcedPowerLimit": {"power_limit": None},
    "CurrentClocksThrottleReasons": {"hot": None},
}
"""What a card may not support, and what is not known then."""


def card(gpu: FakeGpu) -> Card:
    (found,) = cards(FakeNvml(gpu))
    return found


WHOLE = FakeGpu(used=18.5, use=97, temperature=71, watts=350, compute={11: 16.0, 12: 0.5}, graphics={13: 1.0})


def test_a_gpu_tells_memory_use_heat_power_and_who_holds_it() -> None:
    found = card(WHOLE)
    assert (found.number, found.uuid, found.name) == (0, "GPU-0", "NVIDIA GeForce RTX 4090")
    assert (found.used, found.total, found.free) == (18.5 * GIB, 24 * GIB, 5.5 * GIB)
    assert (found.use, found.temperature, found.hot) == (97, 71, False)
    assert (found.power, found.power_limit) == (350, 450)
    assert found.held == {11: 16 * GIB, 12: 0.5 * GIB, 13: GIB}
    assert found.held_by({11, 12, 99}) == 16.5 * GIB


@pytest.mark.parametrize("question", QUESTIONS)
def test_one_unsupported_question_costs_its_own_figure_only(question: str) -> None:
    told = card(FakeGpu(**{**vars(WHOLE), "refuses": (question,)}))
    assert vars(told) == {**vars(card(WHOLE)), **QUESTIONS[question]}


def test_a_card_that_supports_nothing_is_still_there() -> None:
    processes = ("ComputeRunningProcesses", "GraphicsRunningProcesses")
    found = card(FakeGpu(refuses=(*QUESTIONS, *processes)))
    assert found == Card(0, name="NVIDIA GPU") and found.held_by({1}) is None and found.free is None
    assert card(FakeGpu(refuses=("Handle",))) == Card(0)


def test_on_windows_processes_are_named_and_their_memory_is_not_told() -> None:
    found = card(FakeGpu(compute={11: None}, graphics={11: None, 12: None}))
    assert found.held == {11: None, 12: None}
    assert found.held_by({11, 12}) is None


def test_what_computes_and_draws_is_counted_once() -> None:
    assert card(FakeGpu(compute={11: 2.0, 12: None}, graphics={11: 2.0, 12: 1.0})).held == {11: 2 * GIB, 12: GIB}


def test_heat_is_told_apart_from_other_reasons_to_slow_down() -> None:
    assert [card(FakeGpu(reasons=reasons)).hot for reasons in (0x1, 0x4, 0x20, 0x40 | 0x4)] == [
        False,
        False,
        True,
        True,
    ]


def test_each_of_two_gpus_is_known_by_number_and_uuid() -> None:
    first, second = cards(FakeNvml(FakeGpu(), FakeGpu(name=b"Tesla T4")))
    assert second.name == "Tesla T4"
    assert second.is_called("1") and second.is_called("GPU-1") and not second.is_called("0")
    assert not first.is_called("") and not Card(0).is_called("")


def test_without_a_driver_there_are_none() -> None:
    assert cards(None) == []


def test_pynvml_has_every_name_that_the_stand_in_has() -> None:
    names = [name for name, _ in inspect.getmembers(FakeNvml) if name.lower().startswith("nvml")]
    assert len(names) > 15 and all(hasattr(pynvml, name) for name in names)
    for name in names:
        if name.startswith("nvml") and callable(real := getattr(pynvml, name)):
            given = list(inspect.signature(getattr(FakeNvml, name)).parameters)[1:]
            assert len(inspect.signature(real).parameters) >= len(given)
