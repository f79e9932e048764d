"""The script dies, or says that all is well and has not done its work."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.faults.conftest import one_clear_message

from musubi_nodes.errors import OutOfGpuMemory
from musubi_nodes.testing.errors import fails

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks are POSIX")

ENDS = {
    "out_of_gpu_memory": ("gpu-out-of-memory", "CUDA out of memory. Tried to allocate 2.25 GiB"),
    "killed": ("script-killed", "wan_train_network.py"),
    "segfault": ("script-crashed", "SIGSEGV"),
    "nothing": ("output-missing", "my_lora.safetensors"),
    "truncated": ("file-truncated", "my_lora.safetensors"),
    "nan": ("lora-not-finite", "my_lora.safetensors"),
}


@pytest.mark.parametrize("fault", ENDS)
def test_a_training_that_ends_badly_hands_nothing_on(faulty: Any, fault: str) -> None:
    place = faulty(fault)
    with fails(*ENDS[fault]) as caught:
        place.train("faulty")
    assert isinstance(caught.value, OutOfGpuMemory) == (fault == "out_of_gpu_memory")
    assert place.published() == [] and place.newest.status()["code"] == caught.value.code
    place.survived(caught.value)


CACHE_ENDS = {"killed": "script-killed", "nothing": "cache-missing", "truncated": "cache-damaged"}


@pytest.mark.parametrize("fault", CACHE_ENDS)
def test_a_cache_that_is_not_made_well_reaches_no_training(faulty: Any, fault: str) -> None:
    place = faulty(fault)
    with fails(CACHE_ENDS[fault]) as caught:
        place.caches("faulty")
    assert not list(place.folder.glob("output/musubi/cached/*"))
    place.survived(caught.value)


GENERATION_ENDS = {
    ("nothing", "video"): "output-missing",
    ("nothing", "images"): "output-missing",
    ("nothing", "latent"): "output-missing",
    ("truncated", "video"): "output-damaged",
    ("truncated", "images"): "output-damaged",
    ("truncated", "latent"): "output-damaged",
    ("truncated", "both"): "output-damaged",
}


@pytest.mark.parametrize(("fault", "output_type"), GENERATION_ENDS)
def test_a_generation_that_ends_badly_hands_nothing_on(faulty: Any, fault: str, output_type: str) -> None:
    place = faulty(fault)
    with fails(GENERATION_ENDS[fault, output_type]) as caught:
        place.generate("faulty", output_type=output_type)
    one_clear_message(caught.value, log=True)
    output = place.host.output_folder / "musubi"
    assert place.processes() == [] and {path.name for path in output.iterdir()} == {"runs"}
    assert place.newest.status()["status"] == "failed"
    assert place.generate(output_type=output_type)
