"""Measures what this project promises: ``python -m bench`` in the repository's root. Needs neither GPU nor weights."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [str(ROOT / "core" / "src"), *sorted(str(path) for path in ROOT.glob("plugins/*/src"))]
sys.path[:0] = SOURCES
