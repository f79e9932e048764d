from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.runs.record.series import Series
from musubi_nodes.runs.record.tail import LINES, Tail


def write(path: Path, *rows: dict[str, Any], mode: str = "a") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def steps(series: Series) -> list[int]:
    series.read()
    return [point["step"] for point in series.points()]


def test_a_hundred_thousand_points_are_thinned_evenly_first_and_last_kept(metrics: Path) -> None:
    write(metrics, *({"step": step, "loss": 1 / step} for step in range(1, 100_001)))
    series = Series(metrics)
    found = steps(series)
    assert 1_000 <= len(found) <= 2_001
    assert (found[0], found[-1], series.count) == (1, 100_000, 100_000)
    assert {b - a for a, b in pairwise(found[:-1])} == {series.stride}
    assert all(point["loss"] == 1 / point["step"] for point in series.points())


def test_a_gap_is_one_where_no_step_of_it_has_a_number(metrics: Path) -> None:
    """Thinned or not: one step without a number is none of a hundred, wherever it is."""
    bad = {*range(1, 400, 7), 1025, 3072, *range(5000, 6000)}
    write(metrics, *({"step": step, "loss": None if step in bad else 1.0} for step in range(1, 10_001)))
    series = Series(metrics, most=200)
    found = steps(series)
    gaps = [point["step"] for point in series.points() if point["loss"] is None]
    assert series.stride == 64 and gaps and all(5000 <= step < 6000 for step in gaps)
    assert gaps[-1] - gaps[0] >= 1000 - 3 * series.stride
    assert found == sorted(set(found)) and found[-1] == 10_000
    assert max(later - earlier for earlier, later in pairwise(found)) <= 2 * series.stride


def test_thinning_while_reading_gives_what_one_reading_gives(metrics: Path) -> None:
    grown = Series(metrics, most=20)
    for step in range(1, 331):
        write(metrics, {"step": step, "loss": float(step % 7)})
        if step % 3 == 0:
            grown.read()
    whole = Series(metrics, most=20)
    whole.read()
    grown.read()
    assert grown.points() == whole.points()


def test_only_what_was_appended_is_read_and_a_half_line_waits(metrics: Path) -> None:
    series = Series(metrics)
    write(metrics, {"step": 1, "loss": 1.0})
    assert steps(series) == [1]
    metrics.write_bytes(b"X" * (metrics.stat().st_size - 1) + b"\n")  # nobody looks there again
    with metrics.open("a") as file:
        file.write('{"step": 2, "lo')
    assert steps(series) == [1]
    with metrics.open("a") as file:
        file.write('ss": 3.0}\n')
    assert steps(series) == [1, 2]
    assert series.last is not None and series.last["loss"] == 3.0


def test_events_that_begin_late_fill_the_steps_that_the_bar_told(metrics: Path) -> None:
    series = Series(metrics)
    write(metrics, {"step": 2, "average": 0.5}, {"step": 3, "average": 0.4})
    series.read()
    before = series.version
    write(metrics, {"step": 1, "loss": 0.9}, {"step": 2, "loss": 0.8}, {"step": 3, "loss": 0.7})
    assert steps(series) == [1, 2, 3]
    assert [(point["loss"], point.get("average")) for point in series.points()] == [(0.9, None), (0.8, 0.5), (0.7, 0.4)]
    assert series.version > before


@pytest.mark.parametrize(
    "line", ["[1]", '"x"', "{}", '{"step": "1"}', '{"step": -1}', '{"step": true}', "{", "[" * 5000, "NaN"]
)
def test_a_line_that_is_no_row_is_left_out(metrics: Path, line: str) -> None:
    metrics.write_text(f'{line}\n{{"step": 1, "loss": 2.0}}\n')
    assert steps(Series(metrics)) == [1]


def test_what_is_no_number_is_unknown_and_the_smooth_line_goes_on(metrics: Path) -> None:
    metrics.write_text(
        '{"step": 1, "loss": 2.0}\n{"step": 2, "loss": NaN}\n{"step": 3, "loss": "x"}\n{"step": 4, "loss": 2.0}\n'
    )
    series = Series(metrics)
    series.read()
    assert [point["loss"] for point in series.points()] == [2.0, None, None, 2.0]
    assert [point["smooth"] for point in series.points()] == pytest.approx([2.0, None, None, 2.0])


def test_smoothing_has_no_pull_to_zero_and_follows(metrics: Path) -> None:
    write(metrics, *({"step": step, "loss": 1.0 if step <= 300 else 3.0} for step in range(1, 1301)))
    series = Series(metrics)
    series.read()
    smooth = [point["smooth"] for point in series.points()]
    assert smooth[0] == pytest.approx(1.0) and smooth[299] == pytest.approx(1.0)
    assert smooth[400] == pytest.approx(3 - 2 * 2.718281828**-1.01, abs=0.1)
    assert smooth[-1] == pytest.approx(3.0, abs=0.01)


def test_without_single_losses_the_average_is_smoothed(metrics: Path) -> None:
    series = Series(metrics, span=2)
    write(metrics, {"step": 1, "average": 2.0}, {"step": 2, "average": 1.0})
    series.read()
    assert series.last is not None and 1.0 < series.last["smooth"] < 2.0 and not series.single
    write(metrics, {"step": 3, "loss": 7.0})
    series.read()
    assert series.last["smooth"] == pytest.approx(7.0) and series.single


def test_a_shorter_file_begins_anew(metrics: Path) -> None:
    series = Series(metrics)
    write(metrics, {"step": 1}, {"step": 2})
    assert steps(series) == [1, 2]
    write(metrics, {"step": 7}, mode="w")
    assert steps(series) == [7]
    metrics.unlink()
    assert steps(series) == []


def test_the_tail_leaves_bars_out_and_reads_on(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    tail = Tail(log)
    tail.read()
    log.write_bytes(b"x" * 400_000 + b"\nfirst\nsteps:  1%|#| 1/100 [00:01<00:01, 9.9it/s, avr_loss=1.0]\rhal")
    tail.read()
    assert list(tail.lines)[-1] == "first" and max(map(len, tail.lines)) <= 300
    with log.open("ab") as file:
        file.write(b"f\n" + b"".join(b"line %d\n" % number for number in range(50)))
    tail.read()
    assert len(tail.lines) == LINES and tail.lines[-1] == "line 49"
