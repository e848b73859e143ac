"""Does a cine study, which shows no scar, still give a heart?

From a folder of cine DICOM to a mesh with fibres: ingest, segment, mesh. Scar cannot be seen on
cine, and the heart says so.

    python examples/cine_to_heart.py shared/data/cine_cmr_dicom/dicoms heart.vtu
"""

from __future__ import annotations

import sys
from pathlib import Path

from cardiotwin.heart.heart import Heart, build_heart
from cardiotwin.ingest import read_dicom
from cardiotwin.meshes.formats import write_mesh
from cardiotwin.meshes.quality import quality
from cardiotwin.progress import Progress, part, silent
from cardiotwin.segmentation import Segmentation, segment, volumes_ml
from cardiotwin.settings import MeshSettings, SegmentSettings


def cine_heart(folder: Path, edge_mm: float, progress: Progress = silent) -> tuple[Segmentation, Heart]:
    """Segmentation of the first frame after the R wave, and the heart meshed from it."""
    image = read_dicom(folder, kind="cine", progress=part(progress, 0.0, 0.3))
    segmentation = segment(image, SegmentSettings(), part(progress, 0.3, 0.5))
    heart = build_heart(segmentation, MeshSettings(edge_mm=edge_mm), progress=part(progress, 0.5, 1.0))
    return segmentation, heart


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    segmentation, heart = cine_heart(folder, 1.5, lambda share, what: print(f"{share:4.0%}  {what}"))
    found, drawn = quality(heart.mesh), volumes_ml(segmentation)
    print(f"myocardium {drawn['wall']:.0f} mL in voxels, {found.volume_ml:.0f} mL in {found.n_tets} tetrahedra")
    print(f"left ventricular blood {drawn['lv_blood']:.0f} mL; smallest dihedral {found.smallest_dihedral:.0f} degrees")
    print("scar:", "see the mesh" if heart.scar_assessable else "not assessable, this is a cine and not an LGE study")
    write_mesh(
        out,
        heart.mesh,
        {"transmural": heart.transmural, "apicobasal": heart.apicobasal},
        {"fibres": heart.fibres, "ventricle": heart.ventricle},
    )
    print(f"written: {out}")


if __name__ == "__main__":
    main()
