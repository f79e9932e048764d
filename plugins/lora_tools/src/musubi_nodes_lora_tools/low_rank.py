"""Sums of low-rank updates: exact by concatenation, or cut to a rank by SVD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


class Update(NamedTuple):
    """A change of a weight: ``scale * up @ down``.

    ``up`` is outputs x rank (x 1 x 1 for a convolution), ``down`` rank x inputs (x height x width).
    """

    up: Array
    down: Array
    scale: float


def total(updates: Sequence[Update]) -> Update:
    """Return the exact sum; its rank is the sum of the ranks."""
    import numpy as np

    ups = [update.up * np.float32(update.scale) for update in updates]
    return Update(np.concatenate(ups, axis=1), np.concatenate([update.down for update in updates]), 1.0)


def cut(update: Update, rank: int) -> tuple[Update, float, float]:
    """Return the best update of this rank, and the kept and the whole squared norm.

    The factors are orthogonalised first, so that only a rank x rank matrix is decomposed.
    """
    import numpy as np

    up, down = (part.reshape(len(part), -1).astype(np.float64) for part in (update.up, update.down))
    left, left_rest = np.linalg.qr(up * update.scale)
    right, right_rest = np.linalg.qr(down.T)
    u, values, v = np.linalg.svd(left_rest @ right_rest.T)
    root = np.sqrt(values[:rank])
    new_up = (left @ u[:, :rank] * root).astype(np.float32)
    new_down = (root[:, None] * (v[:rank] @ right.T)).astype(np.float32)
    energy = values**2
    small = Update(new_up.reshape(-1, rank, *update.up.shape[2:]), new_down.reshape(rank, *update.down.shape[1:]), 1.0)
    return small, float(energy[:rank].sum()), float(energy.sum())
