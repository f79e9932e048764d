"""A number that no float holds is refused where it is typed: a script would fail late, or train to NaN."""

from __future__ import annotations

import pytest

from musubi_nodes.commands.extra import extra_arguments
from musubi_nodes.commands.tables import table
from musubi_nodes.families.settings.lines import key_value_lines
from musubi_nodes.testing.errors import fails

SCRIPT = "wan_generate_video.py"
TOO_LARGE = ["9" * 400, "-" + "9" * 400, "1e400"]


@pytest.mark.parametrize("number", TOO_LARGE)
def test_extra_options_take_finite_numbers_only(number: str) -> None:
    known = table(SCRIPT) or {}
    with fails("option-value-other-kind", "guidance_scale"):
        list(extra_arguments(f"guidance_scale = {number}", SCRIPT, known, "0.3.4"))
    assert [argument.value for argument in extra_arguments("guidance_scale = 7", SCRIPT, known, "0.3.4")] == [7]


@pytest.mark.parametrize("number", TOO_LARGE)
@pytest.mark.parametrize("form", ["{}", "(0.9, {})", "[{}]", "0.9,{}"])
def test_arguments_by_lines_take_finite_numbers_only(form: str, number: str) -> None:
    with fails("number-too-large"):
        key_value_lines(f"betas={form.format(number)}")
    assert key_value_lines("betas=(0.9, 0.999)\nname=inf") == ["betas=(0.9, 0.999)", "name=inf"]
