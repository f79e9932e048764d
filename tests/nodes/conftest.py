from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """Runs nodes in a terminal; its input folder is ``<folder>/input``."""
    (tmp_path / "input").mkdir()
    monkeypatch.chdir(tmp_path / "input")
    return Workplace(tmp_path)
