"""ToR-ORd, Tomek et al. 2019, eLife 8:e48890 (doi 10.7554/eLife.48890): human ventricle, after the authors' code.

Forty-three state variables, at 37 °C; intracellular chloride is constant, as in that paper (not in ToR-ORd-dynCl, of
2020), and activity coefficients are those of the paper, with the natural logarithm. Grown out of O'Hara-Rudy, from
where (`ohara_rudy_2011`) all that is unchanged is taken: I_to, gates of I_CaL and I_Ks, exchanger, pump. Its sodium
current is that of ten Tusscher-Panfilov and Grandi with phosphorylation, I_Kr a Markov chain of five states after Lu et
al. 2001. The stimulus is not counted as potassium.

Initial values: of the endocardial cell, `STATE`, the authors' for 1 Hz; of the others, in `STEADY_STATES`, what 100
beats at 1 Hz make of the authors', whose diastolic calcium is a tenth off. Units: ms, mV, mM, µA/µF.

Gates take a Rush-Larsen step. The chain of I_Kr, whose fastest rate at rest is 54/ms, is linear at a fixed potential
and takes one step of the L-stable diagonally implicit Runge-Kutta method of two stages and second order (Alexander
1977, doi 10.1137/0714068), solved by elimination; an explicit step would end at 0.03 ms. Concentrations and CaMK take a
forward Euler step; Ca_ss, Ca_i and Ca_jsr are extrapolated to the middle of theirs. Checked at 1 Hz, dt 0.005 to 0.05
ms; over six beats at cycle lengths of 300 to 1000 ms as in production: 0.35 ms of APD. The longest step costs 0.25 mV;
0.64 ms would cost 1.9.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.ionic.ohara_rudy_2011 import (
    half_way,
    l_type_open,
    l_type_rates,
    n_Ca_steady,
    release,
    slow_rectifier_calcium,
    slow_rectifier_rates,
    sodium_calcium_exchange,
    sodium_potassium_pump,
    transient_outward_rates,
)
from cardiotwin.kernels.lanes import exp, linoid, log, minimum, rush_larsen, sigmoid, sqrt, where

REST_MV = -88.8691566357934
REPOLARISED_MV = -70.0
LONGEST_STEP_MS = 0.2
LONGEST_DT_MS = 0.1
STEEPEST_PER_MS = 4.3

STEADY_STATES = {
    "endocardial": {
        "V": -88.8691566357934, "Na_i": 12.0996648, "Na_ss": 12.1000029, "K_i": 142.412525, "K_ss": 142.412481,
        "Ca_i": 7.45541573e-05, "Ca_ss": 6.50418928e-05, "Ca_nsr": 1.53037019, "Ca_jsr": 1.52803094,
        "m": 0.000787657401, "h_p": 0.674096901, "h": 0.830658199, "j": 0.830466744, "j_p": 0.830093612,
        "m_L": 0.000159670117, "h_L": 0.528261722, "h_Lp": 0.288775833, "a": 0.000944249645, "i_F": 0.999616957,
        "i_S": 0.59368059, "a_p": 0.000481107254, "i_Fp": 0.999616965, "i_Sp": 0.654092075, "d": 0,
        "f_f": 0.999999993, "f_s": 0.938965241, "f_Caf": 0.999999993, "f_Cas": 0.999900458, "j_Ca": 0.999977476,
        "n_Cass": 0.000492094765, "n_Cai": 0.000833711886, "f_fp": 0.999999993, "f_Cafp": 0.999999993,
        "x_s1": 0.247156544, "x_s2": 0.000175017075, "J_relnp": 0, "CaMK_t": 0.0110752905, "c0": 0.998073652,
        "c1": 0.000844745297, "c2": 0.000698171877, "o": 0.000370404872, "i": 1.30239063e-05, "J_relp": 0,
    },
    "mid_myocardial": {
        "V": -89.1190098, "Na_i": 14.9945583, "Na_ss": 14.9950887, "K_i": 142.735902, "K_ss": 142.73584,
        "Ca_i": 8.15896336e-05, "Ca_ss": 6.57321506e-05, "Ca_nsr": 1.95346823, "Ca_jsr": 1.95711393,
        "m": 0.000746396914, "h_p": 0.682149109, "h": 0.835548084, "j": 0.835352967, "j_p": 0.834822811,
        "m_L": 0.000152269677, "h_L": 0.531133143, "h_Lp": 0.282238726, "a": 0.000928478024, "i_F": 0.999633352,
        "i_S": 0.56698492, "a_p": 0.000473067748, "i_Fp": 0.999633359, "i_Sp": 0.625863169, "d": 0.0,
        "f_f": 0.999999993, "f_s": 0.920049881, "f_Caf": 0.999999993, "f_Cas": 0.9997897, "j_Ca": 0.999966525,
        "n_Cass": 0.000512534748, "n_Cai": 0.00117914676, "f_fp": 0.999999993, "f_Cafp": 0.999999993,
        "x_s1": 0.265147892, "x_s2": 0.0001701857, "J_relnp": 0.0, "CaMK_t": 0.019155371, "c0": 0.997906257,
        "c1": 0.000829748351, "c2": 0.000698234871, "o": 0.000546761275, "i": 1.8998873e-05, "J_relp": 0.0,
    },
    "epicardial": {
        "V": -89.0862967, "Na_i": 12.825972, "Na_ss": 12.8262879, "K_i": 142.386871, "K_ss": 142.38682,
        "Ca_i": 6.62717995e-05, "Ca_ss": 5.76442781e-05, "Ca_nsr": 1.8106599, "Ca_jsr": 1.80890072,
        "m": 0.000751675239, "h_p": 0.681111678, "h": 0.834920547, "j": 0.834838478, "j_p": 0.834624824,
        "m_L": 0.00015321872, "h_L": 0.538306562, "h_Lp": 0.301944017, "a": 0.00093052499, "i_F": 0.999631295,
        "i_S": 0.999628124, "a_p": 0.000474111172, "i_Fp": 0.999631295, "i_Sp": 0.999630685, "d": 0.0,
        "f_f": 0.999999993, "f_s": 0.948483597, "f_Caf": 0.999999993, "f_Cas": 0.999933934, "j_Ca": 0.999982217,
        "n_Cass": 0.000307957706, "n_Cai": 0.000528928145, "f_fp": 0.999999993, "f_Cafp": 0.999999993,
        "x_s1": 0.23095155, "x_s2": 0.00017077417, "J_relnp": 0.0, "CaMK_t": 0.012866929, "c0": 0.998196775,
        "c1": 0.000831860146, "c2": 0.000682143614, "o": 0.000279516823, "i": 9.70482626e-06, "J_relp": 0.0,
    },
}  # fmt: skip
STATE = STEADY_STATES["endocardial"]
PARAMETERS = {
    "g_Na": 11.7802,  # mS/µF, as all g_ but g_NCX
    "g_NaL": 0.0279,
    "g_to": 0.16,
    "P_Ca": 8.3757e-5,  # cm³/(µF ms)
    "g_Kr": 0.0321,
    "g_Ks": 0.0011,
    "g_K1": 0.6992,
    "g_Kb": 0.0189,
    "g_NCX": 0.0034,  # µA/µF ms
    "P_NaK": 15.4509,
    "J_rel": 1.0,  # of the release, and
    "J_up": 1.0,  # of the uptake of an endocardial cell
    "CMDN_max": 0.05,
    "epicardial": 0.0,  # 1: the faster inactivation of I_to of the epicardial cell
}
RATES = ("Ca_i", "Ca_ss", "Ca_jsr")
CELL_TYPES = {
    "endocardial": {},
    "mid_myocardial": {
        "g_to": 0.32, "P_Ca": 16.7514e-5, "g_Kr": 0.02568, "g_K1": 0.90896, "g_NCX": 0.00476, "P_NaK": 10.81563,
        "J_rel": 1.7,
    },
    "epicardial": {
        "g_NaL": 0.01674, "g_to": 0.32, "P_Ca": 10.05084e-5, "g_Kr": 0.04173, "g_Ks": 0.00154, "g_K1": 0.83904,
        "g_Kb": 0.01134, "g_NCX": 0.00374, "P_NaK": 13.90581, "J_up": 1.3, "CMDN_max": 0.065, "epicardial": 1.0,
    },
}  # fmt: skip

R, T, F = 8314.0, 310.0, 96485.0  # mJ/(K mol), K, C/mol
A_cap = 4.0 * 3.14 * 0.0011 * (0.0011 + 0.01)  # cm², of a cylinder, twice its geometric area
v_cell = 1000.0 * 3.14 * 0.0011 * 0.0011 * 0.01  # µL
v_myo, v_nsr, v_jsr, v_ss = 0.68 * v_cell, 0.0552 * v_cell, 0.0048 * v_cell, 0.02 * v_cell
K_o, Na_o, Ca_o, Cl_o, Cl_i = 5.0, 140.0, 1.8, 150.0, 24.0
P_KNa = 0.01833
P_Nab, P_Cab, g_pCa, g_ClCa, g_Clb = 1.9239e-9, 5.9194e-8, 0.0005, 0.2843, 1.98e-3  # noqa: N816
CaMK_o, a_CaMK, b_CaMK, K_mCaM, K_mCaMK = 0.05, 0.05, 0.00068, 0.0015, 0.15  # noqa: N816
k_2n = 500.0
b_t = 4.75
K_mcmdn, TRPN_max, K_mtrpn = 0.00238, 0.07, 0.0005
BSR_max, K_mBSR, BSL_max, K_mBSL, CSQN_max, K_mcsqn = 0.047, 0.00087, 1.124, 0.0087, 10.0, 0.8
IN_SUBSPACE_CAL, IN_SUBSPACE_NACA = 0.8, 0.35  # share of the channels, of the exchangers
SDIRK = 1.0 - 0.5 * sqrt(2.0)

(
    V_, NA_I, NA_SS, K_I, K_SS, CA_I, CA_SS, CA_NSR, CA_JSR, M, H_P, H, J, J_P, M_L, H_L, H_LP, A, I_F, I_S, A_P, I_FP,
    I_SP, D, F_F, F_S, F_CAF, F_CAS, J_CA, N_CASS, N_CAI, F_FP, F_CAFP, X_S1, X_S2, J_RELNP, CAMK_T, C0, C1, C2, O_,
    I_, J_RELP, G_NA, G_NAL, G_TO, P_CA, G_KR, G_KS, G_K1, G_KB, G_NCX, P_NAK, J_REL, J_UP, CMDN_MAX, EPICARDIAL,
    CA_I_RATE, CA_SS_RATE, CA_JSR_RATE,
) = rows(STATE, PARAMETERS, RATES)  # fmt: skip


def activity(strength):
    """Activity coefficient of an ion of one charge, after Davies; of two charges, its fourth power."""
    root = sqrt(strength)
    return exp(-1.82e6 / (74.0 * 310.0 * sqrt(74.0 * 310.0)) * (root / (1.0 + root) - 0.3 * strength))


ACTIVITY_O = activity(0.5e-3 * (Na_o + K_o + Cl_o + 4.0 * Ca_o))


def gates(cell, lane, V, dt):
    """Take the gates one Rush-Larsen step, and I_Kr one implicit step, at a fixed potential."""
    # Sodium gates
    a, b = (V + 45.79) / 15.54, (V - 4.823) / 51.12
    rate_m = 1.0 / (0.1292 * exp(-a * a) + 0.06487 * exp(-b * b))
    m_root = sigmoid(-(V + 56.86) / 9.03)
    h_root, h_rootp = sigmoid((V + 71.55) / 7.43), sigmoid((V + 77.55) / 7.43)
    resting = V < -40.0
    rate_h = where(
        resting,
        0.057 * exp(-(V + 80.0) / 6.8) + 2.7 * exp(0.079 * V) + 3.1e5 * exp(0.3485 * V),
        0.77 / 0.13 * sigmoid(-(V + 10.66) / 11.1),
    )
    rate_j = where(
        resting,
        (-25428.0 * exp(0.2444 * V) - 6.948e-6 * exp(-0.04391 * V)) * (V + 37.78) * sigmoid(0.311 * (V + 79.23))
        + 0.02424 * exp(-0.01052 * V) * sigmoid(-0.1378 * (V + 40.14)),
        0.6 * exp(0.057 * V) * sigmoid(-0.1 * (V + 32.0)),
    )
    cell[M + lane] = rush_larsen(cell[M + lane], m_root * m_root, rate_m, dt)
    cell[H_P + lane] = rush_larsen(cell[H_P + lane], h_rootp * h_rootp, rate_h, dt)
    cell[H + lane] = rush_larsen(cell[H + lane], h_root * h_root, rate_h, dt)
    cell[J + lane] = rush_larsen(cell[J + lane], h_root * h_root, rate_j, dt)
    cell[J_P + lane] = rush_larsen(cell[J_P + lane], h_root * h_root, rate_j / 1.46, dt)
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

    # L-type calcium gates. At rest the steady state of d is e to the -1600; below 1e-26 it counts for nothing.
    rate_d, rate_ff, rate_fs, rate_fCaf, rate_fCas = l_type_rates(V)
    d_ss = where(V < 31.4978, 1.0763 * exp(-minimum(1.007 * exp(-0.0829 * V), 60.0)), 1.0)
    f_ss = sigmoid((V + 19.58) / 3.696)
    j_Ca = cell[J_CA + lane]
    later_j_Ca = rush_larsen(j_Ca, sigmoid((V + 18.08) / 2.7916), 1.0 / 75.0, dt)
    k_m2n = 0.5 * (j_Ca + later_j_Ca)
    cell[D + lane] = rush_larsen(cell[D + lane], d_ss, rate_d, dt)
    cell[F_F + lane] = rush_larsen(cell[F_F + lane], f_ss, rate_ff, dt)
    cell[F_S + lane] = rush_larsen(cell[F_S + lane], f_ss, rate_fs, dt)
    cell[F_CAF + lane] = rush_larsen(cell[F_CAF + lane], f_ss, rate_fCaf, dt)
    cell[F_CAS + lane] = rush_larsen(cell[F_CAS + lane], f_ss, rate_fCas, dt)
    cell[J_CA + lane] = later_j_Ca
    decay = exp(-dt * k_m2n)
    n_ss, n_i = n_Ca_steady(cell[CA_SS + lane], k_m2n, k_2n), n_Ca_steady(cell[CA_I + lane], k_m2n, k_2n)
    cell[N_CASS + lane] = n_ss + (cell[N_CASS + lane] - n_ss) * decay
    cell[N_CAI + lane] = n_i + (cell[N_CAI + lane] - n_i) * decay
    cell[F_FP + lane] = rush_larsen(cell[F_FP + lane], f_ss, rate_ff / 2.5, dt)
    cell[F_CAFP + lane] = rush_larsen(cell[F_CAFP + lane], f_ss, rate_fCaf / 2.5, dt)

    # Slow delayed rectifier gates
    xs_ss = sigmoid(-(V + 11.6) / 8.932)
    rate_xs1, rate_xs2 = slow_rectifier_rates(V)
    cell[X_S1 + lane] = rush_larsen(cell[X_S1 + lane], xs_ss, rate_xs1, dt)
    cell[X_S2 + lane] = rush_larsen(cell[X_S2 + lane], xs_ss, rate_xs2, dt)

    # Rapid delayed rectifier. The second stage begins where the slope of the first leads.
    c0, c1, c2, o, i = cell[C0 + lane], cell[C1 + lane], cell[C2 + lane], cell[O_ + lane], cell[I_ + lane]
    d0, d1, d2, d_o, d_i = rapid_rectifier_stage(V, SDIRK * dt, c0, c1, c2, o, i)
    slope = (1.0 - SDIRK) / SDIRK
    c0, c1, c2, o, i = rapid_rectifier_stage(
        V, SDIRK * dt, c0 + slope * (d0 - c0), c1 + slope * (d1 - c1), c2 + slope * (d2 - c2), o + slope * (d_o - o),
        i + slope * (d_i - i),
    )  # fmt: skip
    cell[C0 + lane], cell[C1 + lane], cell[C2 + lane] = 1.0 - c1 - c2 - o - i, c1, c2
    cell[O_ + lane], cell[I_ + lane] = o, i


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
    m = cell[M + lane]
    open_Na = m * m * m * ((1.0 - p) * cell[H + lane] * cell[J + lane] + p * cell[H_P + lane] * cell[J_P + lane])
    i_Na = cell[G_NA + lane] * open_Na * (V - E_Na)
    open_NaL = cell[M_L + lane] * ((1.0 - p) * cell[H_L + lane] + p * cell[H_LP + lane])
    i_NaL = cell[G_NAL + lane] * open_NaL * (V - E_Na)

    # Potassium currents
    A_iF = sigmoid((V - 213.6) / 151.2)
    i = A_iF * cell[I_F + lane] + (1.0 - A_iF) * cell[I_S + lane]
    i_p = A_iF * cell[I_FP + lane] + (1.0 - A_iF) * cell[I_SP + lane]
    i_to = cell[G_TO + lane] * ((1.0 - p) * cell[A + lane] * i + p * cell[A_P + lane] * i_p) * (V - E_K)
    i_Kr = cell[G_KR + lane] * sqrt(K_o / 5.0) * cell[O_ + lane] * (V - E_K)
    i_Ks = cell[G_KS + lane] * slow_rectifier_calcium(Ca_i) * cell[X_S1 + lane] * cell[X_S2 + lane] * (V - E_Ks)
    alpha_K1 = 4.094 * sigmoid(0.1217 * (V - E_K - 49.934))
    beta_K1 = (15.72 * exp(0.0674 * (V - E_K - 3.257)) + exp(0.0618 * (V - E_K - 594.31))) * sigmoid(
        -0.1629 * (V - E_K + 14.207)
    )
    i_K1 = cell[G_K1 + lane] * sqrt(K_o / 5.0) * alpha_K1 / (alpha_K1 + beta_K1) * (V - E_K)
    i_Kb = cell[G_KB + lane] * sigmoid(-(V - 10.8968) / 23.9871) * (V - E_K)

    # L-type channels, for three ions, in the subspace and in the myoplasm
    once, twice = linoid(VFRT), linoid(2.0 * VFRT)
    d, f_f, f_s, f_Caf, f_Cas = (
        cell[D + lane], cell[F_F + lane], cell[F_S + lane], cell[F_CAF + lane], cell[F_CAS + lane],
    )  # fmt: skip
    j_Ca, f_fp, f_Cafp = cell[J_CA + lane], cell[F_FP + lane], cell[F_CAFP + lane]
    n_ss, n_i = cell[N_CASS + lane], cell[N_CAI + lane]
    P_ss = cell[P_CA + lane] * l_type_open(V, p, d, f_f, f_s, f_Caf, f_Cas, j_Ca, f_fp, f_Cafp, n_ss)
    P_i = cell[P_CA + lane] * l_type_open(V, p, d, f_f, f_s, f_Caf, f_Cas, j_Ca, f_fp, f_Cafp, n_i)
    Ca_flux_ss, Na_flux_ss, K_flux_ss = l_type_fluxes(VFRT, once, twice, Ca_ss, Na_ss, K_ss)
    Ca_flux_i, Na_flux_i, K_flux_i = l_type_fluxes(VFRT, once, twice, Ca_i, Na_i, K_i)
    i_CaL_ss, i_CaL_i = IN_SUBSPACE_CAL * P_ss * Ca_flux_ss, (1.0 - IN_SUBSPACE_CAL) * P_i * Ca_flux_i
    i_CaNa_ss = IN_SUBSPACE_CAL * 0.00125 * P_ss * Na_flux_ss
    i_CaNa_i = (1.0 - IN_SUBSPACE_CAL) * 0.00125 * P_i * Na_flux_i
    i_CaK_ss = IN_SUBSPACE_CAL * 3.574e-4 * P_ss * K_flux_ss
    i_CaK_i = (1.0 - IN_SUBSPACE_CAL) * 3.574e-4 * P_i * K_flux_i

    # Exchanger, pump, background, chloride
    i_NaCa_i = (1.0 - IN_SUBSPACE_NACA) * cell[G_NCX + lane] * sodium_calcium_exchange(VFRT, Na_i, Ca_i)
    i_NaCa_ss = IN_SUBSPACE_NACA * cell[G_NCX + lane] * sodium_calcium_exchange(VFRT, Na_ss, Ca_ss)
    i_NaK = cell[P_NAK + lane] * sodium_potassium_pump(VFRT, Na_i, K_i, K_o)
    i_Nab = P_Nab * F * (Na_i * (once + VFRT) - Na_o * once)
    i_Cab = P_Cab * Ca_flux_i
    i_pCa = g_pCa * Ca_i / (0.0005 + Ca_i)
    i_Cl = (g_ClCa / (1.0 + 0.1 / Ca_ss) + g_Clb) * (V - R * T / F * log(Cl_i / Cl_o))

    # Release and uptake
    J_np, J_p, cell[J_RELNP + lane], cell[J_RELP + lane] = release(
        -0.5 * b_t * cell[J_REL + lane] * i_CaL_ss, 1.7, Ca_jsr, cell[J_RELNP + lane], cell[J_RELP + lane], dt
    )
    bound_jsr = 1.0 + CSQN_max * K_mcsqn / ((K_mcsqn + Ca_jsr) * (K_mcsqn + Ca_jsr))
    J_rel = minimum(1.5378 * ((1.0 - p) * J_np + p * J_p), 0.5 * cell[CA_JSR + lane] * bound_jsr / dt)
    J_upnp = 0.005425 * Ca_i / (Ca_i + 0.00092)
    J_upp = 2.75 * 0.005425 * Ca_i / (Ca_i + 0.00092 - 0.00017)
    J_up = cell[J_UP + lane] * ((1.0 - p) * J_upnp + p * J_upp) - 0.0048825 / 15.0 * Ca_nsr
    J_tr = (Ca_nsr - Ca_jsr) / 60.0

    # Concentrations
    myo, ss = A_cap / (F * v_myo), A_cap / (F * v_ss)
    J_diff, J_diffNa, J_diffK = (Ca_ss - Ca_i) / 0.2, (Na_ss - Na_i) / 2.0, (K_ss - K_i) / 2.0
    i_K = i_to + i_Kr + i_Ks + i_K1 + i_Kb + i_CaK_i
    cell[NA_I + lane] = Na_i + dt * (
        J_diffNa * (v_ss / v_myo) - (i_CaNa_i + i_Na + i_NaL + 3.0 * i_NaCa_i + 3.0 * i_NaK + i_Nab) * myo
    )
    cell[NA_SS + lane] = Na_ss - dt * ((i_CaNa_ss + 3.0 * i_NaCa_ss) * ss + J_diffNa)
    cell[K_I + lane] = K_i + dt * (J_diffK * (v_ss / v_myo) - (i_K - 2.0 * i_NaK) * myo)
    cell[K_SS + lane] = K_ss - dt * (i_CaK_ss * ss + J_diffK)
    Ca_i_rate = (
        J_diff * (v_ss / v_myo) - J_up * (v_nsr / v_myo) - (i_CaL_i + i_pCa + i_Cab - 2.0 * i_NaCa_i) * (0.5 * myo)
    ) / (
        1.0
        + cell[CMDN_MAX + lane] * K_mcmdn / ((K_mcmdn + Ca_i) * (K_mcmdn + Ca_i))
        + TRPN_max * K_mtrpn / ((K_mtrpn + Ca_i) * (K_mtrpn + Ca_i))
    )
    Ca_ss_rate = (J_rel * (v_jsr / v_ss) - J_diff - (i_CaL_ss - 2.0 * i_NaCa_ss) * (0.5 * ss)) / (
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
    i_L = i_CaL_ss + i_CaL_i + i_CaNa_ss + i_CaNa_i + i_CaK_ss
    return i_K + i_L + i_Na + i_NaL + i_NaCa_i + i_NaCa_ss + i_NaK + i_Nab + i_Cab + i_pCa + i_Cl


def l_type_fluxes(VFRT, once, twice, Ca, Na, K):
    """What an open channel passes of calcium, sodium and potassium, over its permeability."""
    single = activity(0.5e-3 * (Na + K + Cl_i + 4.0 * Ca))
    double = single * single * single * single
    double_o = ACTIVITY_O * ACTIVITY_O * ACTIVITY_O * ACTIVITY_O
    return (
        2.0 * F * (double * Ca * (twice + 2.0 * VFRT) - double_o * Ca_o * twice),
        F * (single * Na * (once + VFRT) - ACTIVITY_O * Na_o * once),
        F * (single * K * (once + VFRT) - ACTIVITY_O * K_o * once),
    )


def rapid_rectifier_stage(V, g, b0, b1, b2, b_o, b_i):
    """The occupancies x that solve x - g A x = b, A the rates of c0 - c1 - c2 and of the triangle of c2, o and i.

    Elimination goes from c0 to c1 and from i to o to c2; nothing large is subtracted from anything large.
    """
    VFRT = V * F / (R * T)
    alpha, beta = g * 0.1161 * exp(0.299 * VFRT), g * 0.2442 * exp(-1.604 * VFRT)
    alpha_1, beta_1 = g * (1.25 * 0.1235), g * 0.1911
    alpha_2, beta_2 = g * 0.0578 * exp(0.971 * VFRT), g * 0.349e-3 * exp(-1.062 * VFRT)
    alpha_i, beta_i = g * 0.2533 * exp(0.5953 * VFRT), g * (1.25 * 0.0522) * exp(-0.8209 * VFRT)
    c2_to_i = g * 0.52e-4 * exp(1.525 * VFRT)
    i_to_c2 = beta_2 * beta_i * c2_to_i / (alpha_2 * alpha_i)

    from_0 = 1.0 / (1.0 + alpha)
    back = 1.0 + beta * from_0
    from_1 = 1.0 / (alpha_1 + back)
    r1 = b1 + alpha * from_0 * b0
    from_i = 1.0 / (1.0 + i_to_c2 + beta_i)
    from_o = 1.0 / (1.0 + beta_2 + alpha_i * (1.0 + i_to_c2) * from_i)
    r_o = b_o + beta_i * from_i * b_i
    c2_to_o, o_to_c2 = alpha_2 + beta_i * from_i * c2_to_i, beta_2 + i_to_c2 * from_i * alpha_i
    c2 = (b2 + alpha_1 * from_1 * r1 + i_to_c2 * from_i * b_i + o_to_c2 * from_o * r_o) / (
        1.0 + alpha_2 + beta_1 * back * from_1 + c2_to_i * (1.0 + beta_i) * from_i - o_to_c2 * from_o * c2_to_o
    )
    o = (r_o + c2_to_o * c2) * from_o
    i = (b_i + c2_to_i * c2 + alpha_i * o) * from_i
    c1 = (r1 + beta_1 * c2) * from_1
    return (b0 + beta * c1) * from_0, c1, c2, o, i
