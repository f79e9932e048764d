from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.runs.record import tail as module
from musubi_nodes.runs.record.tail import log_text


def bar(step: int, total: int = 100, label: str = "steps: ") -> str:
    return f"\r{label}{step}%|█▏| {step}/{total} [00:01<00:10, 1.00it/s, avr_loss=0.{step}]"


def read(path: Path, content: str) -> list[str]:
    path.write_bytes(content.encode())
    return "".join(log_text(path)).splitlines()


@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_of_a_bar_the_last_state_is_left_however_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    bars = "".join(map(bar, range(1, 101)))
    lines = read(tmp_path / "log", f"Grüße, 猫\n{bars}\nsaved\r\n\nlast, unended")
    assert lines == ["Grüße, 猫", bar(100).strip(), "saved", "last, unended"]


def test_a_bar_that_begins_anew_and_one_of_another_name_are_others(tmp_path: Path) -> None:
    bars = "".join([bar(1), bar(20), bar(1), bar(30), bar(31, label="Sampling: ")])
    assert [line.split("%")[0] for line in read(tmp_path / "log", bars)] == ["steps: 20", "steps: 30", "Sampling: 31"]


def test_a_line_that_sticks_to_a_bar_ends_it(tmp_path: Path) -> None:
    lines = read(tmp_path / "log", f"{bar(1)}{bar(2)}INFO:root:saved{bar(3)}\n")
    assert lines == [bar(2).strip(), "INFO:root:saved", bar(3).strip()]


def test_any_byte_may_come(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\x00\xff\x1b[31mred\x1b[0m\n")
    assert list("".join(log_text(tmp_path / "log")).splitlines()) == ["\ufffdred"]
    (tmp_path / "log").write_bytes(b"")
    assert "".join(log_text(tmp_path / "log")) == ""


def test_of_a_large_log_the_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 8)
    first, *lines = read(tmp_path / "log", "12345\n1234\nab\n")
    assert "6 bytes" in first and str(tmp_path / "log") in first and lines == ["1234", "ab"]
