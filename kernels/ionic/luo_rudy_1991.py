"""Luo and Rudy 1991, Circ Res 68:1501 (doi 10.1161/01.RES.68.6.1501): guinea pig ventricle at 37 °C, phase I.

Eight state variables, in the notation of the paper. Gates take a Rush-Larsen step, the calcium concentration a forward
Euler step. Units: ms, mV, mM, mS/cm², 1 µF/cm².

What was changed. Reversal potentials come from Nernst's equation with the concentrations of the paper at 310 K, as in
the curated CellML file, whose rates these are to 1e-13: E_Na 54.8 mV and E_K -77.6, where the paper prints 54.4 and
-77. alpha_m at -47.13 mV and X_i at -77 mV are 0/0 as printed and are continued here. [Na]_i is 18 mM and g_Na 23 as
in the paper; a later program of the authors has 10 and 16. The initial state is rest, not a paced cell.

The rates of h and j jump at -40 mV, as printed. Checked over two beats 540 ms apart, dt 0.005 to 0.04 ms: 0.14 mV at dt
0.02; over six beats at cycle lengths of 300 to 1000 ms as in production: 0.04 ms of APD. The longest step costs 0.13
mV.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import exp, linoid, log, rush_larsen, sigmoid, sqrt, where

REST_MV = -84.5478
REPOLARISED_MV = -72.0  # 10 % of the amplitude
LONGEST_STEP_MS = 0.2
LONGEST_DT_MS = 0.05
STEEPEST_PER_MS = 8.3

STATE = {
    "V": REST_MV, "m": 0.001666272, "h": 0.983305, "j": 0.9895236, "d": 0.002977253, "f": 0.9999812, "X": 0.005643048,
    "Ca_i": 1.783586e-4,
}  # fmt: skip
PARAMETERS = {"g_Na": 23.0, "g_si": 0.09, "g_K": 0.282, "g_K1": 0.6047, "g_Kp": 0.0183, "g_b": 0.03921}  # mS/cm²

R, T, F = 8314.0, 310.0, 96484.6  # mJ/(K mol), K, C/mol
Na_o, Na_i, K_o, K_i = 140.0, 18.0, 5.4, 145.0
PR_NaK = 0.01833
E_b = -59.87
E_Na = R * T / F * log(Na_o / Na_i)
E_K = R * T / F * log((K_o + PR_NaK * Na_o) / (K_i + PR_NaK * Na_i))
E_K1 = E_Kp = R * T / F * log(K_o / K_i)
X_I_77 = 2.837 * 0.04 * exp(0.04 * (77.0 - 35.0))  # X_i at -77 mV

POTENTIAL, M, H, J, D, F_, X, CA_I, G_NA, G_SI, G_K, G_K1, G_KP, G_B = rows(STATE, PARAMETERS)


def gates(cell, lane, V, dt):
    """Take the gates one Rush-Larsen step at a fixed potential."""
    resting = V < -40.0
    alpha_m = 3.2 * linoid(-0.1 * (V + 47.13))
    beta_m = 0.08 * exp(-V / 11.0)
    alpha_h = where(resting, 0.135 * exp(-(V + 80.0) / 6.8), 0.0)
    beta_h = where(resting, 3.56 * exp(0.079 * V) + 3.1e5 * exp(0.35 * V), sigmoid(-(V + 10.66) / 11.1) / 0.13)
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
    alpha_d = 0.095 * exp(-0.01 * (V - 5.0)) * sigmoid(-0.072 * (V - 5.0))
    beta_d = 0.07 * exp(-0.017 * (V + 44.0)) * sigmoid(0.05 * (V + 44.0))
    alpha_f = 0.012 * exp(-0.008 * (V + 28.0)) * sigmoid(0.15 * (V + 28.0))
    beta_f = 0.0065 * exp(-0.02 * (V + 30.0)) * sigmoid(-0.2 * (V + 30.0))
    alpha_X = 0.0005 * exp(0.083 * (V + 50.0)) * sigmoid(0.057 * (V + 50.0))
    beta_X = 0.0013 * exp(-0.06 * (V + 20.0)) * sigmoid(-0.04 * (V + 20.0))
    cell[M + lane] = rush_larsen(cell[M + lane], alpha_m / (alpha_m + beta_m), alpha_m + beta_m, dt)
    cell[H + lane] = rush_larsen(cell[H + lane], alpha_h / (alpha_h + beta_h), alpha_h + beta_h, dt)
    cell[J + lane] = rush_larsen(cell[J + lane], alpha_j / (alpha_j + beta_j), alpha_j + beta_j, dt)
    cell[D + lane] = rush_larsen(cell[D + lane], alpha_d / (alpha_d + beta_d), alpha_d + beta_d, dt)
    cell[F_ + lane] = rush_larsen(cell[F_ + lane], alpha_f / (alpha_f + beta_f), alpha_f + beta_f, dt)
    cell[X + lane] = rush_larsen(cell[X + lane], alpha_X / (alpha_X + beta_X), alpha_X + beta_X, dt)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms; takes the calcium concentration one forward Euler step."""
    m = cell[M + lane]
    Ca_i = cell[CA_I + lane]

    i_Na = cell[G_NA + lane] * m * m * m * cell[H + lane] * cell[J + lane] * (V - E_Na)
    E_si = 7.7 - 13.0287 * log(Ca_i)
    i_si = cell[G_SI + lane] * cell[D + lane] * cell[F_ + lane] * (V - E_si)

    X_i = where(V < -100.0, 1.0, X_I_77 / linoid(-0.04 * (V + 77.0)))
    i_K = cell[G_K + lane] * sqrt(K_o / 5.4) * cell[X + lane] * X_i * (V - E_K)
    alpha_K1 = 1.02 * sigmoid(0.2385 * (V - E_K1 - 59.215))
    beta_K1 = (0.49124 * exp(0.08032 * (V - E_K1 + 5.476)) + exp(0.06175 * (V - E_K1 - 594.31))) * sigmoid(
        -0.5143 * (V - E_K1 + 4.753)
    )
    i_K1 = cell[G_K1 + lane] * sqrt(K_o / 5.4) * alpha_K1 / (alpha_K1 + beta_K1) * (V - E_K1)
    i_Kp = cell[G_KP + lane] * sigmoid((7.488 - V) / 5.98) * (V - E_Kp)
    i_b = cell[G_B + lane] * (V - E_b)

    cell[CA_I + lane] = Ca_i + dt * (0.07 * (1e-4 - Ca_i) - 1e-4 * i_si)
    return i_Na + i_si + i_K + i_K1 + i_Kp + i_b
