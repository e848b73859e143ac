"""Fenton and Karma 1998, Chaos 8:20 (doi 10.1063/1.166311): three currents, two gates and the potential.

du/dt = -J_fi - J_so - J_si, with p = 1 where u > u_c and q = 1 where u > u_v:

J_fi = -v p (1 - u)(u - u_c)/tau_d,    J_so = u (1 - p)/tau_0 + p/tau_r
J_si = -w (1 + tanh(k (u - u_csi)))/(2 tau_si)
dv/dt = (1 - p)(1 - v)/(q tau_v1- + (1 - q) tau_v2-) - p v/tau_v+,    dw/dt = (1 - p)(1 - w)/tau_w- - p w/tau_w+

The paper's u runs from 0 to 1; here V = V_0 + (V_fi - V_0) u, from -85 to 15 mV. tau_d is C_m/g_fi. Nothing was
changed. At fixed u the gates are linear, and their Rush-Larsen step exact. J_so jumps at u_c: a step that crosses it
is wrong by dt times the jump, 3 mV/ms at most, and below that the scheme has no second order.

`CELL_TYPES` are the columns of the paper's table I: Beeler-Reuter, modified Beeler-Reuter, modified Luo-Rudy I, guinea
pig (after Girouard et al. 1996). Copies of the table differ in places. tau_si of BR is 29 in the CellML file and 30
in others; MBR has tau_si 45 and u_v 0.055 here, as in Fenton et al. 2002, where the CellML file has 44.84 and 0.04.

Checked over two beats 540 ms apart, dt 0.005 to 0.04 ms: 0.03 mV at dt 0.02; over six beats at cycle lengths of 300 to
1000 ms as in production: 0.1 ms of APD. The longest step costs 0.7 mV in GP, at most 0.5 in the others.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import rush_larsen_slow, sigmoid, where

REST_MV = V_0 = -85.0
V_fi = 15.0
REPOLARISED_MV = -75.0  # 10 % of the amplitude
LONGEST_STEP_MS = 1.0
LONGEST_DT_MS = 0.1
STEEPEST_PER_MS = 4.5

CELL_TYPES = {
    "BR": {
        "tau_d": 1 / 4.0, "tau_r": 33.33, "tau_si": 29.0, "tau_0": 12.5, "tau_v_plus": 3.33, "tau_v1_minus": 1250.0,
        "tau_v2_minus": 19.6, "tau_w_plus": 870.0, "tau_w_minus": 41.0, "u_v": 0.04,
    },
    "MBR": {
        "tau_d": 1 / 4.0, "tau_r": 50.0, "tau_si": 45.0, "tau_0": 8.3, "tau_v_plus": 3.33, "tau_v1_minus": 1000.0,
        "tau_v2_minus": 19.2, "tau_w_plus": 667.0, "tau_w_minus": 11.0, "u_v": 0.055,
    },
    "MLR-I": {
        "tau_d": 1 / 5.8, "tau_r": 130.0, "tau_si": 127.0, "tau_0": 12.5, "tau_v_plus": 10.0, "tau_v1_minus": 18.2,
        "tau_v2_minus": 18.2, "tau_w_plus": 1020.0, "tau_w_minus": 80.0, "u_v": 0.0,
    },
    "GP": {
        "tau_d": 1 / 8.7, "tau_r": 25.0, "tau_si": 22.22, "tau_0": 12.5, "tau_v_plus": 10.0, "tau_v1_minus": 333.0,
        "tau_v2_minus": 40.0, "tau_w_plus": 1000.0, "tau_w_minus": 65.0, "u_v": 0.025,
    },
}  # fmt: skip

STATE = {"V": REST_MV, "v": 1.0, "w": 1.0}
PARAMETERS = {**CELL_TYPES["MLR-I"], "u_c": 0.13, "u_csi": 0.85, "k": 10.0}  # the last three in all sets; tau in ms

(
    POTENTIAL, GATE_V, GATE_W,
    TAU_D, TAU_R, TAU_SI, TAU_0, TAU_V_PLUS, TAU_V1_MINUS, TAU_V2_MINUS, TAU_W_PLUS, TAU_W_MINUS, U_V, U_C, U_CSI, K,
) = rows(STATE, PARAMETERS)  # fmt: skip


def gates(cell, lane, V, dt):
    """Both gates open below u_c and close above."""
    u = (V - V_0) / (V_fi - V_0)
    below = u < cell[U_C + lane]
    tau_v_minus = where(u < cell[U_V + lane], cell[TAU_V2_MINUS + lane], cell[TAU_V1_MINUS + lane])
    tau_v = where(below, tau_v_minus, cell[TAU_V_PLUS + lane])
    tau_w = where(below, cell[TAU_W_MINUS + lane], cell[TAU_W_PLUS + lane])
    steady = where(below, 1.0, 0.0)
    cell[GATE_V + lane] = rush_larsen_slow(cell[GATE_V + lane], steady, 1.0 / tau_v, dt)
    cell[GATE_W + lane] = rush_larsen_slow(cell[GATE_W + lane], steady, 1.0 / tau_w, dt)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms."""
    u, u_c = (V - V_0) / (V_fi - V_0), cell[U_C + lane]
    below = u < u_c
    J_fi = where(below, 0.0, -cell[GATE_V + lane] * (1.0 - u) * (u - u_c) / cell[TAU_D + lane])
    J_so = where(below, u / cell[TAU_0 + lane], 1.0 / cell[TAU_R + lane])
    J_si = -cell[GATE_W + lane] * sigmoid(-2.0 * cell[K + lane] * (u - cell[U_CSI + lane])) / cell[TAU_SI + lane]
    return (V_fi - V_0) * (J_fi + J_so + J_si)
