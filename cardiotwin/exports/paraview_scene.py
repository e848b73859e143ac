"""How a study is to look when ParaView opens it: what `open_in_paraview.py` reads beside it, as ``scene.json``.

A ``.pvsm`` state holds the paths of one machine and the inner numbers of one version of ParaView. A script that calls
`paraview.simple` goes with the folder and can be read and changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from cardiotwin.exports.films import frame_times_ms
from cardiotwin.heart.heart import CORE, HEALTHY, Heart
from cardiotwin.heart.locations import left_ventricle
from cardiotwin.pictures.content import ABLATED_COLOUR, TISSUE, TISSUE_COLOURS, infarct_centre
from cardiotwin.pictures.film import FRAMES
from cardiotwin.pictures.palette import WAVE, WAVE_FADES_IN
from cardiotwin.study import Study

SCRIPT, SCENE = "open_in_paraview.py", "scene.json"

_AWAY = 4.5
"""The camera's distance in times the radius of the heart: at ParaView's 30 degrees it then fills the view."""
_COLOURS = 24
"""Points of a colour map of times."""


def scene_file(study: Study, written: Collection[str], preferred: str | None) -> bytes:
    """What there is to show, as JSON.

    Parameters
    ----------
    study : Study
    written : collection of str
        Names of the files in the folder.
    preferred : str or None
        Of these, the lesions of the preferred plan.
    """
    found = _activation(study, written)
    shown = {"heart": "heart.vtu", "corridors": "corridors.vtp", "lesions": preferred}
    circuits = _circuits(study)
    names = {name: file for name, file in shown.items() if file in written}
    if found:
        names["activation"] = found["file"]
    scene = {
        "files": names,
        "activation": found,
        "circuits": circuits,
        "tissue": {
            "core": bool((study.heart.tissue_class == CORE).any()),
            "annotations": [text for k, name in enumerate(TISSUE, start=HEALTHY) for text in (str(k), name)],
            "colours": [one for colour in TISSUE_COLOURS for one in _rgb(colour)],
        },
        "ablated_colour": _rgb(ABLATED_COLOUR),
        "colour_maps": _colour_maps(found, circuits),
        "titles": {
            "tissue": f"Tissue{', lesions of the preferred plan' if 'lesions' in names else ''}",
            "activation": found["title"] if found else "",
            "circuit": "Circuit, isthmus and exit",
        },
        "camera": camera(study.heart),
    }
    return (json.dumps(scene, indent=1, allow_nan=False) + "\n").encode()


def script_file() -> bytes:
    """`open_in_paraview.py` as it is."""
    return files("cardiotwin.exports").joinpath(SCRIPT).read_bytes()


def camera(heart: Heart) -> dict[str, list[float]]:
    """From outside on the scar, or the anterior wall where there is none; the patient's head up, or front from above.

    Returns
    -------
    dict
        ``position``, ``focal_point``, LPS, mm, and ``up``, a unit vector.
    """
    middle = 0.5 * (heart.mesh.points.min(axis=0) + heart.mesh.points.max(axis=0))
    outward = _unit(infarct_centre(heart) - left_ventricle(heart).centre)
    up = np.array([0.0, 0.0, 1.0]) if abs(outward[2]) < 0.9 else np.array([0.0, -1.0, 0.0])
    radius = float(np.linalg.norm(heart.mesh.points - middle, axis=1).max())
    position = middle + _AWAY * radius * outward
    upright = _unit(up - up @ outward * outward)
    return {"position": position.tolist(), "focal_point": middle.tolist(), "up": upright.tolist()}


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else np.array([0.0, -1.0, 0.0])


def _activation(study: Study, written: Collection[str]) -> dict[str, Any] | None:
    """The confirming run's first beat, or else the ensemble's mean; None where neither is there."""
    if study.confirmation is not None and len(study.confirmation.activation.activation_ms):
        time = study.confirmation.activation.activation_ms[0]
        file, field, title = "heart.vtu", "activation_ms", "Activation, confirming run"
    elif study.ensemble_beat is not None and "ensemble.vtu" in written:
        time = study.ensemble_beat.activation_ms.mean(axis=0)
        file, field, title = "ensemble.vtu", "activation_mean_ms", "Activation, mean of the ensemble"
    else:
        return None
    known = time[np.isfinite(time)]
    span = [float(known.min()), float(known.max())] if known.size else [0.0, 1.0]
    return {"file": file, "field": field, "title": title, "span_ms": span}


def _circuits(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "film": f"circuit_{number}_film.vtkhdf",
            "map": f"circuit_{number}.vtu",
            "cycle_length_ms": float(circuit.cycle_length_ms),
            "frames": FRAMES,
            "last_frame_ms": float(frame_times_ms(circuit)[-1]),
            "exit_mm": [float(x) for x in circuit.exit_mm],
        }
        for number, (circuit, _) in enumerate(study.circuits, start=1)
    ]


def _colour_maps(found: dict[str, Any] | None, circuits: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Field to value, red, green, blue; value, red, ..."""
    from matplotlib import colormaps

    maps = {}
    if found:
        early, late = found["span_ms"]
        values, shades = np.linspace(early, late, _COLOURS), colormaps["turbo_r"](np.linspace(0.06, 0.92, _COLOURS))
        maps[found["field"]] = np.column_stack([values, 0.12 + 0.88 * shades[:, :3]]).ravel().tolist()
    if circuits:
        fades = WAVE_FADES_IN * min(one["cycle_length_ms"] for one in circuits)
        maps["since_ms"] = [x for share, colour in WAVE for x in (share * fades, *_rgb(colour))]
    return maps


def _rgb(colour: str) -> list[float]:
    from matplotlib.colors import to_rgb

    return [float(x) for x in to_rgb(colour)]
