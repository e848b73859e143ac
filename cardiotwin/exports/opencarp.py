"""A study as files that openCARP opens: mesh, fibres, regions, sites, and conductivities for its velocities.

Positions in µm (.pts), a tissue class at every element (.elem: 1 healthy, 2 border zone, 3 scar core), fibre and sheet
directions (.lon), nodes of every site (.vtx), parameters (.par). CardioTwin's own conductivities are tuned to its
lumped mass and would be wrong there: those written are tuned as openCARP's tuneCV does, on a cable with consistent mass
at the mesh's median edge and first-order steps; `cardiotwin verify` compares that with openCARP's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cardiotwin.calibration.sinus_beat import best_member
from cardiotwin.errors import QualityGate
from cardiotwin.heart.heart import BORDER_ZONE, CORE, HEALTHY, Heart
from cardiotwin.kernels.ionic.ten_tusscher_2006 import AUTHORS_STATE
from cardiotwin.meshes.formats import vertex_text, write_opencarp
from cardiotwin.meshes.quality import edge_lengths
from cardiotwin.progress import Progress, part, silent
from cardiotwin.storage.durable import write_file
from cardiotwin.study import Study
from cardiotwin.tissue.velocity import tune
from cardiotwin.units import CHI_PER_MM

MODELS = {"ten_tusscher_2006": "tenTusscherPanfilov"}
"""Cell models for which conductivities are written, and openCARP's names of them."""
DT_MS = 0.02
NAMES = {HEALTHY: "healthy", BORDER_ZONE: "border_zone", CORE: "core"}
CORE_S_PER_M = 1e-6
"""openCARP has no element without conductivity."""
STALE = ("pacing_site_*.vtx", "activation_site_*.vtx")


def write_opencarp_study(folder: Path | str, study: Study, progress: Progress = silent) -> tuple[Path, ...]:
    """Write heart.pts, .elem, .lon and .par, and a .vtx for each pacing site and activation site of the best member.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written; no file is half written.
    """
    folder, heart = Path(folder), study.heart
    folder.mkdir(parents=True, exist_ok=True)
    for path in [old for pattern in STALE for old in folder.glob(pattern)]:
        path.unlink()
    progress(0.0, "openCARP: mesh")
    written = [*write_opencarp(folder / "heart", heart.mesh, heart.tissue_class, heart.fibres, heart.sheets)]
    for name, nodes in sites(study):
        written.append(folder / f"{name}.vtx")
        write_file(written[-1], vertex_text(nodes))
    written.append(folder / "heart.par")
    names = [path.stem for path in written if path.suffix == ".vtx"]
    write_file(written[-1], _parameters(study, names, part(progress, 0.3, 1.0)).encode())
    progress(1.0, "openCARP")
    return tuple(written)


def sites(study: Study) -> Iterator[tuple[str, np.ndarray]]:
    """Name and nodes of each site: tissue that is excited at once, at least the nearest node."""
    conducting = np.unique(study.heart.mesh.tets[study.heart.tissue_class != CORE])
    tree = cKDTree(study.heart.mesh.points[conducting])

    def nodes(position: np.ndarray, radius_mm: float) -> np.ndarray:
        near = tree.query_ball_point(position, radius_mm) or [tree.query(position)[1]]
        return np.sort(conducting[near])

    if study.arrhythmias is not None:
        for k, position in enumerate(study.arrhythmias.site_positions, start=1):
            yield f"pacing_site_{k}", nodes(position, study.settings.induce.electrode_radius_mm)
    if study.posterior is not None:
        for k, position in enumerate(study.posterior.site_positions[best_member(study.posterior)], start=1):
            yield f"activation_site_{k}", nodes(position, study.settings.simulate.site_radius_mm)


def _velocities(study: Study) -> tuple[float, float, str]:
    """Along and across the fibres, m/s, and where they are from."""
    if study.posterior is None:
        tissue = study.settings.tissue
        return tissue.velocity_fibre_m_per_s, tissue.velocity_cross_m_per_s, "the settings; no ECG has been fitted"
    posterior, member, source = study.posterior, best_member(study.posterior), "member {} of the posterior, best fit"
    if study.velocities is not None:
        posterior = study.velocities.tissue(posterior, study.settings.tissue.cell_model)
        source += ", as the tissue needs them to follow it on this mesh"
    return float(posterior.velocity_fibre[member]), float(posterior.velocity_cross[member]), source.format(member)


def _parameters(study: Study, site_names: list[str], progress: Progress) -> str:
    """The .par file."""
    along, across, source = _velocities(study)
    edge_mm = float(np.median(edge_lengths(study.heart.mesh.points, study.heart.mesh.tets)))
    lines = [
        "# From CardioTwin, research software; not run in openCARP by whoever wrote it. Check velocities with tuneCV.",
        f"# Velocities {along:.3g} m/s along and {across:.3g} m/s across the fibres: {source}.",
        f"# Median edge {1e3 * edge_mm:.0f} um. Regions in heart.elem: 1 healthy, 2 border zone, 3 scar core.",
        *(f"# {name}.vtx: nodes of a site, for stim[..].elec.vtx_file" for name in site_names),
        "meshname = heart",
        "bidomain = 0",
        "bidm_eqv_mono = 0   # g_il, g_it and g_in are monodomain conductivities, S/m",
    ]
    classes = _classes(study.heart)
    lines.append(f"num_gregions = {len(classes)}")
    for k, tag in enumerate(classes):
        lines += [f'gregion[{k}].name = "{NAMES[tag]}"', f"gregion[{k}].num_IDs = 1", f"gregion[{k}].ID[0] = {tag}"]
    model = study.settings.tissue.cell_model
    if model not in MODELS:
        untuned = f"# No conductivities: they are tuned for {', '.join(MODELS)}, not for {model}."
        return "\n".join([*lines, untuned]) + "\n"
    lines += ["num_imp_regions = 1", f"imp_region[0].im = {MODELS[model]}",
              f"imp_region[0].cellSurfVolRatio = {1e-3 * CHI_PER_MM:g}   # 1/um"]  # fmt: skip
    try:
        regions = list(_regions(study, along, across, edge_mm, progress))
    except QualityGate as refused:
        return "\n".join([*lines, f"# No conductivities at this edge: {refused}"]) + "\n"
    for k, (_, sigma) in enumerate(regions):
        lines += [f"gregion[{k}].g_{axis} = {value:.6g}" for axis, value in zip(("il", "it", "in"), sigma, strict=True)]
    return "\n".join(lines) + "\n"


def _regions(
    study: Study, along: float, across: float, edge_mm: float, progress: Progress
) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """Region and conductivity along fibre, sheet and normal of each tissue class that is there, S/m.

    The border zone is slowed as in `cardiotwin.tissue.tissue`, with the cells of healthy tissue.
    """
    there, tissue = _classes(study.heart), study.settings.tissue
    if study.posterior is not None:
        tissue = study.posterior.tissue(best_member(study.posterior), tissue)
    for number, tag in enumerate(there):
        progress(number / len(there), f"openCARP: conductivity of {NAMES[tag]}")
        if tag == CORE:
            yield tag, (CORE_S_PER_M,) * 3
            continue
        share = tissue.border_zone_velocity_fraction if tag == BORDER_ZONE else 1.0
        fibre, cross = (
            tune(share * v, tissue.cell_model, {}, edge_mm, DT_MS, initial=AUTHORS_STATE,
                 geometry="consistent cable", precision="double", order=1)[0]
            for v in (along, across)
        )  # fmt: skip
        yield tag, (fibre, cross, cross)


def _classes(heart: Heart) -> list[int]:
    return [int(tag) for tag in np.unique(heart.tissue_class)]
