"""Every cell model's right-hand side is the one its authors print: at random states, to nine digits.

A kernel takes steps; what it says of a rate is how far it goes in a step of next to nothing. That step is an imaginary
one, so no digit is lost in a difference: of gate + i·1e-30 x rate the imaginary part is the rate.
"""

import equations_detailed
import equations_simple
import numpy as np
import pytest

from cardiotwin.kernels import lanes
from cardiotwin.kernels.ionic import MODELS, cell_model

EQUATIONS = {name: module for module in (equations_simple, equations_detailed) for name in module.ORDER}
TINY = 1e-30
DT = complex(1e-25, TINY)  # a little is real: one over it must be large, not imaginary
STATES = 40
SWITCHES = ("endocardial", "epicardial")
"""Parameters that are 0 or 1."""
CORNERS_MV = {
    "ten_tusscher_2006": (-40.0,),
    "luo_rudy_1991": (-47.13, -77.0, -40.0, -100.0),
    "courtemanche_1998": (-47.13, -14.1, 3.3328, 19.9, -10.0, 7.9, -40.0),
    "ohara_rudy_2011": (0.0, 12.23, 14.3),
    "tor_ord_2019": (0.0, -40.0, 31.4978, 12.23, 14.3),
}
"""Where an equation jumps or reads 0/0; a fifth of a millivolt away from it, series still take its place."""
THRESHOLDS = {
    "mitchell_schaeffer": ("v_gate",),
    "modified_mitchell_schaeffer": ("v_gate",),
    "fenton_karma": ("u_c", "u_v"),
    "bueno_orovio_2008": ("theta_v", "theta_w", "theta_v_minus", "theta_o"),
}
"""Parameters at which an equation jumps, in units of the amplitude."""


def kinds(name):
    """Sets of parameters by name."""
    return getattr(cell_model(name), "CELL_TYPES", {"": {}})


CELLS = [(name, kind) for name in EQUATIONS for kind in kinds(name)]


@pytest.fixture
def complex_functions(monkeypatch):
    """What a kernel calls for one number, for a complex one."""
    for module in (lanes, *map(cell_model, EQUATIONS)):
        for function in ("exp", "expm1", "log", "sqrt"):
            monkeypatch.setattr(module, function, getattr(np, function), raising=False)


def rates(module, state, parameters):
    """By name: mV/ms of the potential, and what else the kernel changes in a ms."""
    values = [*state.values(), *parameters.values(), *(0.0 for _ in getattr(module, "RATES", ()))]
    cell = np.zeros(16 * len(values), complex)
    cell[::16] = values
    module.gates(cell, 0, state["V"], DT)
    current = module.ionic_current(cell, 0, state["V"], DT)
    found = {variable: cell[16 * k].imag / TINY for k, variable in enumerate(module.STATE)}
    return found | {"V": -current.real}


def corners_mv(name, parameters):
    """Both sides of every jump, and both sides of every 0/0."""
    module = cell_model(name)
    amplitude = getattr(module, "AMPLITUDE_MV", 100.0)
    jumps = [module.REST_MV + amplitude * parameters[key] for key in THRESHOLDS.get(name, ())]
    return [mv + off for mv in (*CORNERS_MV.get(name, ()), *jumps) for off in (-0.2, -1e-4, 1e-4, 0.2)]


def drawn(name, mv, rng):
    """Concentrations around those at rest, gates from shut to open."""
    state = {"V": mv}
    for variable, value in list(cell_model(name).STATE.items())[1:]:
        if variable.startswith(("Na_", "K_")):
            state[variable] = value * rng.uniform(0.9, 1.1)
        elif variable.startswith("Ca_"):
            state[variable] = value * np.exp(rng.uniform(-0.5, 1.5))
        else:
            state[variable] = rng.uniform(0.0, 1.0)
    return state


def test_there_are_equations_for_every_model():
    assert sorted(EQUATIONS) == list(MODELS)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(("name", "kind"), CELLS)
def test_rates_are_those_of_the_published_equations(name, kind, plain, complex_functions):
    """With the parameters of the cell type, and with each of them changed by up to a fifth."""
    module, rng = cell_model(name), np.random.default_rng(1)
    own, order = {**module.PARAMETERS, **kinds(name)[kind]}, EQUATIONS[name].ORDER[name].split()
    assert sorted(order) == sorted(module.STATE)
    of = {key: 1.0 if plain or key in SWITCHES else rng.uniform(0.8, 1.2) for key in own}
    parameters = {key: value * of[key] for key, value in own.items()}
    for mv in (*rng.uniform(-92.0, 60.0, STATES), *corners_mv(name, parameters)):
        state = drawn(name, mv, rng)
        theirs = getattr(EQUATIONS[name], name)([state[variable] for variable in order], kind, of)
        ours = rates(module, state, parameters)
        for variable, rate in zip(order, theirs, strict=True):
            smallest = 1e-9 if variable == "V" else 1e-12  # currents may cancel
            assert ours[variable] == pytest.approx(rate, rel=1e-9, abs=smallest), (variable, state)
