"""Bueno-Orovio, Cherry and Fenton 2008, J Theor Biol 253:544 (doi 10.1016/j.jtbi.2008.03.029): a minimal ventricle.

Four variables, human. Three currents like those of Fenton and Karma, with a slow gate s for calcium, fitted to human
epicardial, endocardial and mid-myocardial tissue; two more columns of the paper's table 1 mimic the models of Priebe
and Beuckelmann and of ten Tusscher et al. 2004. du/dt = -(J_fi + J_so + J_si), V = 85.7 u - 84 mV.

Nothing was changed. At fixed u all gates are linear, and their Rush-Larsen step exact. J_so and J_si jump at theta_w:
a step that crosses it is wrong by dt times the jump, and below that the scheme has no second order. tau_s2 of the
mid-myocardial cell is 4 ms as in the paper; some programs have 2. The CellML file of 2007 has an earlier form, in which
w turns at theta_o.

Checked over two beats 540 ms apart, dt 0.005 to 0.04 ms: 0.4 mV at dt 0.02. The last millivolt to rest takes 400 ms,
and w depends on it. In single precision so small a step of the potential is lost in rounding where every step is taken:
the next beat ends up to 1 ms off at dt 0.02, 3 ms at 0.01. Over six beats at cycle lengths of 400 to 1000 ms as in
production the mid-myocardial APD is up to 1.5 ms off, the endocardial 0.5, the others 0.3. The longest step costs 0.2
mV; 0.2 ms would cost the endocardial cell 0.5 where repolarisation is steepest.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import rush_larsen_slow, sigmoid, where

REST_MV = -84.0
REPOLARISED_MV = -72.0  # 10 % of the amplitude
AMPLITUDE_MV = 85.7  # of one unit of u; the peak lies at 1.4 to 1.6
LONGEST_STEP_MS = 0.1
LONGEST_DT_MS = 0.1
STEEPEST_PER_MS = 7.0

TABLE_1 = {
    # EPI, ENDO, M, PB, TNNP; u, theta, k and w have no unit, tau is in ms
    "u_o": (0.0, 0.0, 0.0, 0.0, 0.0),
    "u_u": (1.55, 1.56, 1.61, 1.45, 1.58),
    "theta_v": (0.3, 0.3, 0.3, 0.35, 0.3),
    "theta_w": (0.13, 0.13, 0.13, 0.13, 0.015),
    "theta_v_minus": (0.006, 0.2, 0.1, 0.175, 0.015),
    "theta_o": (0.006, 0.006, 0.005, 0.006, 0.006),
    "tau_v1_minus": (60.0, 75.0, 80.0, 10.0, 60.0),
    "tau_v2_minus": (1150.0, 10.0, 1.4506, 1150.0, 1150.0),
    "tau_v_plus": (1.4506, 1.4506, 1.4506, 1.4506, 1.4506),
    "tau_w1_minus": (60.0, 6.0, 70.0, 140.0, 70.0),
    "tau_w2_minus": (15.0, 140.0, 8.0, 6.25, 20.0),
    "k_w_minus": (65.0, 200.0, 200.0, 65.0, 65.0),
    "u_w_minus": (0.03, 0.016, 0.016, 0.015, 0.03),
    "tau_w_plus": (200.0, 280.0, 280.0, 326.0, 280.0),
    "tau_fi": (0.11, 0.1, 0.078, 0.105, 0.11),
    "tau_o1": (400.0, 470.0, 410.0, 400.0, 6.0),
    "tau_o2": (6.0, 6.0, 7.0, 6.0, 6.0),
    "tau_so1": (30.0181, 40.0, 91.0, 30.0181, 43.0),
    "tau_so2": (0.9957, 1.2, 0.8, 0.9957, 0.2),
    "k_so": (2.0458, 2.0, 2.1, 2.0458, 2.0),
    "u_so": (0.65, 0.65, 0.6, 0.65, 0.65),
    "tau_s1": (2.7342, 2.7342, 2.7342, 2.7342, 2.7342),
    "tau_s2": (16.0, 2.0, 4.0, 16.0, 3.0),
    "k_s": (2.0994, 2.0994, 2.0994, 2.0994, 2.0994),
    "u_s": (0.9087, 0.9087, 0.9087, 0.9087, 0.9087),
    "tau_si": (1.8875, 2.9013, 3.3849, 1.8875, 2.8723),
    "tau_w_inf": (0.07, 0.0273, 0.01, 0.175, 0.07),
    "w_inf_star": (0.94, 0.78, 0.5, 0.9, 0.94),
}

STATE = {"V": REST_MV, "v": 1.0, "w": 1.0, "s": 0.0}
PARAMETERS = {name: column[0] for name, column in TABLE_1.items()}
CELL_TYPES = {
    kind: {name: column[k] for name, column in TABLE_1.items() if column[k] != column[0]}
    for k, kind in enumerate(("epicardial", "endocardial", "mid_myocardial", "PB", "TNNP"))
}

(
    POTENTIAL, GATE_V, GATE_W, GATE_S,
    U_O, U_U, THETA_V, THETA_W, THETA_V_MINUS, THETA_O, TAU_V1_MINUS, TAU_V2_MINUS, TAU_V_PLUS, TAU_W1_MINUS,
    TAU_W2_MINUS, K_W_MINUS, U_W_MINUS, TAU_W_PLUS, TAU_FI, TAU_O1, TAU_O2, TAU_SO1, TAU_SO2, K_SO, U_SO, TAU_S1,
    TAU_S2, K_S, U_S, TAU_SI, TAU_W_INF, W_INF_STAR,
) = rows(STATE, PARAMETERS)  # fmt: skip


def gates(cell, lane, V, dt):
    """Take the three gates one Rush-Larsen step at a fixed potential. A half of 1 + tanh(x) is sigmoid(-2 x)."""
    u = (V - REST_MV) / AMPLITUDE_MV
    below_v, below_w = u < cell[THETA_V + lane], u < cell[THETA_W + lane]
    below_v_minus, below_o = u < cell[THETA_V_MINUS + lane], u < cell[THETA_O + lane]

    v_inf = where(below_v_minus, 1.0, 0.0)  # theta_v- lies below theta_v
    tau_v_minus = where(below_v_minus, cell[TAU_V1_MINUS + lane], cell[TAU_V2_MINUS + lane])
    tau_v = where(below_v, tau_v_minus, cell[TAU_V_PLUS + lane])
    w_inf = where(below_w, where(below_o, 1.0 - u / cell[TAU_W_INF + lane], cell[W_INF_STAR + lane]), 0.0)
    share = sigmoid(-2.0 * cell[K_W_MINUS + lane] * (u - cell[U_W_MINUS + lane]))
    tau_w_minus = cell[TAU_W1_MINUS + lane] + (cell[TAU_W2_MINUS + lane] - cell[TAU_W1_MINUS + lane]) * share
    tau_w = where(below_w, tau_w_minus, cell[TAU_W_PLUS + lane])
    s_inf = sigmoid(-2.0 * cell[K_S + lane] * (u - cell[U_S + lane]))
    tau_s = where(below_w, cell[TAU_S1 + lane], cell[TAU_S2 + lane])
    cell[GATE_V + lane] = rush_larsen_slow(cell[GATE_V + lane], v_inf, 1.0 / tau_v, dt)
    cell[GATE_W + lane] = rush_larsen_slow(cell[GATE_W + lane], w_inf, 1.0 / tau_w, dt)
    cell[GATE_S + lane] = rush_larsen_slow(cell[GATE_S + lane], s_inf, 1.0 / tau_s, dt)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms."""
    u = (V - REST_MV) / AMPLITUDE_MV
    below_v, below_w = u < cell[THETA_V + lane], u < cell[THETA_W + lane]
    tau_o = where(u < cell[THETA_O + lane], cell[TAU_O1 + lane], cell[TAU_O2 + lane])
    share = sigmoid(-2.0 * cell[K_SO + lane] * (u - cell[U_SO + lane]))
    tau_so = cell[TAU_SO1 + lane] + (cell[TAU_SO2 + lane] - cell[TAU_SO1 + lane]) * share
    J_fi = -cell[GATE_V + lane] * (u - cell[THETA_V + lane]) * (cell[U_U + lane] - u) / cell[TAU_FI + lane]
    J_so = where(below_w, (u - cell[U_O + lane]) / tau_o, 1.0 / tau_so)
    J_si = where(below_w, 0.0, -cell[GATE_W + lane] * cell[GATE_S + lane] / cell[TAU_SI + lane])
    return AMPLITUDE_MV * (where(below_v, 0.0, J_fi) + J_so + J_si)
