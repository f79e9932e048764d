"""The GPUs of an inherited CUDA_VISIBLE_DEVICES, by NVML's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.hardware import gpu
from musubi_nodes.runs.hardware.cards import cards
from musubi_nodes.runs.hardware.cuda_order import cuda_order

VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")  # ROCm reads both; ComfyUI sets both alike


def selecting(environment: Mapping[str, str]) -> str | None:
    return next((name for name in VARIABLES if name in environment), None)


def visible_gpus(environment: Mapping[str, str], variable: str | None, wanted: int) -> list[str]:
    """List the GPUs of ``variable``, or all; unchecked without NVML (AMD)."""
    names = None if variable is None else _listed(environment[variable])
    with gpu.nvml() as library:
        if library is None:
            return [str(number) for number in range(wanted)] if names is None else names
        return _translated(library, names, environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID")


def _translated(library: object, names: Sequence[str] | None, by_bus: bool) -> list[str]:
    uuids = [card.uuid for card in cards(library)]
    if names is None:
        return [str(number) for number in range(len(uuids))]
    as_counted = by_bus or len(uuids) < 2 or not any(name.isdigit() for name in names)
    found = list(_found(names, uuids, range(len(uuids)) if as_counted else _own_order(uuids)))
    return found if len(set(found)) == len(found) else []  # CUDA shows none if one is named twice


def _found(names: Sequence[str], uuids: Sequence[str], order: Sequence[int]) -> Iterator[str]:
    """Parse as CUDA does: up to the first name that is no GPU."""
    for name in names:
        if name.startswith("MIG-"):
            yield name
            continue
        if name.isdigit():
            meant = list(order[int(name) : int(name) + 1])
        else:
            meant = [number for number, uuid in enumerate(uuids) if name.startswith("GPU-") and uuid.startswith(name)]
        if len(meant) != 1:
            return
        yield str(meant[0])


def _own_order(uuids: Sequence[str]) -> list[int]:
    order = cuda_order()
    if not order or not set(order) <= set(uuids):
        raise MusubiError(
            "gpu-order-unknown",
            "the numbers in CUDA_VISIBLE_DEVICES cannot be matched with this machine's GPUs",
            why="CUDA counts GPUs from the fastest, the driver by their slots, and CUDA did not answer.",
            fix="Set CUDA_DEVICE_ORDER=PCI_BUS_ID, with the numbers that nvidia-smi shows, and start again.",
        )
    return [uuids.index(uuid) for uuid in order]


def _listed(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    end = next((number for number, name in enumerate(names) if not name or name.startswith("-")), len(names))
    return names[:end]
