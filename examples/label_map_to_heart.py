"""How long does a paced beat take to cross a real infarcted heart, given its contours and scar?

From a NIfTI label map to a heart with scar, paced at the left ventricular apex, with pictures and files for ParaView.
The word `phantom` in place of a label map takes the built-in patient, as in the README:

    python examples/label_map_to_heart.py shared/data/lge_cmr_nifti/labels_with_scar4.nii.gz paced/
    python examples/label_map_to_heart.py phantom paced/
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cardiotwin.exports.paraview import potential_file, write_study
from cardiotwin.heart.heart import LV_ENDOCARDIUM, Heart, build_heart
from cardiotwin.imaging import Image
from cardiotwin.ingest import read_label_map
from cardiotwin.monodomain import Activation, Protocol, Stimulus, simulate
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.lge import LgeScan, scan
from cardiotwin.pictures import write_pictures
from cardiotwin.pictures.bullseye import bullseye
from cardiotwin.progress import Progress, named, part, silent
from cardiotwin.segmentation import Segmentation, from_label_map
from cardiotwin.settings import MeshSettings, TissueSettings
from cardiotwin.storage.durable import write_file
from cardiotwin.study import Study
from cardiotwin.terminal import progress_bar
from cardiotwin.tissue.tissue import Velocities, make_tissue

DT_MS = 0.1
SETTINGS = TissueSettings(cell_model="mitchell_schaeffer")


def seen(labels: Path) -> tuple[Image | None, Segmentation]:
    """The map's codes are 1 left blood, 2 myocardium, 3 right blood, 4 scar, as CardioTwin's; it has no image."""
    if str(labels) == "phantom":
        return scan(make_anatomy(1), LgeScan(seed=1))
    return None, from_label_map(*read_label_map(labels))


def heart_with_scar(segmentation: Segmentation, edge_mm: float, progress: Progress = silent) -> Heart:
    return build_heart(segmentation, MeshSettings(edge_mm=edge_mm), progress=progress)


def apical_site(heart: Heart) -> np.ndarray:
    """Nodes of the left endocardium within 4 mm of its apex, as under a catheter's tip."""
    endocardium = heart.surface_nodes(LV_ENDOCARDIUM)
    tip = heart.mesh.points[endocardium[np.argmin(heart.apicobasal[endocardium])]]
    near = np.linalg.norm(heart.mesh.points[endocardium] - tip, axis=1) < 4.0
    return endocardium[near]


def paced(heart: Heart, duration_ms: float, progress: Progress = silent) -> Activation:
    """One beat from the apex."""
    velocities = Velocities(SETTINGS.velocity_fibre_m_per_s, SETTINGS.velocity_cross_m_per_s)
    tissue = make_tissue(heart, velocities, SETTINGS, dt_ms=DT_MS, progress=part(progress, 0.0, 0.2))
    beat = Protocol((Stimulus(apical_site(heart), start_ms=0.0),), duration_ms=duration_ms)
    return simulate(tissue, beat, dt_ms=DT_MS, snapshot_every_ms=10.0, progress=part(progress, 0.2, 1.0))


def activated_in_ms(activation: Activation) -> float:
    """When the last node that is activated at all is activated."""
    return float(np.nanmax(activation.activation_ms[0]))


def draw_all(
    folder: Path, image: Image | None, segmentation: Segmentation, heart: Heart, activation: Activation
) -> None:
    """Contours on the slices, substrate, mesh, fibres, and the beat as a bull's eye."""
    write_pictures(folder, Study(heart=heart, image=image, segmentation=segmentation))
    write_file(folder / "activation.png", bullseye(heart, activation.activation_ms[0], "activation, ms"))


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/label_map_to_heart.py LABEL_MAP|phantom FOLDER")
    labels, out = Path(sys.argv[1]), Path(sys.argv[2])
    with progress_bar(quiet=False) as progress:
        image, segmentation = seen(labels)
        heart = heart_with_scar(segmentation, 1.5, named("heart", part(progress, 0.0, 0.3)))
        activation = paced(heart, 400.0, named("beat", part(progress, 0.3, 1.0)))
    print(f"the beat crosses the heart in {activated_in_ms(activation):.0f} ms")
    write_study(out, Study(heart=heart))
    data, _ = potential_file(heart, activation.snapshot_ms, activation.snapshots)
    write_file(out / "potential.vtkhdf", data)
    draw_all(out / "pictures", image, segmentation, heart, activation)
    print(f"written: {out}/heart.vtu, {out}/potential.vtkhdf, {out}/pictures/")


if __name__ == "__main__":
    main()
