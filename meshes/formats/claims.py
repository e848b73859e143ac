"""What a mesh file says, before it is believed; how much is read at most; how a refusal speaks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cardiotwin.errors import MeshError, ResourceLimit

MOST_NODES, MOST_CELLS = 5_000_000, 20_000_000
MOST_VALUES_PER_ROW = 16
"""Of a data array: a tensor has 9."""
MM_PER = {"m": 1e3, "cm": 10.0, "mm": 1.0, "um": 1e-3, "in": 25.4}
"""Units of length that a file may be in."""
VOLUME_CELLS = ("tetra", "hexahedron", "wedge", "pyramid", "voxel", "polyhedron")
"""First letters of all cells with a volume, in meshio's names."""


@dataclass(frozen=True, eq=False)
class RawMesh:
    """Arrays of plausible shape and nothing more: indices, values and volumes are unchecked.

    Attributes
    ----------
    points : (n_nodes, 3) float64
        In the unit of the file.
    tets : (n_tets, 4) int64
    node_data, tet_data : dict of str to (n_nodes, ...) or (n_tets, ...) arrays
    unit : str
        What the format usually means: a key of `MM_PER`.
    notes : tuple of str
        What was left out.
    """

    points: np.ndarray
    tets: np.ndarray
    node_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    tet_data: Mapping[str, np.ndarray] = field(default_factory=dict)
    unit: str = "mm"
    notes: tuple[str, ...] = ()


def refused(name: str, found: str, expected: str, advice: str = "Export it again") -> MeshError:
    """One line: which file, what was found, what was expected, what to do."""
    return MeshError(f"{name}: found {found}; expected {expected}. {advice}")


def shown(value: object, most: int = 80) -> str:
    """A name or value from a file for one line of a message: control characters escaped, cut."""
    text = str(value)[: 4 * most].encode("unicode_escape").decode("ascii")
    return text if len(text) <= most else text[: most - 3] + "..."


def check_counts(name: str, n_nodes: int, n_cells: int) -> None:
    """Refuse before anything is allocated.

    Raises
    ------
    MeshError
        None, or a negative number.
    ResourceLimit
        More than `MOST_NODES` or `MOST_CELLS`.
    """
    if n_nodes < 1 or n_cells < 1:
        raise refused(name, f"{n_nodes} nodes and {n_cells} cells", "a volume mesh of 4-node tetrahedra")
    if n_nodes > MOST_NODES or n_cells > MOST_CELLS:
        raise ResourceLimit(
            f"{name}: found {n_nodes} nodes and {n_cells} cells; limit {MOST_NODES} and {MOST_CELLS}. Coarsen the mesh"
        )


def only_tetrahedra(name: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """A note on what is left out: cells without a volume. Other volumes would leave holes in the muscle.

    Parameters
    ----------
    counts : dict of str to int
        How many cells of each kind, in meshio's names.

    Raises
    ------
    MeshError
        No tetrahedra, or other volumes among them.
    """
    found = {kind: count for kind, count in counts.items() if count}
    others = [kind for kind in found if kind != "tetra" and kind.startswith(VOLUME_CELLS)]
    if not found.get("tetra") or others:
        kinds = ", ".join(f"{count} {shown(kind)}" for kind, count in sorted(found.items())) or "no cells"
        found_text = f"no tetrahedra (found {kinds})" if not found.get("tetra") else f"found {kinds}"
        raise MeshError(f"{name}: {found_text}; expected a volume mesh of 4-node tetrahedra. Convert the other cells")
    return tuple(f"{count} cells of kind {shown(kind)} left out" for kind, count in found.items() if kind != "tetra")
