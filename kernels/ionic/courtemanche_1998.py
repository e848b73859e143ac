"""Courtemanche, Ramirez and Nattel 1998, Am J Physiol 275:H301 (doi 10.1152/ajpheart.1998.275.1.H301): human atrium.

Twenty-one state variables, in the notation of the paper, at 37 °C. Constants are those of the CellML file, which has
more digits than the paper and another sign in beta_ui (-16, as the paper's own figure). Initial values are the
authors', a cell at rest for long. The stimulus is not counted as potassium. Units: ms, mV, mM, pA/pF.

Gates take a Rush-Larsen step, concentrations a forward Euler step; Ca_i and Ca_rel are extrapolated to the middle of
their step. The release gates u and v turn on a flux that I_rel itself is part of, and turn on at once (F_n crosses its
threshold within one step), so they step with the concentrations, and the time of release is known to half a step only:
the error of the plateau falls with the first power of dt. Checked over a beat, dt 0.005 to 0.05 ms; over six beats at
cycle lengths of 600 and 1000 ms as in production: 0.15 ms of APD, at 400 ms 0.7. At 300 ms it does not follow every
beat. The longest step costs 0.15 mV. The sodium and the potassium of the cell have no steady state.

There is one type of cell. Regions of the atria and remodelling by fibrillation are made by scaling g_to, g_CaL, g_Kr,
g_Kur and g_K1.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import exp, linoid, log, minimum, rush_larsen, sigmoid, sqrt, where

REST_MV = -81.18
REPOLARISED_MV = -70.0
LONGEST_STEP_MS = 0.2
LONGEST_DT_MS = 0.1
STEEPEST_PER_MS = 2.8

STATE = {
    "V": REST_MV, "m": 2.908e-3, "h": 0.9649, "j": 0.9775, "o_a": 3.043e-2, "o_i": 0.9992, "u_a": 4.966e-3,
    "u_i": 0.9986, "x_r": 3.296e-5, "x_s": 1.869e-2, "d": 1.367e-4, "f": 0.9996, "f_Ca": 0.7755, "u": 0.0, "v": 1.0,
    "w": 0.9992, "Na_i": 11.17, "K_i": 139.0, "Ca_i": 1.013e-4, "Ca_rel": 1.488, "Ca_up": 1.488,
}  # fmt: skip
PARAMETERS = {
    "g_Na": 7.8,  # nS/pF, as all g_
    "g_CaL": 0.12375,
    "g_Kr": 0.029411765,
    "g_Ks": 0.12941176,
    "g_to": 0.1652,
    "g_Kur": 1.0,  # of the paper's conductance, which depends on the potential
    "g_K1": 0.09,
}
RATES = ("Ca_i", "Ca_rel")
CELL_TYPES = {"atrial": {}}

R, T, F = 8.3143, 310.0, 96.4867  # J/(K mol), K, C/mmol
C_m = 100.0  # pF
V_i, V_up, V_rel = 13668.0, 1109.52, 96.48  # µm³
K_o, Na_o, Ca_o = 5.4, 140.0, 1.8
K_Q10 = 3.0
E_CaL = 65.0
I_NaK_max, K_mNai, K_mKo = 0.59933874, 10.0, 1.5
I_NaCa_max, K_mNa, K_mCa, K_sat, gamma = 1600.0, 87.5, 1.38, 0.1, 0.35
g_bCa, g_bNa, I_pCa_max = 0.001131, 0.0006744375, 0.275  # noqa: N816
K_rel, tau_tr, I_up_max, K_up, Ca_up_max = 30.0, 180.0, 0.005, 0.00092, 15.0
Cmdn_max, Trpn_max, Csqn_max = 0.05, 0.07, 10.0
K_mCmdn, K_mTrpn, K_mCsqn = 0.00238, 0.0005, 0.8
sigma = (exp(Na_o / 67.3) - 1.0) / 7.0
HALF_RELEASE, RELEASE_WIDTH, HALF_INACTIVATION = 3.4175e-13, 13.67e-16, 6.835e-14  # of F_n

(
    V_, M, H, J, O_A, O_I, U_A, U_I, X_R, X_S, D, F_, F_CA, U, V_GATE, W, NA_I, K_I, CA_I, CA_REL, CA_UP,
    G_NA, G_CAL, G_KR, G_KS, G_TO, G_KUR, G_K1, CA_I_RATE, CA_REL_RATE,
) = rows(STATE, PARAMETERS, RATES)  # fmt: skip


def gates(cell, lane, V, dt):
    """Take the gates, but those of the release, one Rush-Larsen step at a fixed potential."""
    # Fast sodium gates
    resting = V < -40.0
    alpha_m = 3.2 * linoid(-0.1 * (V + 47.13))
    rate_m = alpha_m + 0.08 * exp(-V / 11.0)
    alpha_h = where(resting, 0.135 * exp(-(V + 80.0) / 6.8), 0.0)
    beta_h = where(resting, 3.56 * exp(0.079 * V) + 3.1e5 * exp(0.35 * V), 1.0 / 0.13 * sigmoid(-(V + 10.66) / 11.1))
    alpha_j = where(
        resting,
        (-127140.0 * exp(0.2444 * V) - 3.474e-5 * exp(-0.04391 * V)) * (V + 37.78) * sigmoid(0.311 * (V + 79.23)),
        0.0,
    )
    beta_j = where(
        resting,
        0.1212 * exp(-0.01052 * V) * sigmoid(-0.1378 * (V + 40.14)),
        0.3 * exp(-2.535e-7 * V) * sigmoid(-0.1 * (V + 32.0)),
    )
    cell[M + lane] = rush_larsen(cell[M + lane], alpha_m / rate_m, rate_m, dt)
    cell[H + lane] = rush_larsen(cell[H + lane], alpha_h / (alpha_h + beta_h), alpha_h + beta_h, dt)
    cell[J + lane] = rush_larsen(cell[J + lane], alpha_j / (alpha_j + beta_j), alpha_j + beta_j, dt)

    # Transient outward and ultrarapid gates; both activate at the same rate
    rate_a = (
        0.65 * K_Q10 * (1.0 / (exp(-(V + 10.0) / 8.5) + exp(-(V - 30.0) / 59.0)) + 1.0 / (2.5 + exp((V + 82.0) / 17.0)))
    )
    rate_oi = K_Q10 * (1.0 / (18.53 + exp((V + 113.7) / 10.95)) + 1.0 / (35.56 + exp(-(V + 1.26) / 7.44)))
    rate_ui = K_Q10 * (1.0 / (21.0 + exp(-(V - 185.0) / 28.0)) + exp((V - 158.0) / 16.0))
    cell[O_A + lane] = rush_larsen(cell[O_A + lane], sigmoid(-(V + 20.47) / 17.54), rate_a, dt)
    cell[O_I + lane] = rush_larsen(cell[O_I + lane], sigmoid((V + 43.1) / 5.3), rate_oi, dt)
    cell[U_A + lane] = rush_larsen(cell[U_A + lane], sigmoid(-(V + 30.3) / 9.6), rate_a, dt)
    cell[U_I + lane] = rush_larsen(cell[U_I + lane], sigmoid((V - 99.45) / 27.48), rate_ui, dt)

    # Delayed rectifier gates
    rate_xr = 0.0003 * 5.0 * linoid(-(V + 14.1) / 5.0) + 7.3898e-5 * 5.1237 * linoid((V - 3.3328) / 5.1237)
    rate_xs = 2.0 * (4e-5 * 17.0 * linoid(-(V - 19.9) / 17.0) + 3.5e-5 * 9.0 * linoid((V - 19.9) / 9.0))
    cell[X_R + lane] = rush_larsen(cell[X_R + lane], sigmoid(-(V + 14.1) / 6.5), rate_xr, dt)
    cell[X_S + lane] = rush_larsen(cell[X_S + lane], sqrt(sigmoid(-(V - 19.9) / 12.7)), rate_xs, dt)

    # L-type calcium gates
    z = -(V + 10.0) / 6.24
    rate_d = 0.035 * 6.24 * linoid(z) * (1.0 + exp(z))
    rate_f = (0.0197 * exp(-0.0337 * 0.0337 * (V + 10.0) * (V + 10.0)) + 0.02) / 9.0
    cell[D + lane] = rush_larsen(cell[D + lane], sigmoid(-(V + 10.0) / 8.0), rate_d, dt)
    cell[F_ + lane] = rush_larsen(cell[F_ + lane], sigmoid((V + 28.0) / 6.9), rate_f, dt)
    cell[F_CA + lane] = rush_larsen(cell[F_CA + lane], 1.0 / (1.0 + cell[CA_I + lane] / 0.00035), 0.5, dt)

    # The release gate that depends on the potential
    z = -(V - 7.9) / 5.0
    rate_w = 5.0 / 6.0 * linoid(z) * (1.0 + 0.3 * exp(z))
    cell[W + lane] = rush_larsen(cell[W + lane], sigmoid((V - 40.0) / 17.0), rate_w, dt)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms; takes concentrations and release gates one step."""
    m, h, j = cell[M + lane], cell[H + lane], cell[J + lane]
    o_a, o_i, u_a, u_i = cell[O_A + lane], cell[O_I + lane], cell[U_A + lane], cell[U_I + lane]
    x_r, x_s, u, v, w = cell[X_R + lane], cell[X_S + lane], cell[U + lane], cell[V_GATE + lane], cell[W + lane]
    Na_i, K_i, Ca_up = cell[NA_I + lane], cell[K_I + lane], cell[CA_UP + lane]
    Ca_i = cell[CA_I + lane] + 0.5 * dt * cell[CA_I_RATE + lane]
    Ca_rel = cell[CA_REL + lane] + 0.5 * dt * cell[CA_REL_RATE + lane]

    # Reversal potentials
    E_Na = R * T / F * log(Na_o / Na_i)
    E_K = R * T / F * log(K_o / K_i)
    E_Ca = 0.5 * R * T / F * log(Ca_o / Ca_i)

    # Potassium currents
    i_K1 = cell[G_K1 + lane] * (V - E_K) * sigmoid(0.07 * (V + 80.0))
    i_to = cell[G_TO + lane] * o_a * o_a * o_a * o_i * (V - E_K)
    g_Kur = cell[G_KUR + lane] * (0.005 + 0.05 * sigmoid(-(V - 15.0) / 13.0))
    i_Kur = g_Kur * u_a * u_a * u_a * u_i * (V - E_K)
    i_Kr = cell[G_KR + lane] * x_r * (V - E_K) * sigmoid((V + 15.0) / 22.4)
    i_Ks = cell[G_KS + lane] * x_s * x_s * (V - E_K)

    # Sodium currents, pump and exchanger
    i_Na = cell[G_NA + lane] * m * m * m * h * j * (V - E_Na)
    i_bNa = g_bNa * (V - E_Na)
    VFRT = V * F / (R * T)
    f_NaK = 1.0 / (1.0 + 0.1245 * exp(-0.1 * VFRT) + 0.0365 * sigma * exp(-VFRT))
    Na_share = K_mNai / Na_i
    i_NaK = I_NaK_max * K_o / (K_o + K_mKo) * f_NaK / (1.0 + Na_share * sqrt(Na_share))
    forward, backward = exp(gamma * VFRT), exp((gamma - 1.0) * VFRT)
    i_NaCa = (
        I_NaCa_max * (forward * Na_i * Na_i * Na_i * Ca_o - backward * Na_o * Na_o * Na_o * Ca_i)
        / ((K_mNa * K_mNa * K_mNa + Na_o * Na_o * Na_o) * (K_mCa + Ca_o) * (1.0 + K_sat * backward))
    )  # fmt: skip

    # Calcium currents
    i_CaL = cell[G_CAL + lane] * cell[D + lane] * cell[F_ + lane] * cell[F_CA + lane] * (V - E_CaL)
    i_bCa = g_bCa * (V - E_Ca)
    i_pCa = I_pCa_max * Ca_i / (0.0005 + Ca_i)

    # Release. The flux that gates it is computed with the gates at the beginning of the step; they then take two half
    # steps, and the flux of the step is the one between. F_n over its width runs to thousands; from 40 on it is 1.
    flux = 1e-12 * V_rel / RELEASE_WIDTH * (K_rel * u * u * v * w * (Ca_rel - Ca_i)) - 5e-13 * C_m / (
        F * RELEASE_WIDTH
    ) * (0.5 * i_CaL - 0.2 * i_NaCa)
    u_inf = sigmoid(minimum(HALF_RELEASE / RELEASE_WIDTH - flux, 40.0))
    v_inf = sigmoid(minimum(flux - HALF_INACTIVATION / RELEASE_WIDTH, 40.0))
    rate_v = 1.0 / (1.91 + 2.09 * u_inf)
    u_half, v_half = rush_larsen(u, u_inf, 1.0 / 8.0, 0.5 * dt), rush_larsen(v, v_inf, rate_v, 0.5 * dt)
    i_rel = K_rel * u_half * u_half * v_half * w * (Ca_rel - Ca_i)
    cell[U + lane] = rush_larsen(u_half, u_inf, 1.0 / 8.0, 0.5 * dt)
    cell[V_GATE + lane] = rush_larsen(v_half, v_inf, rate_v, 0.5 * dt)

    # Calcium dynamics
    i_tr = (Ca_up - Ca_rel) / tau_tr
    i_up = I_up_max / (1.0 + K_up / Ca_i)
    i_leak = I_up_max / Ca_up_max * Ca_up
    buffered_i = (
        1.0
        + Trpn_max * K_mTrpn / ((Ca_i + K_mTrpn) * (Ca_i + K_mTrpn))
        + Cmdn_max * K_mCmdn / ((Ca_i + K_mCmdn) * (Ca_i + K_mCmdn))
    )
    buffered_rel = 1.0 + Csqn_max * K_mCsqn / ((Ca_rel + K_mCsqn) * (Ca_rel + K_mCsqn))
    membrane = C_m / (F * V_i)
    Ca_i_rate = (
        (2.0 * i_NaCa - i_pCa - i_CaL - i_bCa) * (0.5 * membrane)
        + (i_leak - i_up) * (V_up / V_i)
        + i_rel * (V_rel / V_i)
    ) / buffered_i
    Ca_rel_rate = (i_tr - i_rel) / buffered_rel
    cell[CA_I + lane] = cell[CA_I + lane] + dt * Ca_i_rate
    cell[CA_REL + lane] = cell[CA_REL + lane] + dt * Ca_rel_rate
    cell[CA_UP + lane] = Ca_up + dt * (i_up - i_leak - i_tr * (V_rel / V_up))
    cell[CA_I_RATE + lane] = Ca_i_rate
    cell[CA_REL_RATE + lane] = Ca_rel_rate

    # Sodium and potassium
    i_K = i_K1 + i_to + i_Kur + i_Kr + i_Ks
    cell[NA_I + lane] = Na_i - dt * (3.0 * i_NaK + 3.0 * i_NaCa + i_bNa + i_Na) * membrane
    cell[K_I + lane] = K_i - dt * (i_K - 2.0 * i_NaK) * membrane
    return i_K + i_Na + i_bNa + i_NaK + i_NaCa + i_CaL + i_bCa + i_pCa
