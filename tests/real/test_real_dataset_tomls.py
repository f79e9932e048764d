"""What the editor writes is read by musubi-tuner's own loader: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.datasets.documented_media import TOMLS, make_media

from musubi_nodes.datasets.config.toml import effective, load
from musubi_nodes.runs.install import load_install
from musubi_nodes.testing.workplace import Workplace

pytestmark = pytest.mark.musubi

READ = """
import argparse, json, sys
from musubi_tuner.dataset import config_utils as c
found = []
for path in sys.argv[1:]:
    user = c.load_user_config(path)
    given = argparse.Namespace(debug_dataset=False)
    made = c.BlueprintGenerator(c.ConfigSanitizer()).generate(user, given, architecture="wan")
    group = c.generate_dataset_group_by_blueprint(made.dataset_group)
    found.append([(len(d.datasource), d.num_repeats, list(d.resolution), d.cache_directory) for d in group.datasets])
print(json.dumps(found))
"""


def test_every_documented_toml_is_accepted_after_editing(real_musubi: dict[str, str], tmp_path: Path) -> None:
    media, place = tmp_path / "media", Workplace(tmp_path)
    make_media(media)
    written = []
    for toml in TOMLS:
        path = Path(shutil.copy(toml, media))
        made = place.run("DatasetConfigEditor", toml=str(path), name=toml.stem, num_repeats=7)
        written.append(Path(made.path))
    install = load_install("real", real_musubi["root"], real_musubi.get("python"))
    command = [str(install.python), "-c", READ, *map(str, written)]
    environment = {**os.environ, "PYTHONPATH": str(install.root / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    for path, theirs in zip(written, told, strict=True):
        ours = [(one.num_repeats, list(one.resolution)) for one in effective(load(path))]
        assert [(repeats, size) for _, repeats, size, _ in theirs] == ours
        assert all(count for count, *_ in theirs) and theirs[0][1] == 7
