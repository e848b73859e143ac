"""Right-hand sides of four cell models of few variables as their papers print them, written apart from the kernels.

Without stimulus. ``of`` multiplies a parameter, by its name in the kernel. The tables are the papers', one column a set
of parameters.
"""

from collections import defaultdict

import numpy as np

PLAIN = defaultdict(lambda: 1.0)
ORDER = {
    "mitchell_schaeffer": "V h",
    "modified_mitchell_schaeffer": "V h",
    "aliev_panfilov": "V v",
    "fenton_karma": "V v w",
}

FENTON_KARMA = {  # table I; g_fi and not tau_d, as there
    "BR": (4.0, 33.33, 29.0, 12.5, 3.33, 1250.0, 19.6, 870.0, 41.0, 0.04),
    "MBR": (4.0, 50.0, 45.0, 8.3, 3.33, 1000.0, 19.2, 667.0, 11.0, 0.055),
    "MLR-I": (5.8, 130.0, 127.0, 12.5, 10.0, 18.2, 18.2, 1020.0, 80.0, 0.0),
    "GP": (8.7, 25.0, 22.22, 12.5, 10.0, 333.0, 40.0, 1000.0, 65.0, 0.025),
}


def mitchell_schaeffer(y, kind="", of=PLAIN):
    v, h = (y[0] + 80) / 100, y[1]
    dh = (1 - h) / (120 * of["tau_open"]) if v < 0.13 * of["v_gate"] else -h / (150 * of["tau_close"])
    return [100 * (h * v**2 * (1 - v) / (0.3 * of["tau_in"]) - v / (6 * of["tau_out"])), dh]


def modified_mitchell_schaeffer(y, kind="", of=PLAIN):
    """As published in 2016: one threshold for both currents, and no outward current while the gate is open."""
    v, h, gate = (y[0] + 80) / 100, y[1], 0.13 * of["v_gate"]
    dh = (1 - h) / (120 * of["tau_open"]) if v < gate else -h / (150 * of["tau_close"])
    dv = h * v * (v - gate) * (1 - v) / (0.3 * of["tau_in"]) - (1 - h) * v / (6 * of["tau_out"])
    return [100 * dv, dh]


def aliev_panfilov(y, kind="", of=PLAIN):
    u, v = (y[0] + 80) / 100, y[1]
    k, a, eps0, mu1, mu2 = 8 * of["k"], 0.15 * of["a"], 0.002 * of["eps0"], 0.2 * of["mu1"], 0.3 * of["mu2"]
    du = -k * u * (u - a) * (u - 1) - u * v
    dv = (eps0 + mu1 * v / (u + mu2)) * (-v - k * u * (u - a - 1))
    return [100 * du / 12.9, dv / 12.9]


def fenton_karma(y, kind="MLR-I", of=PLAIN):
    (V, v, w), (g_fi, tau_r, tau_si, tau_0, tau_vp, tau_v1, tau_v2, tau_wp, tau_wm, u_v) = y, FENTON_KARMA[kind]
    g_fi, tau_r, tau_si, tau_0 = g_fi / of["tau_d"], tau_r * of["tau_r"], tau_si * of["tau_si"], tau_0 * of["tau_0"]
    tau_vp, tau_wp, tau_wm = tau_vp * of["tau_v_plus"], tau_wp * of["tau_w_plus"], tau_wm * of["tau_w_minus"]
    tau_v1, tau_v2, u_v = tau_v1 * of["tau_v1_minus"], tau_v2 * of["tau_v2_minus"], u_v * of["u_v"]
    u_c, u_csi, k = 0.13 * of["u_c"], 0.85 * of["u_csi"], 10 * of["k"]
    u = (V + 85) / 100
    p, q = float(u >= u_c), float(u >= u_v)
    J_fi = -g_fi * v * p * (1 - u) * (u - u_c)
    J_so = u * (1 - p) / tau_0 + p / tau_r
    J_si = -w / (2 * tau_si) * (1 + np.tanh(k * (u - u_csi)))
    dv = (1 - p) * (1 - v) / (q * tau_v1 + (1 - q) * tau_v2) - p * v / tau_vp
    return [-100 * (J_fi + J_so + J_si), dv, (1 - p) * (1 - w) / tau_wm - p * w / tau_wp]
