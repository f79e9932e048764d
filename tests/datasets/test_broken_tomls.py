from __future__ import annotations

from pathlib import Path

import pytest
from tests.datasets.broken_tomls import BROKEN, Broken

from musubi_nodes.datasets.toml import load
from musubi_nodes.errors import MusubiError


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_one_message_names_file_key_value_and_fix(tmp_path: Path, broken: Broken) -> None:
    path = tmp_path / "set.toml"
    path.write_text(broken.text, "utf-8")
    with pytest.raises(MusubiError) as caught:
        load(path)
    message = str(caught.value)
    assert "problems" not in message, message
    for part in ("set.toml", broken.where, broken.value, broken.fix):
        assert part in message, f"{part!r} is not in: {message}"


def test_each_mistake_is_another_one() -> None:
    assert len({broken.text for broken in BROKEN}) == len(BROKEN) >= 60
