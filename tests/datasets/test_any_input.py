from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musubi_nodes.datasets.config.keys import KEYS
from musubi_nodes.datasets.config.toml import loads, parse
from musubi_nodes.errors import MusubiError

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)
_keys = st.sampled_from(sorted({*KEYS["image"], *KEYS["video"], "cache_dir"})) | st.text(max_size=8)
_tables = st.dictionaries(_keys, _values, max_size=6)
_quick = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@_quick
@given(st.fixed_dictionaries({}, optional={"general": _tables | _values, "datasets": st.lists(_tables) | _values}))
def test_any_values_give_a_configuration_or_a_clear_error(raw: dict[str, object]) -> None:
    try:
        assert parse(raw, base=Path("/data")).datasets
    except MusubiError as error:
        assert error.what


@_quick
@given(st.text() | st.text(alphabet="[]=\"\\\n datasetsimage_directory.1,'{}"))
def test_any_text_gives_a_configuration_or_a_clear_error(text: str) -> None:
    try:
        assert loads(text, base=Path("/data")).datasets
    except MusubiError as error:
        assert error.what
