"""Mitchell and Schaeffer 2003: two variables, four time constants (doi 10.1016/S0092-8240(03)00041-7).

dv/dt = h v² (1 - v)/tau_in - v/tau_out + J,    dh/dt = (1 - h)/tau_open for v < v_gate, -h/tau_close above.

The paper's v runs from 0 to 1; here V = -80 + 100 v mV. The gate takes a Rush-Larsen step: it is linear at fixed v,
so the step is exact for it, whatever dt.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import exp, where

REST_MV = -80.0
REPOLARISED_MV = -70.0  # 10 % of the amplitude
AMPLITUDE_MV = 100.0
LONGEST_STEP_MS = 1.0
LONGEST_DT_MS = 0.2
STEEPEST_PER_MS = 2.8

STATE = {"V": REST_MV, "h": 1.0}
PARAMETERS = {"tau_in": 0.3, "tau_out": 6.0, "tau_open": 120.0, "tau_close": 150.0, "v_gate": 0.13}  # ms; v_gate none

V, H, TAU_IN, TAU_OUT, TAU_OPEN, TAU_CLOSE, V_GATE = rows(STATE, PARAMETERS)


def gates(cell, lane, V, dt):
    """The gate opens at rest and closes in the plateau."""
    h = cell[H + lane]
    opens = cell[V_GATE + lane] > (V - REST_MV) / AMPLITUDE_MV
    h_inf = where(opens, 1.0, 0.0)
    tau_h = where(opens, cell[TAU_OPEN + lane], cell[TAU_CLOSE + lane])
    cell[H + lane] = h_inf + (h - h_inf) * exp(-dt / tau_h)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms."""
    v = (V - REST_MV) / AMPLITUDE_MV
    J_in = cell[H + lane] * v * v * (1.0 - v) / cell[TAU_IN + lane]
    J_out = -v / cell[TAU_OUT + lane]
    return -AMPLITUDE_MV * (J_in + J_out)
