"""O'Hara, Virág, Varró and Rudy 2011, PLoS Comput Biol 7 (doi 10.1371/journal.pcbi.1002061): human ventricle.

Forty-one state variables, at 37 °C, after the authors' code. The fast sodium current is the authors' own, not one of
its later replacements: it takes 2.5 times the conductivity of ten Tusscher-Panfilov for the same velocity, waves below
0.19 m/s stop on a lattice of 1 mm, and 0.38 of it, as in a border zone, carries none. In the pump a term of 1e-10 that
the authors' code has with the wrong factor is as the balance of the pump has it. The stimulus is not counted as
potassium.

Initial values are the end of 1000 beats at 1 Hz, with the authors' stimulus, of each cell type; `STATE` is the
endocardial cell, the others are in `STEADY_STATES`. Units: ms, mV, mM, µA/µF.

Gates take a Rush-Larsen step, so do the calcium-dependent n_Ca and, at a fixed I_CaL, the release J_rel (two half
steps, of which the flux in the middle is used). Concentrations and CaMK take a forward Euler step; Ca_ss, Ca_i and
Ca_jsr are extrapolated to the middle of theirs. J_rel does not depend on what the store still holds: a paced
mid-myocardial cell empties it within 10 ms, and in the authors' equations Ca_jsr passes below zero before J_rel stops.
Here a step takes at most half of what is there.

Checked at 1 Hz, dt 0.005 to 0.05 ms: of second order in time, 0.05 mV at 0.02 ms; over six beats at cycle lengths of
300 to 1000 ms as in production: 0.14 ms of APD. The longest step costs 0.25 mV.

What Tomek et al. 2019 took over unchanged is taken from here by `tor_ord_2019`: see the functions at the end.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import exp, linoid, log, minimum, rush_larsen, sigmoid, sqrt, where

REST_MV = -88.0029
REPOLARISED_MV = -70.0
LONGEST_STEP_MS = 0.2
LONGEST_DT_MS = 0.1
STEEPEST_PER_MS = 3.4

STEADY_STATES = {
    "endocardial": {
        "V": -88.0028694, "Na_i": 7.26790442, "Na_ss": 7.2679895, "K_i": 144.655614, "K_ss": 144.655587,
        "Ca_i": 8.57732031e-05, "Ca_ss": 8.46521103e-05, "Ca_nsr": 1.61938554, "Ca_jsr": 1.57311476,
        "m": 0.00734342128, "h_f": 0.698140139, "h_s": 0.698123407, "j": 0.698028836, "h_sp": 0.454990246,
        "j_p": 0.697965406, "m_L": 0.000188227846, "h_L": 0.501444756, "h_Lp": 0.270055736, "a": 0.00100103305,
        "i_F": 0.999554252, "i_S": 0.591344238, "a_p": 0.000510053342, "i_Fp": 0.999554259, "i_Sp": 0.644169777,
        "d": 2.34026311e-09, "f_f": 0.999999991, "f_s": 0.911121687, "f_Caf": 0.999999991, "f_Cas": 0.999823068,
        "j_Ca": 0.999977062, "n_Ca": 0.0027154054, "f_fp": 0.999999991, "f_Cafp": 0.999999991,
        "x_rf": 8.06848023e-06, "x_rs": 0.45035245, "x_s1": 0.26950929, "x_s2": 0.000192827081, "x_K1": 0.996759492,
        "J_relnp": 2.50682505e-07, "J_relp": 3.13195963e-07, "CaMK_t": 0.0125193055,
    },
    "mid_myocardial": {
        "V": -87.6820512, "Na_i": 9.00277931, "Na_ss": 9.00291972, "K_i": 142.797487, "K_ss": 142.79745,
        "Ca_i": 9.86455906e-05, "Ca_ss": 9.60773233e-05, "Ca_nsr": 2.1483625, "Ca_jsr": 2.09041398,
        "m": 0.00758417611, "h_f": 0.68691627, "h_s": 0.686893451, "j": 0.686761553, "h_sp": 0.441930269,
        "j_p": 0.686669283, "m_L": 0.000200054177, "h_L": 0.485660041, "h_Lp": 0.24969497, "a": 0.00102291875,
        "i_F": 0.999528487, "i_S": 0.559780984, "a_p": 0.000521210299, "i_Fp": 0.999528497, "i_Sp": 0.607034787,
        "d": 2.52467462e-09, "f_f": 0.99999999, "f_s": 0.878802059, "f_Caf": 0.99999999, "f_Cas": 0.999639771,
        "j_Ca": 0.999955211, "n_Ca": 0.00440112531, "f_fp": 0.99999999, "f_Cafp": 0.99999999,
        "x_rf": 8.63724968e-06, "x_rs": 0.483991123, "x_s1": 0.323290755, "x_s2": 0.000199901026,
        "x_K1": 0.99684288, "J_relnp": 1.79199722e-06, "J_relp": 2.23974781e-06, "CaMK_t": 0.0256342013,
    },
    "epicardial": {
        "V": -87.936733, "Na_i": 7.87502278, "Na_ss": 7.87510498, "K_i": 143.97782, "K_ss": 143.977788,
        "Ca_i": 7.63695644e-05, "Ca_ss": 7.53439267e-05, "Ca_nsr": 2.00115406, "Ca_jsr": 1.94537624,
        "m": 0.00739241723, "h_f": 0.695845393, "h_s": 0.69583531, "j": 0.69577653, "h_sp": 0.45232186,
        "j_p": 0.695735322, "m_L": 0.000190606908, "h_L": 0.502018541, "h_Lp": 0.276037298, "a": 0.00100550358,
        "i_F": 0.999549117, "i_S": 0.999542045, "a_p": 0.000512332322, "i_Fp": 0.999549117, "i_Sp": 0.999547609,
        "d": 2.37712521e-09, "f_f": 0.999999991, "f_s": 0.922841027, "f_Caf": 0.999999991, "f_Cas": 0.999890538,
        "j_Ca": 0.999984592, "n_Ca": 0.00173611112, "f_fp": 0.999999991, "f_Cafp": 0.999999991,
        "x_rf": 8.11639283e-06, "x_rs": 0.423090428, "x_s1": 0.241385114, "x_s2": 0.000194236489,
        "x_K1": 0.996776686, "J_relnp": 4.60466745e-07, "J_relp": 5.75484412e-07, "CaMK_t": 0.0159801301,
    },
}  # fmt: skip
STATE = STEADY_STATES["endocardial"]
PARAMETERS = {
    "g_Na": 75.0,  # mS/µF, as all g_ but g_NCX
    "g_NaL": 0.0075,
    "g_to": 0.02,
    "P_Ca": 1e-4,  # cm³/(µF ms)
    "g_Kr": 0.046,
    "g_Ks": 0.0034,
    "g_K1": 0.1908,
    "g_Kb": 0.003,
    "g_NCX": 0.0008,  # µA/µF ms
    "P_NaK": 30.0,
    "J_rel": 1.0,  # of the release, and
    "J_up": 1.0,  # of the uptake of an endocardial cell
    "CMDN_max": 0.05,
    "epicardial": 0.0,  # 1: the faster inactivation of I_to of the epicardial cell
}
RATES = ("Ca_i", "Ca_ss", "Ca_jsr")
CELL_TYPES = {
    "endocardial": {},
    "mid_myocardial": {
        "g_to": 0.08, "P_Ca": 2.5e-4, "g_Kr": 0.0368, "g_K1": 0.24804, "g_NCX": 0.00112, "P_NaK": 21.0, "J_rel": 1.7,
    },
    "epicardial": {
        "g_NaL": 0.0045, "g_to": 0.08, "P_Ca": 1.2e-4, "g_Kr": 0.0598, "g_Ks": 0.00476, "g_K1": 0.22896,
        "g_Kb": 0.0018, "g_NCX": 0.00088, "P_NaK": 27.0, "J_up": 1.3, "CMDN_max": 0.065, "epicardial": 1.0,
    },
}  # fmt: skip

R, T, F = 8314.0, 310.0, 96485.0  # mJ/(K mol), K, C/mol
A_cap = 4.0 * 3.14 * 0.0011 * (0.0011 + 0.01)  # cm², of a cylinder, twice its geometric area
v_cell = 1000.0 * 3.14 * 0.0011 * 0.0011 * 0.01  # µL
v_myo, v_nsr, v_jsr, v_ss = 0.68 * v_cell, 0.0552 * v_cell, 0.0048 * v_cell, 0.02 * v_cell
K_o, Na_o, Ca_o = 5.4, 140.0, 1.8
P_KNa = 0.01833
P_Nab, P_Cab, g_pCa = 3.75e-10, 2.5e-8, 0.0005  # noqa: N816
CaMK_o, a_CaMK, b_CaMK, K_mCaM, K_mCaMK = 0.05, 0.05, 0.00068, 0.0015, 0.15  # noqa: N816
K_mn, k_2n = 0.002, 1000.0
b_t = 4.75
K_mcmdn, TRPN_max, K_mtrpn = 0.00238, 0.07, 0.0005
BSR_max, K_mBSR, BSL_max, K_mBSL, CSQN_max, K_mcsqn = 0.047, 0.00087, 1.124, 0.0087, 10.0, 0.8

(
    V_, NA_I, NA_SS, K_I, K_SS, CA_I, CA_SS, CA_NSR, CA_JSR, M, H_F, H_S, J, H_SP, J_P, M_L, H_L, H_LP, A, I_F, I_S,
    A_P, I_FP, I_SP, D, F_F, F_S, F_CAF, F_CAS, J_CA, N_CA, F_FP, F_CAFP, X_RF, X_RS, X_S1, X_S2, X_K1, J_RELNP,
    J_RELP, CAMK_T, G_NA, G_NAL, G_TO, P_CA, G_KR, G_KS, G_K1, G_KB, G_NCX, P_NAK, J_REL, J_UP, CMDN_MAX, EPICARDIAL,
    CA_I_RATE, CA_SS_RATE, CA_JSR_RATE,
) = rows(STATE, PARAMETERS, RATES)  # fmt: skip


def gates(cell, lane, V, dt):
    """Take the gates one Rush-Larsen step at a fixed potential."""
    # Sodium gates
    rate_m = 6.765 * exp((V + 11.64) / 34.77) + 8.552 * exp(-(V + 77.42) / 5.955)
    rate_hf = 1.432e-5 * exp(-(V + 1.196) / 6.285) + 6.149 * exp((V + 0.5096) / 20.27)
    rate_hs = 0.009794 * exp(-(V + 17.95) / 28.05) + 0.3343 * exp((V + 5.73) / 56.66)
    recovery = 0.02136 * exp(-(V + 100.6) / 8.281) + 0.3052 * exp((V + 0.9941) / 38.45)
    rate_j = recovery / (2.038 * recovery + 1.0)
    h_ss = sigmoid((V + 82.9) / 6.086)
    cell[M + lane] = rush_larsen(cell[M + lane], sigmoid(-(V + 39.57) / 9.871), rate_m, dt)
    cell[H_F + lane] = rush_larsen(cell[H_F + lane], h_ss, rate_hf, dt)
    cell[H_S + lane] = rush_larsen(cell[H_S + lane], h_ss, rate_hs, dt)
    cell[J + lane] = rush_larsen(cell[J + lane], h_ss, rate_j, dt)
    cell[H_SP + lane] = rush_larsen(cell[H_SP + lane], sigmoid((V + 89.1) / 6.086), rate_hs / 3.0, dt)
    cell[J_P + lane] = rush_larsen(cell[J_P + lane], h_ss, rate_j / 1.46, dt)
    cell[M_L + lane] = rush_larsen(cell[M_L + lane], sigmoid(-(V + 42.85) / 5.264), rate_m, dt)
    cell[H_L + lane] = rush_larsen(cell[H_L + lane], sigmoid((V + 87.61) / 7.488), 1.0 / 200.0, dt)
    cell[H_LP + lane] = rush_larsen(cell[H_LP + lane], sigmoid((V + 93.81) / 7.488), 1.0 / 600.0, dt)

    # Transient outward gates
    rate_a, rate_iF, rate_iS, phosphorylated = transient_outward_rates(V, cell[EPICARDIAL + lane])
    i_ss = sigmoid((V + 43.94) / 5.711)
    cell[A + lane] = rush_larsen(cell[A + lane], sigmoid(-(V - 14.34) / 14.82), rate_a, dt)
    cell[I_F + lane] = rush_larsen(cell[I_F + lane], i_ss, rate_iF, dt)
    cell[I_S + lane] = rush_larsen(cell[I_S + lane], i_ss, rate_iS, dt)
    cell[A_P + lane] = rush_larsen(cell[A_P + lane], sigmoid(-(V - 24.34) / 14.82), rate_a, dt)
    cell[I_FP + lane] = rush_larsen(cell[I_FP + lane], i_ss, rate_iF * phosphorylated, dt)
    cell[I_SP + lane] = rush_larsen(cell[I_SP + lane], i_ss, rate_iS * phosphorylated, dt)

    # L-type calcium gates
    rate_d, rate_ff, rate_fs, rate_fCaf, rate_fCas = l_type_rates(V)
    f_ss = sigmoid((V + 19.58) / 3.696)
    j_Ca = cell[J_CA + lane]
    later_j_Ca = rush_larsen(j_Ca, f_ss, 1.0 / 75.0, dt)
    k_m2n = 0.5 * (j_Ca + later_j_Ca)
    cell[D + lane] = rush_larsen(cell[D + lane], sigmoid(-(V + 3.94) / 4.23), rate_d, dt)
    cell[F_F + lane] = rush_larsen(cell[F_F + lane], f_ss, rate_ff, dt)
    cell[F_S + lane] = rush_larsen(cell[F_S + lane], f_ss, rate_fs, dt)
    cell[F_CAF + lane] = rush_larsen(cell[F_CAF + lane], f_ss, rate_fCaf, dt)
    cell[F_CAS + lane] = rush_larsen(cell[F_CAS + lane], f_ss, rate_fCas, dt)
    cell[J_CA + lane] = later_j_Ca
    cell[N_CA + lane] = rush_larsen(cell[N_CA + lane], n_Ca_steady(cell[CA_SS + lane], k_m2n, k_2n), k_m2n, dt)
    cell[F_FP + lane] = rush_larsen(cell[F_FP + lane], f_ss, rate_ff / 2.5, dt)
    cell[F_CAFP + lane] = rush_larsen(cell[F_CAFP + lane], f_ss, rate_fCaf / 2.5, dt)

    # Potassium gates
    fast = 0.3652 * exp((V - 31.66) / 3.869) + 4.123e-5 * exp(-(V - 47.78) / 20.38)
    slow = 0.06629 * exp((V - 34.7) / 7.355) + 1.128e-5 * exp(-(V - 29.74) / 25.94)
    rate_K1 = (exp(-(V + 127.2) / 20.36) + exp((V + 236.8) / 69.33)) / 122.2
    xr_ss, xs_ss = sigmoid(-(V + 8.337) / 6.789), sigmoid(-(V + 11.6) / 8.932)
    rate_xs1, rate_xs2 = slow_rectifier_rates(V)
    xK1_ss = sigmoid(-(V + 2.5538 * K_o + 144.59) / (1.5692 * K_o + 3.8115))
    cell[X_RF + lane] = rush_larsen(cell[X_RF + lane], xr_ss, fast / (12.98 * fast + 1.0), dt)
    cell[X_RS + lane] = rush_larsen(cell[X_RS + lane], xr_ss, slow / (1.865 * slow + 1.0), dt)
    cell[X_S1 + lane] = rush_larsen(cell[X_S1 + lane], xs_ss, rate_xs1, dt)
    cell[X_S2 + lane] = rush_larsen(cell[X_S2 + lane], xs_ss, rate_xs2, dt)
    cell[X_K1 + lane] = rush_larsen(cell[X_K1 + lane], xK1_ss, rate_K1, dt)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms; takes concentrations, CaMK and the release one step."""
    Na_i, Na_ss, K_i, K_ss = cell[NA_I + lane], cell[NA_SS + lane], cell[K_I + lane], cell[K_SS + lane]
    Ca_i = cell[CA_I + lane] + 0.5 * dt * cell[CA_I_RATE + lane]
    Ca_ss = cell[CA_SS + lane] + 0.5 * dt * cell[CA_SS_RATE + lane]
    Ca_jsr = half_way(cell[CA_JSR + lane], cell[CA_JSR_RATE + lane], dt)
    Ca_nsr, CaMK_t = cell[CA_NSR + lane], cell[CAMK_T + lane]

    # Reversal potentials, and the share of channels that CaMK has phosphorylated
    E_Na = R * T / F * log(Na_o / Na_i)
    E_K = R * T / F * log(K_o / K_i)
    E_Ks = R * T / F * log((K_o + P_KNa * Na_o) / (K_i + P_KNa * Na_i))
    VFRT = V * F / (R * T)
    CaMK_b = CaMK_o * (1.0 - CaMK_t) / (1.0 + K_mCaM / Ca_ss)
    p = 1.0 / (1.0 + K_mCaMK / (CaMK_b + CaMK_t))
    cell[CAMK_T + lane] = CaMK_t + dt * (a_CaMK * CaMK_b * (CaMK_b + CaMK_t) - b_CaMK * CaMK_t)

    # Sodium currents
    m, h_f = cell[M + lane], 0.99 * cell[H_F + lane]
    h, h_p = h_f + 0.01 * cell[H_S + lane], h_f + 0.01 * cell[H_SP + lane]
    open_Na = m * m * m * ((1.0 - p) * h * cell[J + lane] + p * h_p * cell[J_P + lane])
    i_Na = cell[G_NA + lane] * open_Na * (V - E_Na)
    open_NaL = cell[M_L + lane] * ((1.0 - p) * cell[H_L + lane] + p * cell[H_LP + lane])
    i_NaL = cell[G_NAL + lane] * open_NaL * (V - E_Na)

    # Potassium currents
    A_iF = sigmoid((V - 213.6) / 151.2)
    i = A_iF * cell[I_F + lane] + (1.0 - A_iF) * cell[I_S + lane]
    i_p = A_iF * cell[I_FP + lane] + (1.0 - A_iF) * cell[I_SP + lane]
    i_to = cell[G_TO + lane] * ((1.0 - p) * cell[A + lane] * i + p * cell[A_P + lane] * i_p) * (V - E_K)
    A_xrf = sigmoid((V + 54.81) / 38.21)
    x_r = A_xrf * cell[X_RF + lane] + (1.0 - A_xrf) * cell[X_RS + lane]
    R_Kr = sigmoid((V + 55.0) / 75.0) * sigmoid((V - 10.0) / 30.0)
    i_Kr = cell[G_KR + lane] * sqrt(K_o / 5.4) * x_r * R_Kr * (V - E_K)
    i_Ks = cell[G_KS + lane] * slow_rectifier_calcium(Ca_i) * cell[X_S1 + lane] * cell[X_S2 + lane] * (V - E_Ks)
    i_K1 = cell[G_K1 + lane] * sqrt(K_o) * cell[X_K1 + lane] * sigmoid((V + 105.8 - 2.6 * K_o) / 9.493) * (V - E_K)
    i_Kb = cell[G_KB + lane] * sigmoid(-(V - 14.48) / 18.34) * (V - E_K)

    # L-type channels, for three ions
    once, twice = linoid(VFRT), linoid(2.0 * VFRT)
    open_L = l_type_open(
        V, p, cell[D + lane], cell[F_F + lane], cell[F_S + lane], cell[F_CAF + lane], cell[F_CAS + lane],
        cell[J_CA + lane], cell[F_FP + lane], cell[F_CAFP + lane], cell[N_CA + lane],
    )  # fmt: skip
    P_L = cell[P_CA + lane] * open_L
    i_CaL = P_L * (2.0 * F) * (Ca_ss * (twice + 2.0 * VFRT) - 0.341 * Ca_o * twice)
    i_CaNa = 0.00125 * P_L * (0.75 * F) * (Na_ss * (once + VFRT) - Na_o * once)
    i_CaK = 3.574e-4 * P_L * (0.75 * F) * (K_ss * (once + VFRT) - K_o * once)

    # Exchanger, pump, background
    i_NaCa_i = 0.8 * cell[G_NCX + lane] * sodium_calcium_exchange(VFRT, Na_i, Ca_i)
    i_NaCa_ss = 0.2 * cell[G_NCX + lane] * sodium_calcium_exchange(VFRT, Na_ss, Ca_ss)
    i_NaK = cell[P_NAK + lane] * sodium_potassium_pump(VFRT, Na_i, K_i, K_o)
    i_Nab = P_Nab * F * (Na_i * (once + VFRT) - Na_o * once)
    i_Cab = P_Cab * (2.0 * F) * (Ca_i * (twice + 2.0 * VFRT) - 0.341 * Ca_o * twice)
    i_pCa = g_pCa * Ca_i / (0.0005 + Ca_i)

    # Release and uptake
    J_np, J_p, cell[J_RELNP + lane], cell[J_RELP + lane] = release(
        -0.5 * b_t * cell[J_REL + lane] * i_CaL, 1.5, Ca_jsr, cell[J_RELNP + lane], cell[J_RELP + lane], dt
    )
    bound_jsr = 1.0 + CSQN_max * K_mcsqn / ((K_mcsqn + Ca_jsr) * (K_mcsqn + Ca_jsr))
    J_rel = minimum(((1.0 - p) * J_np + p * J_p), 0.5 * cell[CA_JSR + lane] * bound_jsr / dt)
    J_upnp = 0.004375 * Ca_i / (Ca_i + 0.00092)
    J_upp = 2.75 * 0.004375 * Ca_i / (Ca_i + 0.00092 - 0.00017)
    J_up = cell[J_UP + lane] * ((1.0 - p) * J_upnp + p * J_upp) - 0.0039375 / 15.0 * Ca_nsr
    J_tr = (Ca_nsr - Ca_jsr) / 100.0

    # Concentrations
    myo, ss = A_cap / (F * v_myo), A_cap / (F * v_ss)
    J_diff, J_diffNa, J_diffK = (Ca_ss - Ca_i) / 0.2, (Na_ss - Na_i) / 2.0, (K_ss - K_i) / 2.0
    i_K = i_to + i_Kr + i_Ks + i_K1 + i_Kb
    cell[NA_I + lane] = Na_i + dt * (
        J_diffNa * (v_ss / v_myo) - (i_Na + i_NaL + 3.0 * i_NaCa_i + 3.0 * i_NaK + i_Nab) * myo
    )
    cell[NA_SS + lane] = Na_ss - dt * ((i_CaNa + 3.0 * i_NaCa_ss) * ss + J_diffNa)
    cell[K_I + lane] = K_i + dt * (J_diffK * (v_ss / v_myo) - (i_K - 2.0 * i_NaK) * myo)
    cell[K_SS + lane] = K_ss - dt * (i_CaK * ss + J_diffK)
    Ca_i_rate = (J_diff * (v_ss / v_myo) - J_up * (v_nsr / v_myo) - (i_pCa + i_Cab - 2.0 * i_NaCa_i) * (0.5 * myo)) / (
        1.0
        + cell[CMDN_MAX + lane] * K_mcmdn / ((K_mcmdn + Ca_i) * (K_mcmdn + Ca_i))
        + TRPN_max * K_mtrpn / ((K_mtrpn + Ca_i) * (K_mtrpn + Ca_i))
    )
    Ca_ss_rate = (J_rel * (v_jsr / v_ss) - J_diff - (i_CaL - 2.0 * i_NaCa_ss) * (0.5 * ss)) / (
        1.0
        + BSR_max * K_mBSR / ((K_mBSR + Ca_ss) * (K_mBSR + Ca_ss))
        + BSL_max * K_mBSL / ((K_mBSL + Ca_ss) * (K_mBSL + Ca_ss))
    )
    Ca_jsr_rate = (J_tr - J_rel) / bound_jsr
    cell[CA_I + lane] = cell[CA_I + lane] + dt * Ca_i_rate
    cell[CA_SS + lane] = cell[CA_SS + lane] + dt * Ca_ss_rate
    cell[CA_JSR + lane] = cell[CA_JSR + lane] + dt * Ca_jsr_rate
    cell[CA_NSR + lane] = Ca_nsr + dt * (J_up - J_tr * (v_jsr / v_nsr))
    cell[CA_I_RATE + lane] = Ca_i_rate
    cell[CA_SS_RATE + lane] = Ca_ss_rate
    cell[CA_JSR_RATE + lane] = Ca_jsr_rate
    return (
        i_K + i_Na + i_NaL + i_CaL + i_CaNa + i_CaK + i_NaCa_i + i_NaCa_ss + i_NaK + i_Nab + i_Cab + i_pCa
    )  # fmt: skip


def transient_outward_rates(V, epicardial):
    """Of activation, of fast and slow inactivation, and what phosphorylation makes of the latter two."""
    rate_a = (sigmoid(-(V - 18.4099) / 29.3814) / 1.2089 + 3.5 * sigmoid((V + 100.0) / 29.3814)) / 1.0515
    delta_epi = 1.0 - 0.95 * epicardial * sigmoid((V + 70.0) / 5.0)
    fast = 0.3933 * exp(-(V + 100.0) / 100.0) + 0.08004 * exp((V + 50.0) / 16.59)
    slow = 0.001416 * exp(-(V + 96.52) / 59.05) + 1.78e-8 * exp((V + 114.1) / 8.079)
    # The second exponential passes 1e26 below -1 mV; what is beyond it counts for nothing.
    develop = 1.354 + 1e-4 / (exp((V - 167.4) / 15.89) + exp(minimum(-(V - 12.23) / 0.2154, 60.0)))
    recover = 1.0 - 0.5 * sigmoid((V + 70.0) / 20.0)
    return (
        rate_a,
        fast / ((4.562 * fast + 1.0) * delta_epi),
        slow / ((23.62 * slow + 1.0) * delta_epi),
        1.0 / (develop * recover),
    )


def l_type_rates(V):
    """Of d, f_f, f_s, f_Caf and f_Cas."""
    d = exp(-0.05 * (V + 6.0)) + exp(0.09 * (V + 14.0))
    ff = 0.0045 * (exp(-(V + 20.0) / 10.0) + exp((V + 20.0) / 10.0))
    fs = 0.000035 * (exp(-(V + 5.0) / 4.0) + exp((V + 5.0) / 6.0))
    fCaf = 0.04 * (exp(-(V - 4.0) / 7.0) + exp((V - 4.0) / 7.0))
    fCas = 0.00012 * (exp(-V / 3.0) + exp(V / 7.0))
    return (
        d / (0.6 * d + 1.0),
        ff / (7.0 * ff + 1.0),
        fs / (1000.0 * fs + 1.0),
        fCaf / (7.0 * fCaf + 1.0),
        fCas / (100.0 * fCas + 1.0),
    )


def l_type_open(V, p, d, f_f, f_s, f_Caf, f_Cas, j_Ca, f_fp, f_Cafp, n_Ca):
    """Share of open L-type channels, those that CaMK has phosphorylated (p) weighing a tenth more."""
    A_fCaf = 0.3 + 0.6 * sigmoid((V - 10.0) / 10.0)
    f, f_p = 0.6 * f_f + 0.4 * f_s, 0.6 * f_fp + 0.4 * f_s
    f_Ca = A_fCaf * f_Caf + (1.0 - A_fCaf) * f_Cas
    f_Cap = A_fCaf * f_Cafp + (1.0 - A_fCaf) * f_Cas
    n_j = j_Ca * n_Ca
    return d * ((1.0 - p) * (f * (1.0 - n_Ca) + f_Ca * n_j) + 1.1 * p * (f_p * (1.0 - n_Ca) + f_Cap * n_j))


def n_Ca_steady(Ca, k_m2n, k_2n):  # noqa: N802
    """Share of channels in the mode that calcium inactivates."""
    share = 1.0 + K_mn / Ca
    share = share * share
    return 1.0 / (1.0 + k_m2n / k_2n * share * share)


def slow_rectifier_rates(V):
    """Of x_s1 and x_s2."""
    slow = 2.326e-4 * exp((V + 48.28) / 17.8) + 0.001292 * exp(-(V + 210.0) / 230.0)
    return slow / (817.3 * slow + 1.0), 0.01 * exp((V - 50.0) / 20.0) + 0.0193 * exp(-(V + 66.54) / 31.0)


def slow_rectifier_calcium(Ca_i):
    """What calcium makes of I_Ks."""
    return 1.0 + 0.6 / (1.0 + exp(1.4 * log(3.8e-5 / Ca_i)))


def half_way(Ca_jsr, rate, dt):
    """What the store holds half a step later, and at least half of what it holds now."""
    later = Ca_jsr + 0.5 * dt * rate
    return where(later < 0.5 * Ca_jsr, 0.5 * Ca_jsr, later)


def release(drive, K_jsr, Ca_jsr, J_np, J_p, dt):
    """J_relnp and J_relp half a step and one step later, in two Rush-Larsen steps at one current."""
    share = K_jsr / Ca_jsr
    fourth = share * share * share * share
    J_inf = drive / (1.0 + fourth * fourth)
    rate, rate_p = minimum((1.0 + 0.0123 / Ca_jsr) / b_t, 1e3), minimum((1.0 + 0.0123 / Ca_jsr) / (1.25 * b_t), 1e3)
    half_np = rush_larsen(J_np, J_inf, rate, 0.5 * dt)
    half_p = rush_larsen(J_p, 1.25 * J_inf, rate_p, 0.5 * dt)
    return (
        half_np,
        half_p,
        rush_larsen(half_np, J_inf, rate, 0.5 * dt),
        rush_larsen(half_p, 1.25 * J_inf, rate_p, 0.5 * dt),
    )


def sodium_calcium_exchange(VFRT, Na, Ca):
    """Net charge a ms that one exchanger moves: its cycle of four states in balance, after Kang and Hilgemann 2004."""
    h_Ca, h_Na = exp(0.167 * VFRT), exp(0.5224 * VFRT)
    h1 = 1.0 + Na / 88.12 * (1.0 + h_Na)
    h2 = Na * h_Na / (88.12 * h1)
    h4 = 1.0 + Na / 15.0 * (1.0 + Na / 5.0)
    h5 = Na * Na / (h4 * (15.0 * 5.0))
    h7 = 1.0 + Na_o / 88.12 * (1.0 + 1.0 / h_Na)
    h8 = Na_o / (88.12 * h_Na * h7)
    h10 = 12.5 + 1.0 + Na_o / 15.0 * (1.0 + Na_o / 5.0)
    h11 = Na_o * Na_o / (h10 * 15.0 * 5.0)
    k1, k2, k5 = 1.5e6 / h10 * Ca_o, 5e3, 5e3
    k3pp, k4pp = 5e3 * h8, 5e3 * h2
    k3, k4 = 6e4 / h7 + k3pp, 6e4 / (h1 * h_Ca) + k4pp
    k6 = 1.5e6 / h4 * Ca
    k7, k8 = 6e4 * h5 * h2, 6e4 * h8 * h11
    x1 = k2 * k4 * (k7 + k6) + k5 * k7 * (k2 + k3)
    x2 = k1 * k7 * (k4 + k5) + k4 * k6 * (k1 + k8)
    x3 = k1 * k3 * (k7 + k6) + k8 * k6 * (k2 + k3)
    x4 = k2 * k8 * (k4 + k5) + k3 * k5 * (k1 + k8)
    Na_flux = 3.0 * (x4 * k7 - x1 * k8) + x3 * k4pp - x2 * k3pp
    Ca_flux = x2 * k2 - x1 * k1
    activation = 150e-6 / Ca
    return (Na_flux + 2.0 * Ca_flux) / ((x1 + x2 + x3 + x4) * (1.0 + activation * activation))


def sodium_potassium_pump(VFRT, Na_i, K_i, K_o):
    """Cycles a second of one pump, each moving one charge, after Smith and Crampin 2004.

    The paper counts sodium and potassium from different steps of the cycle; in balance both are the cycle.
    """
    Na_in = Na_i / (9.073 * exp(-0.155 / 3.0 * VFRT))
    Na_out = Na_o / (27.78 * exp(1.155 / 3.0 * VFRT))
    K_in, K_out = K_i / 0.5, K_o / 0.3582
    phosphate = 4.2 / (1.0 + 1e-7 / 1.698e-7 + Na_i / 224.0 + K_i / 292.0)
    MgATP = 9.8 / 1.698e-7
    Na_in3, Na_out3 = Na_in * Na_in * Na_in, Na_out * Na_out * Na_out
    inside = (1.0 + Na_in) * (1.0 + Na_in) * (1.0 + Na_in) + (1.0 + K_in) * (1.0 + K_in) - 1.0
    outside = (1.0 + Na_out) * (1.0 + Na_out) * (1.0 + Na_out) + (1.0 + K_out) * (1.0 + K_out) - 1.0
    a1, b1 = 949.5 * Na_in3 / inside, 182.4 * 0.05
    a2, b2 = 687.2, 39.4 * Na_out3 / outside
    a3, b3 = 1899.0 * K_out * K_out / outside, 79300.0 * 1e-7 / (1.0 + MgATP) * phosphate
    a4, b4 = 639.0 * MgATP / (1.0 + MgATP), 40.0 * K_in * K_in / inside
    x1 = a4 * a1 * a2 + b1 * b4 * b3 + a2 * b4 * b3 + b3 * a1 * a2
    x2 = b2 * b1 * b4 + a1 * a2 * a3 + a3 * b1 * b4 + a2 * a3 * b4
    x3 = a2 * a3 * a4 + b3 * b2 * b1 + b2 * b1 * a4 + a3 * a4 * b1
    x4 = b4 * b3 * b2 + a3 * a4 * a1 + b2 * a4 * a1 + b3 * b2 * a1
    return (a1 * a2 * a3 * a4 - b1 * b2 * b3 * b4) / (x1 + x2 + x3 + x4)
