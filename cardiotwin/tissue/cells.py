"""Which cells are where: transmural differences, the border zone, and a front that the lattice can carry.

Ten Tusscher-Panfilov and ToR-ORd: endocardial, mid-myocardial and epicardial cells by transmural depth; the remodelled
border zone has I_Na x 0.38, I_CaL x 0.31, I_Kr x 0.30 and I_Ks x 0.20, as in Arevalo et al. 2016 (doi
10.1038/ncomms11437). The last factor is applied to I_Ks, as by those who measured and first used it, not to I_K1, as in
one tutorial. They were used with ten Tusscher-Panfilov cells. ToR-ORd relies more on I_Kr: paced at 600 ms, the APD of
its endocardial cell grows by a quarter (241 to 303 ms), not by a ninth.

No heart is made of other models. Of O'Hara-Rudy's one might be, but 0.38 of its own sodium current carries no wave,
whatever the conductivity; Bueno-Orovio's three layers have no currents of which it is known what a border zone does to
them.

Mitchell-Schaeffer, modified or not, has no currents to scale, so what these factors do to a single ten
Tusscher-Panfilov cell paced at 600 ms is copied (`benchmarks/border_zone_cells.py` prints it): the largest dV/dt falls
to 0.47 of normal (317 to 148 mV/ms), and APD grows by 11 %, the mean of endocardial (294 to 330 ms) and epicardial (295
to 320 ms) cells.

- The upstroke: dV/dt goes with 1/tau_in, so tau_in is divided by 0.47. tau_out stays 20 tau_in: the threshold and the
  plateau, which depend on their ratio only, stay.
- APD: tau_close, to which it is proportional, is multiplied by `tissue.border_zone_apd_factor`, 1.11 unless
  set.

A healthy `tissue.tau_close_ms` of 130 gives an effective refractory period of about 250 ms at a cycle length of 600
ms, as measured in the human ventricle (230 to 250 ms is usual); the paper's 150 ms gives 285. It falls by 12 % across
the wall: epicardium recovers first although it is activated last, which is what makes the T wave upright. That number
is a choice.
"""

from __future__ import annotations

from typing import get_args

import numpy as np

from cardiotwin.errors import QualityGate, SettingsError
from cardiotwin.heart.heart import BORDER_ZONE, Heart
from cardiotwin.kernels.ionic import cell_model
from cardiotwin.settings import CellModel, TissueSettings

HEART_MODELS: tuple[str, ...] = get_args(CellModel)
"""Cell models a heart can be made of: it is settled which cells are where, and what remodelling does to them."""

REMODELLED_CURRENTS = {"g_Na": 0.38, "g_CaL": 0.31, "P_Ca": 0.31, "g_Kr": 0.30, "g_Ks": 0.20}
"""By either name of the L-type current."""
REMODELLED_UPSTROKE = 0.47

ENDOCARDIAL_BELOW, EPICARDIAL_ABOVE = 0.3, 0.7
"""Transmural depth at which cell types change."""

TWO_VARIABLE = ("mitchell_schaeffer", "modified_mitchell_schaeffer")
TAU_IN_MS, TAU_OUT_RATIO = 0.3, 20.0
TAU_CLOSE_TRANSMURAL = -15.0 / 130.0
"""Share of tau_close lost from endocardium to epicardium."""
SHORTEST_TAU_CLOSE_MS = 20.0
TAIL_MS = 2.2
"""tau_close that makes up for 1 ms of tau_out, whose decay ends repolarisation: 3.5 ms of action potential each."""
LATTICE_CONSTANTS_PER_MS = 8.0
"""The front of Mitchell-Schaeffer is about 4 tau_in v wide. Kept at edge < 8 tau_in v no wave stops between nodes,
and velocity varies by 1.5 % with the orientation of the fibres in the lattice (2.2 % at 12, 3.8 % at 28; with one
conductivity for all 5, 8 and 16 %; `benchmarks/lattice_directions.py`)."""


def front(model: str, slowest: float, edge_mm: float) -> dict[str, float]:
    """Parameters that widen the wave front as far as a lattice needs it; none for a detailed model.

    Parameters
    ----------
    slowest : float
        Smallest velocity in that tissue, mm/ms.
    """
    if model not in TWO_VARIABLE:
        return {}
    tau_in = max(TAU_IN_MS, edge_mm / (LATTICE_CONSTANTS_PER_MS * slowest))
    return {"tau_in": tau_in, "tau_out": TAU_OUT_RATIO * tau_in}


def conducting_cell(model: str, slowest: float, edge_mm: float, remodelled: bool) -> dict[str, float]:
    """The parameters that decide how fast a conductivity makes the wave, of one kind of tissue.

    Parameters
    ----------
    slowest : float
        Smallest velocity in that tissue, mm/ms.
    remodelled : bool
        A border zone whose currents are remodelled: with less sodium current it needs more conductivity for the same
        velocity (ten Tusscher-Panfilov: half as much again in velocity).
    """
    cell = front(model, slowest, edge_mm)
    if not remodelled:
        return cell
    if model in TWO_VARIABLE:
        tau_in = max(cell["tau_in"], TAU_IN_MS / REMODELLED_UPSTROKE)
        return {"tau_in": tau_in, "tau_out": TAU_OUT_RATIO * tau_in}
    default = cell_model(model).PARAMETERS
    return {name: default[name] * factor for name, factor in REMODELLED_CURRENTS.items() if name in default}


def cell_parameters(
    heart: Heart, conducting: np.ndarray, model: str, cross: float, settings: TissueSettings, profile: str
) -> dict[str, np.ndarray]:
    """Parameters of the cells that differ from the model's default, each (n_nodes,) float32.

    Parameters
    ----------
    conducting : (n_tets,) bool
    cross : float
        Cross-fibre velocity of healthy tissue, mm/ms.
    settings : TissueSettings
        Velocity of the border zone relative to it; tau_close, and its factor in the border zone.
    profile : {"structural", "structural_and_ionic"}

    Raises
    ------
    SettingsError
        Not one of `HEART_MODELS`.
    QualityGate
        The front that this lattice needs is longer than an action potential.
    """
    require_heart_model(model)
    border = border_share(heart, conducting)
    remodelled = border if profile == "structural_and_ionic" else np.zeros_like(border)
    if model in TWO_VARIABLE:
        parameters = _two_variable(heart, border, remodelled, model, cross, settings)
    else:
        parameters = _detailed(model, heart.transmural, remodelled)
    return {name: values.astype(np.float32) for name, values in parameters.items()}


def require_heart_model(model: str) -> None:
    """Refuse a cell model of which no heart can be made; `SettingsError`."""
    if model not in HEART_MODELS:
        raise SettingsError(
            f"cell_model: found {model!r}, expected one of {', '.join(HEART_MODELS)}; of others it is not settled "
            "which cells are where and what remodelling does to them. Give them to a `Medium` of your own"
        )


def cell_types(depth: np.ndarray) -> dict[str, np.ndarray]:
    """(n_nodes,) bool of each cell type, from transmural depth, 0 at the endocardium."""
    endocardial, epicardial = depth < ENDOCARDIAL_BELOW, depth > EPICARDIAL_ABOVE
    return {"endocardial": endocardial, "mid_myocardial": ~(endocardial | epicardial), "epicardial": epicardial}


def initial_states(model: str, depth: np.ndarray) -> dict[str, np.ndarray]:
    """State variables that start elsewhere than the model's own, (n_nodes,) float32: every type's own steady state.

    A mid-myocardial ToR-ORd cell that starts from the endocardial state has beats 70 ms too long, and after 50 beats at
    600 ms still 40 ms. Of other models there is one state for all types.
    """
    states = getattr(cell_model(model), "STEADY_STATES", {})
    if not states:
        return {}
    own = {name: np.empty(len(depth), np.float32) for name in cell_model(model).STATE}
    for kind, here in cell_types(depth).items():
        for name, values in own.items():
            values[here] = states[kind][name]
    return own


def border_share(heart: Heart, conducting: np.ndarray) -> np.ndarray:
    """(n_nodes,) volume of border zone among the conducting tissue of each node, 0 to 1."""
    n_nodes = len(heart.mesh.points)
    tets, volumes = heart.mesh.tets[conducting], heart.mesh.volumes[conducting]
    border = volumes * (heart.tissue_class[conducting] == BORDER_ZONE)
    total = np.bincount(tets.ravel(), np.repeat(volumes, 4), n_nodes)
    return np.bincount(tets.ravel(), np.repeat(border, 4), n_nodes) / np.maximum(total, 1e-300)


def _two_variable(
    heart: Heart, border: np.ndarray, remodelled: np.ndarray, model: str, cross: float, settings: TissueSettings
) -> dict[str, np.ndarray]:
    normal = front(model, cross, heart.edge_mm)["tau_in"]
    slowest = settings.border_zone_velocity_fraction * cross
    slow = front(model, slowest, heart.edge_mm)["tau_in"]
    weak = max(slow, TAU_IN_MS / REMODELLED_UPSTROKE)  # a front the lattice has already made as slow is slow enough
    tau_in = normal + (slow - normal) * border + (weak - slow) * remodelled
    tau_out = TAU_OUT_RATIO * tau_in
    across_wall = 1.0 + TAU_CLOSE_TRANSMURAL * (heart.transmural - 0.5)
    tau_close = settings.tau_close_ms * across_wall * (1.0 + (settings.border_zone_apd_factor - 1.0) * remodelled)
    tau_close = tau_close - TAIL_MS * (tau_out - TAU_OUT_RATIO * TAU_IN_MS)
    if tau_close.min() < SHORTEST_TAU_CLOSE_MS:
        raise QualityGate(
            f"tissue: at {slowest:.2f} m/s on a mesh of {heart.edge_mm:.2f} mm the wave front takes longer than the "
            "action potential. Use a finer `mesh.edge_mm` or a larger `tissue.border_zone_velocity_fraction`"
        )
    return {"tau_in": tau_in, "tau_out": tau_out, "tau_close": tau_close}


def _detailed(model: str, depth: np.ndarray, remodelled: np.ndarray) -> dict[str, np.ndarray]:
    default, types = cell_model(model).PARAMETERS, cell_model(model).CELL_TYPES
    differing = set(REMODELLED_CURRENTS).union(*types.values())
    parameters = {name: np.full(len(depth), value) for name, value in default.items() if name in differing}
    for kind, here in cell_types(depth).items():
        for name, value in types[kind].items():
            parameters[name][here] = value
    for name in parameters.keys() & REMODELLED_CURRENTS.keys():
        parameters[name] *= 1.0 + (REMODELLED_CURRENTS[name] - 1.0) * remodelled
    return parameters
