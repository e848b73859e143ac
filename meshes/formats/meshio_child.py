"""Run as a program, never imported: reads one file with meshio under limits and leaves arrays without Python objects.

    python -I meshio_child.py FILE FORMAT FOLDER BYTES

writes arrays as .npy and their names in meta.json into FOLDER. On anything wrong, meta.json has `error`.
"""

import json
import sys
from pathlib import Path

CPU_S = 300


def limit(n_bytes: int) -> None:
    """Memory, time, and no file larger than the memory."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    for kind, most in ((resource.RLIMIT_AS, n_bytes), (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_FSIZE, n_bytes)):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (most, hard))
        except (ValueError, OSError):  # macOS knows no limit of memory
            continue


def read(path: Path, form: str, folder: Path) -> dict:
    import meshio
    import numpy as np

    mesh = meshio.read(path, file_format=form)
    blocks = [k for k, block in enumerate(mesh.cells) if block.type == "tetra"]
    counts: dict = {}
    for block in mesh.cells:
        counts[block.type] = counts.get(block.type, 0) + len(block.data)

    def save(name: str, array: object) -> None:
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)

    save("points", mesh.points)
    save("tets", np.concatenate([np.asarray(mesh.cells[k].data) for k in blocks]) if blocks else np.zeros((0, 4), int))
    node_names: list[str] = []
    tet_names: list[str] = []
    for name, values in mesh.point_data.items():
        save(f"node{len(node_names)}", values)
        node_names.append(str(name))
    for name, values in mesh.cell_data.items():
        if blocks:
            save(f"tet{len(tet_names)}", np.concatenate([np.asarray(values[k]) for k in blocks]))
            tet_names.append(str(name))
    return {"counts": counts, "node": node_names, "tet": tet_names}


def main() -> None:
    path, form, folder, n_bytes = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    limit(n_bytes)
    try:
        meta = read(path, form, folder)
    except SystemExit:  # meshio ends the process on a damaged file
        meta = {"error": "damaged, or another format of this ending"}
    except MemoryError:
        meta = {"error": "asks for more memory than a file of its size can need"}
    except Exception as error:
        meta = {"error": " ".join(f"{type(error).__name__} {error}".split())[:200]}
    (folder / "meta.json").write_text(json.dumps(meta))


if __name__ == "__main__":
    main()
