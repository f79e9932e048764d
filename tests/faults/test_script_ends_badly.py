"""The script dies, or says that all is well and has not done its work."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.faults.conftest import one_clear_message

from musubi_nodes.errors import MusubiError, OutOfGpuMemory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks are POSIX")

ENDS = {
    "out_of_gpu_memory": "CUDA out of memory. Tried to allocate 2.25 GiB",
    "killed": "wan_train_network.py was ended by SIGKILL",
    "segfault": "wan_train_network.py was ended by SIGSEGV",
    "nothing": "ended without an error, but my_lora.safetensors is not there",
    "truncated": "my_lora.safetensors",
    "nan": "holds NaN or infinite numbers",
}


@pytest.mark.parametrize("fault", ENDS)
def test_a_training_that_ends_badly_hands_nothing_on(faulty: Any, fault: str) -> None:
    place = faulty(fault)
    with pytest.raises(MusubiError) as caught:
        place.train("faulty")
    assert ENDS[fault] in str(caught.value)
    assert isinstance(caught.value, OutOfGpuMemory) == (fault == "out_of_gpu_memory")
    assert place.published() == [] and place.newest.status()["status"] == "failed"
    place.survived(caught.value)


CACHE_ENDS = {
    "killed": "was ended by SIGKILL",
    "nothing": "items have no latent cache",
    "truncated": "latent cache files are damaged",
}


@pytest.mark.parametrize("fault", CACHE_ENDS)
def test_a_cache_that_is_not_made_well_reaches_no_training(faulty: Any, fault: str) -> None:
    place = faulty(fault)
    with pytest.raises(MusubiError) as caught:
        place.caches("faulty")
    assert CACHE_ENDS[fault] in str(caught.value)
    assert not list(place.folder.glob("output/musubi/cached/*"))
    place.survived(caught.value)


GENERATION_ENDS = {
    ("nothing", "video"): "ended without an error, but wrote no video",
    ("nothing", "images"): "ended without an error, but wrote no images",
    ("nothing", "latent"): "ended without an error, but wrote no latent",
    ("truncated", "video"): "what it wrote is damaged",
    ("truncated", "images"): "what it wrote is damaged",
    ("truncated", "latent"): "what it wrote is damaged",
    ("truncated", "both"): "what it wrote is damaged",
}


@pytest.mark.parametrize(("fault", "output_type"), GENERATION_ENDS)
def test_a_generation_that_ends_badly_hands_nothing_on(faulty: Any, fault: str, output_type: str) -> None:
    place = faulty(fault)
    with pytest.raises(MusubiError) as caught:
        place.generate("faulty", output_type=output_type)
    assert GENERATION_ENDS[fault, output_type] in str(caught.value)
    one_clear_message(caught.value, log=True)
    output = place.host.output_folder / "musubi"
    assert place.processes() == [] and {path.name for path in output.iterdir()} == {"runs"}
    assert place.newest.status()["status"] == "failed"
    assert place.generate(output_type=output_type)
