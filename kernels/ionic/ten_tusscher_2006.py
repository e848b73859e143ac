"""Ten Tusscher and Panfilov 2006, human ventricle (doi 10.1152/ajpheart.00109.2006), in the notation of the paper.

Nineteen state variables. Constants are those of the authors' CellML file, which differs from the printed paper in
tau_f2. Gates take a Rush-Larsen step; calcium and R', which the other concentrations follow slowly, are extrapolated
to the middle of their step by their last rate. (Left out for Ca_ss, that is the largest error of the time step where a
wave hardly gets on: 0.13 instead of 0.01 ms in 127 on Niederer's slab at 0.5 mm, dt 0.01 ms; for the others, an APD90
that is 0.1 ms short with steps of 0.4 ms.) Units: ms, mV, mM, pA/pF.

Initial values are those of the epicardial cell in Niederer et al. 2011 (doi 10.1098/rsta.2011.0139). For Na_i the
CellML file has 8.604 mM; 8.064, found in some codes, is a slip of the pen.

Endocardial cells have another transient outward current, mid-myocardial ones less I_Ks; both by parameters, see
`CELL_TYPES`.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import exp, log, rush_larsen, rush_larsen_series, sigmoid, sqrt, where

REST_MV = -85.23
REPOLARISED_MV = -70.0
LONGEST_STEP_MS = 0.4
LONGEST_DT_MS = 0.1
STEEPEST_PER_MS = 4.2
LONGEST_RESTING_STEP_MS = 1.6

STATE = {
    "V": REST_MV, "X_r1": 0.00621, "X_r2": 0.4712, "X_s": 0.0095, "m": 0.00172, "h": 0.7444, "j": 0.7045, "d": 3.373e-5,
    "f": 0.7888, "f2": 0.9755, "fCass": 0.9953, "s": 0.999998, "r": 2.42e-8, "Ca_i": 0.000126, "Ca_SR": 3.64,
    "Ca_ss": 0.00036, "R_prime": 0.9073, "Na_i": 8.604, "K_i": 136.89,
}  # fmt: skip
AUTHORS_STATE = {
    "V": -86.2, "X_r1": 0.0, "X_r2": 1.0, "X_s": 0.0, "m": 0.0, "h": 0.75, "j": 0.75, "d": 0.0, "f": 1.0, "f2": 1.0,
    "fCass": 1.0, "s": 1.0, "r": 0.0, "Ca_i": 0.00007, "Ca_SR": 1.3, "Ca_ss": 0.00007, "R_prime": 1.0,
    "Na_i": 7.67, "K_i": 138.3,
}  # fmt: skip
"""Where the authors' program and openCARP start. More sodium channels are ready: a first beat is 3 % faster."""
PARAMETERS = {
    "g_Na": 14.838,  # nS/pF, as all g_ but g_CaL
    "g_CaL": 0.0398e-3,  # L/(F ms)
    "g_Kr": 0.153,
    "g_Ks": 0.392,
    "g_to": 0.294,
    "g_K1": 5.405,
    "endocardial": 0.0,  # 1: the s gate of the endocardial cell
}
RATES = ("Ca_i", "Ca_SR", "Ca_ss", "R_prime")
CELL_TYPES = {
    "endocardial": {"g_to": 0.073, "endocardial": 1.0},
    "mid_myocardial": {"g_Ks": 0.098},
    "epicardial": {},
}

R, T, F = 8314.472, 310.0, 96485.3415  # mJ/(K mol), K, C/mol
C_m = 0.185  # µF, of the cell; only in the concentrations
V_c, V_sr, V_ss = 0.016404, 0.001094, 0.00005468  # nL
K_o, Na_o, Ca_o = 5.4, 140.0, 2.0
P_kna = 0.03
g_bna, g_bca, g_pCa, K_pCa, g_pK = 0.00029, 0.000592, 0.1238, 0.0005, 0.0146  # noqa: N816
P_NaK, K_mk, K_mNa = 2.724, 1.0, 40.0
K_NaCa, K_sat, alpha, gamma, Km_Ca, Km_Nai = 1000.0, 0.1, 2.5, 0.35, 1.38, 87.5
k1_prime, k2_prime, k3, k4, EC, max_sr, min_sr = 0.15, 0.045, 0.06, 0.005, 1.5, 2.5, 1.0
V_rel, V_xfer, K_up, V_leak, Vmax_up = 0.102, 0.0038, 0.00025, 0.00036, 0.006375
Buf_c, K_buf_c, Buf_sr, K_buf_sr, Buf_ss, K_buf_ss = 0.2, 0.001, 10.0, 0.3, 0.4, 0.00025

(
    V_, X_R1, X_R2, X_S, M, H, J, D, F_, F2, FCASS, S, R_, CA_I, CA_SR, CA_SS, R_PRIME, NA_I, K_I,
    G_NA, G_CAL, G_KR, G_KS, G_TO, G_K1, ENDOCARDIAL, CA_I_RATE, CA_SR_RATE, CA_SS_RATE, R_PRIME_RATE,
) = rows(STATE, PARAMETERS, RATES)  # fmt: skip


def square_share(x, half):
    """x²/(x² + half), by one division."""
    return x * x / (x * x + half)


def gates(cell, lane, V, dt):
    """Take the gates one Rush-Larsen step at a fixed potential."""
    X_r1, X_r2, X_s = cell[X_R1 + lane], cell[X_R2 + lane], cell[X_S + lane]
    m, h, j = cell[M + lane], cell[H + lane], cell[J + lane]
    d, f, f2, fCass = cell[D + lane], cell[F_ + lane], cell[F2 + lane], cell[FCASS + lane]
    s, r, Ca_ss = cell[S + lane], cell[R_ + lane], cell[CA_SS + lane]

    # Twenty-two exponentials of the paper are powers of two: e_20 = exp(V/20) and so on.
    e_120, e_14 = exp(V / 120.0), exp(V / 14.0)
    e_60 = e_120 * e_120
    e_30 = e_60 * e_60
    e_24, e_20, e_15 = e_30 * e_120, e_30 * e_60, e_30 * e_30
    e_10, e_7p5, e_7 = e_20 * e_20, e_15 * e_15, e_14 * e_14
    e_6, e_5 = e_10 * e_15, e_10 * e_10
    inverse_20 = 1.0 / e_20
    inverse_10 = inverse_20 * inverse_20

    # Rapid and slow delayed rectifier gates
    rate_xr1 = (1.0 + exp(-4.5) * inverse_10) * (1.0 + exp((V + 30.0) / 11.5)) / (450.0 * 6.0)
    rate_xr2 = (1.0 + exp(-3.0) * inverse_20) * (1.0 + exp(-3.0) * e_20) / (3.0 * 1.12)
    tau_xs = 1400.0 * sqrt(e_6 / (e_6 + exp(5.0 / 6.0))) / (1.0 + exp(-35.0 / 15.0) * e_15) + 80.0
    cell[X_R1 + lane] = rush_larsen(X_r1, e_7 / (e_7 + exp(-26.0 / 7.0)), rate_xr1, dt)
    cell[X_R2 + lane] = rush_larsen(X_r2, 1.0 / (1.0 + exp(88.0 / 24.0) * e_24), rate_xr2, dt)
    cell[X_S + lane] = rush_larsen_series(X_s, e_14 / (e_14 + exp(-5.0 / 14.0)), 1.0 / tau_xs, dt)

    # Fast sodium gates
    m_root = sigmoid((-56.86 - V) / 9.03)
    a_m, b_m, c_m = exp(-12.0) * inverse_10 * inverse_10, exp(7.0) * e_5, exp((V - 50.0) / 200.0)
    rate_m = (1.0 + a_m) * (1.0 + b_m) * (1.0 + c_m) / (0.2 + 0.1 * (b_m + c_m))  # of 1/(1+a) (0.1/(1+b) + 0.1/(1+c))
    h_root = sigmoid((V + 71.55) / 7.43)
    resting = V < -40.0
    alpha_h = where(resting, 0.057 * exp(-(V + 80.0) / 6.8), 0.0)
    e_h = exp(where(resting, 0.079 * V, -(V + 10.66) / 11.1))
    beta_h = where(resting, 2.7 * e_h + 310000.0 * exp(0.3485 * V), 0.77 / 0.13 / (1.0 + e_h))
    alpha_j = where(
        resting,
        (-25428.0 * exp(0.2444 * V) - 6.948e-6 * exp(-0.04391 * V)) * (V + 37.78) * sigmoid(0.311 * (V + 79.23)),
        0.0,
    )
    beta_j = exp(where(resting, -0.01052, 0.057) * V) * where(
        resting, 0.02424 * sigmoid(-0.1378 * (V + 40.14)), 0.6 * e_10 / (e_10 + exp(-3.2))
    )
    cell[M + lane] = rush_larsen(m, m_root * m_root, rate_m, dt)
    cell[H + lane] = rush_larsen(h, h_root * h_root, alpha_h + beta_h, dt)
    cell[J + lane] = rush_larsen(j, h_root * h_root, alpha_j + beta_j, dt)

    # L-type calcium gates
    tau_d = (1.4 * sigmoid((-35.0 - V) / 13.0) + 0.25) * 1.4 / (1.0 + exp(1.0) * e_5) + e_20 / (e_20 + exp(2.5))
    bell = exp((V + 27.0) * (V + 27.0) / -3600.0)  # to the power of 16 and 15: exp(-(V + 27)²/225) and /240
    bell_2 = bell * bell
    bell_4 = bell_2 * bell_2
    bell_15, bell_16 = bell_4 * bell_4 * bell_4 * bell_2 * bell, bell_4 * bell_4 * bell_4 * bell_4
    falling = 1.0 / (1.0 + exp(3.0) * e_10)
    tau_f = 1102.5 * bell_16 + 200.0 * e_10 / (e_10 + exp(1.3)) + 180.0 * falling + 20.0
    tau_f2 = 562.0 * bell_15 + 31.0 * e_10 / (e_10 + exp(2.5)) + 80.0 * falling
    Ca_share = 1.0 / (1.0 + (Ca_ss / 0.05) * (Ca_ss / 0.05))
    cell[D + lane] = rush_larsen(d, e_7p5 / (e_7p5 + exp(-8.0 / 7.5)), 1.0 / tau_d, dt)
    cell[F_ + lane] = rush_larsen_series(f, 1.0 / (1.0 + exp(20.0 / 7.0) * e_7), 1.0 / tau_f, dt)
    cell[F2 + lane] = rush_larsen(f2, 0.67 / (1.0 + exp(5.0) * e_7) + 0.33, 1.0 / tau_f2, dt)
    cell[FCASS + lane] = rush_larsen_series(fCass, 0.6 * Ca_share + 0.4, 1.0 / (80.0 * Ca_share + 2.0), dt)

    # Transient outward gates
    endo = cell[ENDOCARDIAL + lane] > 0.5
    s_inf = 1.0 / (1.0 + where(endo, exp(28.0 / 5.0), exp(4.0)) * e_5)
    V_s = V + where(endo, 67.0, 45.0)
    tau_s = where(endo, 1000.0, 85.0) * exp(-V_s * V_s / where(endo, 1000.0, 320.0)) + where(
        endo, 8.0, 5.0 / (1.0 + exp(-4.0) * e_5) + 3.0
    )
    tau_r = 9.5 * exp(-(V + 40.0) * (V + 40.0) / 1800.0) + 0.8
    cell[S + lane] = rush_larsen_series(s, s_inf, 1.0 / tau_s, dt)
    cell[R_ + lane] = rush_larsen(r, e_6 / (e_6 + exp(20.0 / 6.0)), 1.0 / tau_r, dt)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms; takes the concentrations one step."""
    X_r1, X_r2, X_s = cell[X_R1 + lane], cell[X_R2 + lane], cell[X_S + lane]
    m, h, j = cell[M + lane], cell[H + lane], cell[J + lane]
    d, f, f2, fCass = cell[D + lane], cell[F_ + lane], cell[F2 + lane], cell[FCASS + lane]
    s, r = cell[S + lane], cell[R_ + lane]
    Ca_i = cell[CA_I + lane] + 0.5 * dt * cell[CA_I_RATE + lane]
    Ca_SR = cell[CA_SR + lane] + 0.5 * dt * cell[CA_SR_RATE + lane]
    Ca_ss = cell[CA_SS + lane] + 0.5 * dt * cell[CA_SS_RATE + lane]
    R_prime = cell[R_PRIME + lane] + 0.5 * dt * cell[R_PRIME_RATE + lane]
    Na_i, K_i = cell[NA_I + lane], cell[K_I + lane]

    # Reversal potentials
    E_Na = R * T / F * (log(Na_o) - log(Na_i))
    E_K = R * T / F * (log(K_o) - log(K_i))
    E_Ks = R * T / F * (log(K_o + P_kna * Na_o) - log(K_i + P_kna * Na_i))
    E_Ca = 0.5 * R * T / F * (log(Ca_o) - log(Ca_i))

    # Potassium currents
    e_50 = exp((V - E_K) / 50.0)
    e_25 = e_50 * e_50
    e_10 = e_25 * e_25 * e_50
    e_5 = e_10 * e_10
    e_2 = e_5 * e_5 * e_10
    alpha_K1 = 0.1 / (1.0 + exp(-12.0) * e_25 * e_50)
    beta_K1 = (3.0 * exp(0.0002 * (V - E_K + 100.0)) + exp(-1.0) * e_10) / (1.0 + 1.0 / e_2)
    i_K1 = cell[G_K1 + lane] * alpha_K1 / (alpha_K1 + beta_K1) * sqrt(K_o / 5.4) * (V - E_K)
    i_Kr = cell[G_KR + lane] * sqrt(K_o / 5.4) * X_r1 * X_r2 * (V - E_K)
    i_Ks = cell[G_KS + lane] * X_s * X_s * (V - E_Ks)
    i_to = cell[G_TO + lane] * r * s * (V - E_K)
    i_pK = g_pK * (V - E_K) * sigmoid((25.0 - V) / 5.98)

    # Sodium currents
    i_Na = cell[G_NA + lane] * m * m * m * h * j * (V - E_Na)
    i_bNa = g_bna * (V - E_Na)
    e_1 = exp(0.05 * V * F / (R * T))  # e_20 = exp(V F/(R T)), and all is multiplied by what makes it positive powers
    e_2f = e_1 * e_1
    e_4 = e_2f * e_2f
    e_13, e_16 = e_4 * e_4 * e_4 * e_1, e_4 * e_4 * e_4 * e_4
    e_18, e_20 = e_16 * e_2f, e_16 * e_4
    i_NaK = P_NaK * K_o * Na_i * e_20 / ((K_o + K_mk) * (Na_i + K_mNa) * (e_20 + 0.1245 * e_18 + 0.0353))
    i_NaCa = (
        K_NaCa * (e_20 * Na_i * Na_i * Na_i * Ca_o - Na_o * Na_o * Na_o * Ca_i * alpha)
        / ((Km_Nai * Km_Nai * Km_Nai + Na_o * Na_o * Na_o) * (Km_Ca + Ca_o) * (e_13 + K_sat))
    )  # fmt: skip

    # Calcium currents. At V = 15 the driving term is 0/0; near it the argument is 1e-4, an error of 1e-4 at most.
    z = 2.0 * (V - 15.0) * F / (R * T)
    z = where(abs(z) < 1e-4, 1e-4, z)
    i_CaL = cell[G_CAL + lane] * d * f * f2 * fCass * 2.0 * F * z * (0.25 * Ca_ss * exp(z) - Ca_o) / (exp(z) - 1.0)
    i_bCa = g_bca * (V - E_Ca)
    i_pCa = g_pCa * Ca_i / (Ca_i + K_pCa)

    # Calcium dynamics
    k_casr = max_sr - (max_sr - min_sr) * square_share(Ca_SR, EC * EC)
    k1_Ca_k_casr = k1_prime * Ca_ss * Ca_ss
    O = k1_Ca_k_casr * R_prime / (k3 * k_casr + k1_Ca_k_casr)  # noqa: E741
    i_rel = V_rel * O * (Ca_SR - Ca_ss)
    i_up = Vmax_up * square_share(Ca_i, K_up * K_up)
    i_leak = V_leak * (Ca_SR - Ca_i)
    i_xfer = V_xfer * (Ca_ss - Ca_i)
    free_c = square_share(Ca_i + K_buf_c, Buf_c * K_buf_c)
    free_sr = square_share(Ca_SR + K_buf_sr, Buf_sr * K_buf_sr)
    free_ss = square_share(Ca_ss + K_buf_ss, Buf_ss * K_buf_ss)
    membrane = C_m / (2.0 * V_c * F)
    R_prime_rate = k4 * (1.0 - R_prime) - k2_prime * k_casr * Ca_ss * R_prime
    Ca_i_rate = free_c * ((i_leak - i_up) * (V_sr / V_c) + i_xfer - (i_bCa + i_pCa - 2.0 * i_NaCa) * membrane)
    Ca_SR_rate = free_sr * (i_up - i_rel - i_leak)
    Ca_ss_rate = free_ss * (i_rel * (V_sr / V_ss) - i_xfer * (V_c / V_ss) - i_CaL * (C_m / (2.0 * V_ss * F)))
    cell[R_PRIME + lane] = cell[R_PRIME + lane] + dt * R_prime_rate
    cell[CA_I + lane] = cell[CA_I + lane] + dt * Ca_i_rate
    cell[CA_SR + lane] = cell[CA_SR + lane] + dt * Ca_SR_rate
    cell[CA_SS + lane] = cell[CA_SS + lane] + dt * Ca_ss_rate
    cell[R_PRIME_RATE + lane], cell[CA_I_RATE + lane] = R_prime_rate, Ca_i_rate
    cell[CA_SR_RATE + lane], cell[CA_SS_RATE + lane] = Ca_SR_rate, Ca_ss_rate

    # Sodium and potassium
    i_K = i_K1 + i_to + i_Kr + i_Ks + i_pK
    cell[NA_I + lane] = Na_i - dt * (i_Na + i_bNa + 3.0 * i_NaK + 3.0 * i_NaCa) * (2.0 * membrane)
    cell[K_I + lane] = K_i - dt * (i_K - 2.0 * i_NaK) * (2.0 * membrane)
    return i_K + i_Na + i_bNa + i_NaK + i_NaCa + i_CaL + i_bCa + i_pCa
