"""Right-hand sides of six cell models of few variables as their papers print them, written apart from the kernels.

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
    "bueno_orovio_2008": "V v w s",
    "luo_rudy_1991": "V m h j d f X Ca_i",
}

FENTON_KARMA = {  # table I; g_fi and not tau_d, as there
    "BR": (4.0, 33.33, 29.0, 12.5, 3.33, 1250.0, 19.6, 870.0, 41.0, 0.04),
    "MBR": (4.0, 50.0, 45.0, 8.3, 3.33, 1000.0, 19.2, 667.0, 11.0, 0.055),
    "MLR-I": (5.8, 130.0, 127.0, 12.5, 10.0, 18.2, 18.2, 1020.0, 80.0, 0.0),
    "GP": (8.7, 25.0, 22.22, 12.5, 10.0, 333.0, 40.0, 1000.0, 65.0, 0.025),
}
BUENO_OROVIO_NAMES = (
    "u_o u_u theta_v theta_w theta_v_minus theta_o tau_v1_minus tau_v2_minus tau_v_plus tau_w1_minus tau_w2_minus "
    "k_w_minus u_w_minus tau_w_plus tau_fi tau_o1 tau_o2 tau_so1 tau_so2 k_so u_so tau_s1 tau_s2 k_s u_s tau_si "
    "tau_w_inf w_inf_star"
)
BUENO_OROVIO = {  # table 1, from top to bottom
    kind: dict(zip(BUENO_OROVIO_NAMES.split(), map(float, column.split()), strict=True))
    for kind, column in {
        "epicardial": "0 1.55 .3 .13 .006 .006 60 1150 1.4506 60 15 65 .03 200 .11 400 6 30.0181 .9957 2.0458 .65 "
        "2.7342 16 2.0994 .9087 1.8875 .07 .94",
        "endocardial": "0 1.56 .3 .13 .2 .006 75 10 1.4506 6 140 200 .016 280 .1 470 6 40 1.2 2 .65 2.7342 2 2.0994 "
        ".9087 2.9013 .0273 .78",
        "mid_myocardial": "0 1.61 .3 .13 .1 .005 80 1.4506 1.4506 70 8 200 .016 280 .078 410 7 91 .8 2.1 .6 2.7342 4 "
        "2.0994 .9087 3.3849 .01 .5",
        "PB": "0 1.45 .35 .13 .175 .006 10 1150 1.4506 140 6.25 65 .015 326 .105 400 6 30.0181 .9957 2.0458 .65 2.7342 "
        "16 2.0994 .9087 1.8875 .175 .9",
        "TNNP": "0 1.58 .3 .015 .015 .006 60 1150 1.4506 70 20 65 .03 280 .11 6 6 43 .2 2 .65 2.7342 3 2.0994 .9087 "
        "2.8723 .07 .94",
    }.items()
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


def bueno_orovio_2008(y, kind="epicardial", of=PLAIN):
    (
        u_o, u_u, th_v, th_w, th_vm, th_o, tau_v1, tau_v2, tau_vp, tau_w1, tau_w2, k_w, u_w, tau_wp, tau_fi, tau_o1,
        tau_o2, tau_so1, tau_so2, k_so, u_so, tau_s1, tau_s2, k_s, u_s, tau_si, tau_winf, w_star,
    ) = (value * of[name] for name, value in BUENO_OROVIO[kind].items())  # fmt: skip
    V, v, w, s = y
    u = (V + 84) / 85.7
    H_v, H_w, H_vm, H_o = (float(u >= threshold) for threshold in (th_v, th_w, th_vm, th_o))
    tau_vm = (1 - H_vm) * tau_v1 + H_vm * tau_v2
    tau_wm = tau_w1 + (tau_w2 - tau_w1) * (1 + np.tanh(k_w * (u - u_w))) / 2
    tau_so = tau_so1 + (tau_so2 - tau_so1) * (1 + np.tanh(k_so * (u - u_so))) / 2
    tau_s, tau_o = (1 - H_w) * tau_s1 + H_w * tau_s2, (1 - H_o) * tau_o1 + H_o * tau_o2
    v_inf, w_inf = 1 - H_vm, (1 - H_o) * (1 - u / tau_winf) + H_o * w_star
    J_fi = -v * H_v * (u - th_v) * (u_u - u) / tau_fi
    J_so = (u - u_o) * (1 - H_w) / tau_o + H_w / tau_so
    J_si = -H_w * w * s / tau_si
    dv = (1 - H_v) * (v_inf - v) / tau_vm - H_v * v / tau_vp
    dw = (1 - H_w) * (w_inf - w) / tau_wm - H_w * w / tau_wp
    return [-85.7 * (J_fi + J_so + J_si), dv, dw, ((1 + np.tanh(k_s * (u - u_s))) / 2 - s) / tau_s]


def luo_rudy_1991(y, kind="", of=PLAIN):
    V, m, h, j, d, f, X, Ca = y
    e, rtf = np.exp, 8314 * 310 / 96484.6
    E_Na, E_K1 = rtf * np.log(140 / 18), rtf * np.log(5.4 / 145)
    E_K = rtf * np.log((5.4 + 0.01833 * 140) / (145 + 0.01833 * 18))
    am, bm = 0.32 * (V + 47.13) / (1 - e(-0.1 * (V + 47.13))), 0.08 * e(-V / 11)
    if V >= -40:
        ah, bh = 0, 1 / (0.13 * (1 + e((V + 10.66) / -11.1)))
        aj, bj = 0, 0.3 * e(-2.535e-7 * V) / (1 + e(-0.1 * (V + 32)))
    else:
        ah, bh = 0.135 * e((80 + V) / -6.8), 3.56 * e(0.079 * V) + 3.1e5 * e(0.35 * V)
        aj = (-1.2714e5 * e(0.2444 * V) - 3.474e-5 * e(-0.04391 * V)) * (V + 37.78) / (1 + e(0.311 * (V + 79.23)))
        bj = 0.1212 * e(-0.01052 * V) / (1 + e(-0.1378 * (V + 40.14)))
    ad = 0.095 * e(-0.01 * (V - 5)) / (1 + e(-0.072 * (V - 5)))
    bd = 0.07 * e(-0.017 * (V + 44)) / (1 + e(0.05 * (V + 44)))
    af = 0.012 * e(-0.008 * (V + 28)) / (1 + e(0.15 * (V + 28)))
    bf = 0.0065 * e(-0.02 * (V + 30)) / (1 + e(-0.2 * (V + 30)))
    aX = 0.0005 * e(0.083 * (V + 50)) / (1 + e(0.057 * (V + 50)))
    bX = 0.0013 * e(-0.06 * (V + 20)) / (1 + e(-0.04 * (V + 20)))
    i_Na = of["g_Na"] * 23 * m**3 * h * j * (V - E_Na)
    i_si = of["g_si"] * 0.09 * d * f * (V - (7.7 - 13.0287 * np.log(Ca)))
    X_i = 2.837 * (e(0.04 * (V + 77)) - 1) / ((V + 77) * e(0.04 * (V + 35))) if V > -100 else 1
    aK1 = 1.02 / (1 + e(0.2385 * (V - E_K1 - 59.215)))
    bK1 = 0.49124 * e(0.08032 * (V - E_K1 + 5.476)) + e(0.06175 * (V - E_K1 - 594.31))
    bK1 /= 1 + e(-0.5143 * (V - E_K1 + 4.753))
    i_K = of["g_K"] * 0.282 * X * X_i * (V - E_K) + of["g_K1"] * 0.6047 * aK1 / (aK1 + bK1) * (V - E_K1)
    i_K += of["g_Kp"] * 0.0183 / (1 + e((7.488 - V) / 5.98)) * (V - E_K1)
    return [
        -(i_Na + i_si + i_K + of["g_b"] * 0.03921 * (V + 59.87)),
        *(a * (1 - y) - b * y for a, b, y in (
            (am, bm, m), (ah, bh, h), (aj, bj, j), (ad, bd, d), (af, bf, f), (aX, bX, X),
        )),
        -1e-4 * i_si + 0.07 * (1e-4 - Ca),
    ]  # fmt: skip
