"""The slab of Niederer et al. 2011: what a resolution costs. (`cardiotwin verify` has all points of all nine pairs.)

    python benchmarks/niederer.py [--json] [--all]

With --all also dx 0.1 mm at dt 0.005 ms: 442,401 nodes, minutes.
"""

from __future__ import annotations

from table import Row, options, show

from cardiotwin.meshes.reference.slab import slab
from cardiotwin.verification.niederer import PAPER_P8_MS, SIZE_MM, niederer
from cardiotwin.verification.rows import row

LEVELS = ((0.5, 0.05), (0.5, 0.01), (0.5, 0.005), (0.2, 0.05), (0.2, 0.01))
FINEST = ((0.1, 0.05), (0.1, 0.01), (0.1, 0.005))


def rows(everything: bool) -> list[Row]:
    """P8 and the other points at each level; the last has the paper's spread as its bar."""
    table = []
    for edge_mm, dt_ms in LEVELS + (FINEST if everything else ()):
        times, seconds = niederer(edge_mm, dt_ms)
        n_nodes = len(slab(SIZE_MM, edge_mm).points)
        finest = (edge_mm, dt_ms) == (0.1, 0.005)
        table.append(
            row(
                f"dx {edge_mm:g} mm, dt {dt_ms:g} ms: P8", times["P8"], "ms", "37.8 to 48.7" if finest else "",
                PAPER_P8_MS[0] <= times["P8"] <= PAPER_P8_MS[1] if finest else None,
                ", ".join(f"{name} {t:.2f}" for name, t in times.items()) + f"; {n_nodes} nodes, {seconds:.1f} s",
            )
        )  # fmt: skip
    return table


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--all", action="store_true", help="the finest level too")
    asked = parser.parse_args()
    show([rows(asked.all)], as_json=asked.json)
