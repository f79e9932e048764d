"""Plot of a run's recorded resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from musubi_nodes.media.plot import Curve, Scale, plot
from musubi_nodes.nodes.resources.facts import PERCENT, Facts, percent

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A percentage from a row; the legend shows average or maximum."""

    name: str
    of: Callable[[Row], float | None]
    average: bool = False


FIGURES = (
    Figure("CPU", lambda row: row.get("cpu"), average=True),
    Figure("RAM", lambda row: percent(row.get("ram_used"), row.get("ram_total"))),
    Figure("GPU memory", lambda row: percent(row.get("gpu_used"), row.get("gpu_total"))),
    Figure("GPU memory of the run itself", lambda row: percent(row.get("gpu_own"), row.get("gpu_total"))),
    Figure("GPU use", lambda row: row.get("gpu_use"), average=True),
)
UNITS = (("s", 1.0), ("min", 60.0), ("h", 3600.0))


def record_plot(facts: Facts, size: tuple[int, int]) -> Any:
    rows = [row for row in facts.rows if "time" in row]
    start, end = (rows[0]["time"], rows[-1]["time"]) if rows else (0.0, 0.0)
    unit, seconds = next((each for each in UNITS if end - start < 180 * each[1]), UNITS[-1])
    times = [(row["time"] - start) / seconds for row in rows]
    curves = [_curve(figure, times, list(map(figure.of, rows))) for figure in FIGURES]
    name = facts.record.name if facts.record else ""
    scale = Scale(f" {unit}", " %", PERCENT)
    return plot([curve for curve in curves if curve], size, f"{name}, while it ran", scale=scale)


def _curve(figure: Figure, times: Sequence[float], values: Sequence[float | None]) -> Curve | None:
    """Draw raw values thin and averages thick."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    told = f"{fmean(known):.0f} % on average" if figure.average else f"at most {max(known):.0f} %"
    raw, smooth = (list(zip(times, each, strict=True)) for each in (values, _smoothed(values)))
    return Curve(f"{figure.name}, {told}", raw, smooth)


def _smoothed(values: Sequence[float | None]) -> list[float | None]:
    """Average over a thirtieth of the values; gaps stay."""
    reach = len(values) // 60
    near = ([v for v in values[max(0, at - reach) : at + reach + 1] if v is not None] for at in range(len(values)))
    return [fmean(found) if value is not None else None for found, value in zip(near, values, strict=True)]
