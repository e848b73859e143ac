"""Right-hand sides of two detailed cell models as papers or authors' programs print them, one line an equation.

Written apart from the kernels: steady states and time constants where those have rates, quotients where those have
products, and the authors' own order of state variables. Without stimulus. ``of`` multiplies a parameter, by its name in
the kernel.
"""

from collections import defaultdict
from math import exp, log, sqrt

PLAIN = defaultdict(lambda: 1.0)

ORDER = {
    "ten_tusscher_2006": "V X_r1 X_r2 X_s m h j d f f2 fCass s r Ca_i Ca_SR Ca_ss R_prime Na_i K_i",
    "courtemanche_1998": (
        "V Na_i K_i Ca_i Ca_up Ca_rel m h j o_a o_i u_a u_i x_r x_s d f f_Ca u v w"
    ),
}  # fmt: skip
ENDO, EPI, MID = "endocardial", "epicardial", "mid_myocardial"


def ten_tusscher_2006(y, kind=EPI, of=PLAIN):
    """Rates and not steady states where the paper has rates."""
    endocardial = kind == ENDO
    V, xr1, xr2, xs, m, h, j, d, f, f2, fc, s, r, cai, casr, cass, rp, nai, ki = y
    e = exp
    rtf = 8314.472 * 310.0 / 96485.3415
    ena, ek = rtf * log(140.0 / nai), rtf * log(5.4 / ki)
    eks, eca = rtf * log((5.4 + 0.03 * 140) / (ki + 0.03 * nai)), 0.5 * rtf * log(2.0 / cai)
    ak1 = 0.1 / (1 + e(0.06 * (V - ek - 200)))
    bk1 = (3 * e(0.0002 * (V - ek + 100)) + e(0.1 * (V - ek - 10))) / (1 + e(-0.5 * (V - ek)))
    ik1 = of["g_K1"] * 5.405 * ak1 / (ak1 + bk1) * (V - ek)
    ito = of["g_to"] * (0.073 if endocardial else 0.294) * r * s * (V - ek)
    ikr = of["g_Kr"] * 0.153 * xr1 * xr2 * (V - ek)
    iks = of["g_Ks"] * (0.098 if kind == MID else 0.392) * xs**2 * (V - eks)
    ina = of["g_Na"] * 14.838 * m**3 * h * j * (V - ena)
    ipk, ibna = 0.0146 * (V - ek) / (1 + e((25 - V) / 5.98)), 0.00029 * (V - ena)
    inak = 2.724 * 5.4 / 6.4 * nai / (nai + 40) / (1 + 0.1245 * e(-0.1 * V / rtf) + 0.0353 * e(-V / rtf))
    inaca = 1000 * (e(0.35 * V / rtf) * nai**3 * 2 - e(-0.65 * V / rtf) * 140**3 * cai * 2.5)
    inaca /= (87.5**3 + 140**3) * (1.38 + 2) * (1 + 0.1 * e(-0.65 * V / rtf))
    ghk = 4 * (V - 15) * 96485.3415 / rtf * (0.25 * cass * e(2 * (V - 15) / rtf) - 2) / (e(2 * (V - 15) / rtf) - 1)
    ical = of["g_CaL"] * 3.98e-5 * d * f * f2 * fc * ghk
    ibca, ipca = 0.000592 * (V - eca), 0.1238 * cai / (cai + 0.0005)
    kcasr = 2.5 - 1.5 / (1 + (1.5 / casr) ** 2)
    k1, k2 = 0.15 / kcasr, 0.045 * kcasr
    irel = 0.102 * k1 * cass**2 * rp / (0.06 + k1 * cass**2) * (casr - cass)
    iup, ileak, ixfer = 0.006375 / (1 + 0.00025**2 / cai**2), 0.00036 * (casr - cai), 0.0038 * (cass - cai)
    vc, vsr, vss, cap = 0.016404, 0.001094, 5.468e-5, 0.185 / 96485.3415
    dcai = (ileak - iup) * vsr / vc + ixfer - (ibca + ipca - 2 * inaca) * cap / (2 * vc)
    dcass = -ical * cap / (2 * vss) + irel * vsr / vss - ixfer * vc / vss
    high = V >= -40
    ah, bh = (0.0, 0.77 / (0.13 * (1 + e(-(V + 10.66) / 11.1)))) if high else (
        0.057 * e(-(V + 80) / 6.8), 2.7 * e(0.079 * V) + 3.1e5 * e(0.3485 * V))  # fmt: skip
    aj, bj = (0.0, 0.6 * e(0.057 * V) / (1 + e(-0.1 * (V + 32)))) if high else (
        (-25428 * e(0.2444 * V) - 6.948e-6 * e(-0.04391 * V)) * (V + 37.78) / (1 + e(0.311 * (V + 79.23))),
        0.02424 * e(-0.01052 * V) / (1 + e(-0.1378 * (V + 40.14))))  # fmt: skip
    tm = 1 / (1 + e((-60 - V) / 5)) * (0.1 / (1 + e((V + 35) / 5)) + 0.1 / (1 + e((V - 50) / 200)))
    td = (1.4 / (1 + e((-35 - V) / 13)) + 0.25) * 1.4 / (1 + e((V + 5) / 5)) + 1 / (1 + e((50 - V) / 20))
    tf = 1102.5 * e(-((V + 27) ** 2) / 225) + 200 / (1 + e((13 - V) / 10)) + 180 / (1 + e((V + 30) / 10)) + 20
    tf2 = 562 * e(-((V + 27) ** 2) / 240) + 31 / (1 + e((25 - V) / 10)) + 80 / (1 + e((V + 30) / 10))
    hinf, near = 1 / (1 + e((V + 71.55) / 7.43)) ** 2, 1 / (1 + (cass / 0.05) ** 2)
    sinf, ts = (1 / (1 + e((V + 28) / 5)), 1000 * e(-((V + 67) ** 2) / 1000) + 8) if endocardial else (
        1 / (1 + e((V + 20) / 5)), 85 * e(-((V + 45) ** 2) / 320) + 5 / (1 + e((V - 20) / 5)) + 3)  # fmt: skip
    return [
        -(ik1 + ito + ikr + iks + ipk + ina + ibna + inak + inaca + ical + ibca + ipca),
        (1 / (1 + e((-26 - V) / 7)) - xr1) / (450 / (1 + e((-45 - V) / 10)) * 6 / (1 + e((V + 30) / 11.5))),
        (1 / (1 + e((V + 88) / 24)) - xr2) / (3 / (1 + e((-60 - V) / 20)) * 1.12 / (1 + e((V - 60) / 20))),
        (1 / (1 + e((-5 - V) / 14)) - xs) / (1400 / sqrt(1 + e((5 - V) / 6)) / (1 + e((V - 35) / 15)) + 80),
        (1 / (1 + e((-56.86 - V) / 9.03)) ** 2 - m) / tm,
        (hinf - h) * (ah + bh),
        (hinf - j) * (aj + bj),
        (1 / (1 + e((-8 - V) / 7.5)) - d) / td,
        (1 / (1 + e((V + 20) / 7)) - f) / tf,
        (0.67 / (1 + e((V + 35) / 7)) + 0.33 - f2) / tf2,
        (0.6 * near + 0.4 - fc) / (80 * near + 2),
        (sinf - s) / ts,
        (1 / (1 + e((20 - V) / 6)) - r) / (9.5 * e(-((V + 40) ** 2) / 1800) + 0.8),
        dcai / (1 + 0.2 * 0.001 / (cai + 0.001) ** 2),
        (iup - irel - ileak) / (1 + 10 * 0.3 / (casr + 0.3) ** 2),
        dcass / (1 + 0.4 * 0.00025 / (cass + 0.00025) ** 2),
        0.005 * (1 - rp) - k2 * cass * rp,
        -(ina + ibna + 3 * inak + 3 * inaca) * cap / vc,
        -(ik1 + ito + ikr + iks - 2 * inak + ipk) * cap / vc,
    ]  # fmt: skip


def courtemanche_1998(y, kind="atrial", of=PLAIN):
    v, nai, ki, cai, caup, carel, m, h, j, oa, oi, ua, ui, xr, xs, d, f, fca, u, vg, w = y
    R, T, F, cm, vi, vup, vrel = 8.3143, 310.0, 96.4867, 100.0, 20100.0 * 0.68, 20100.0 * 0.0552, 20100.0 * 0.0048
    ko, nao, cao, frt = 5.4, 140.0, 1.8, 96.4867 / (8.3143 * 310.0)
    ek, ena, eca = R * T / F * log(ko / ki), R * T / F * log(nao / nai), R * T / (2 * F) * log(cao / cai)
    ina = cm * 7.8 * of["g_Na"] * m**3 * h * j * (v - ena)
    ik1 = cm * 0.09 * of["g_K1"] * (v - ek) / (1 + exp(0.07 * (v + 80)))
    ito = cm * 0.1652 * of["g_to"] * oa**3 * oi * (v - ek)
    ikur = cm * of["g_Kur"] * (0.005 + 0.05 / (1 + exp((v - 15) / -13))) * ua**3 * ui * (v - ek)
    ikr = cm * 0.029411765 * of["g_Kr"] * xr * (v - ek) / (1 + exp((v + 15) / 22.4))
    iks = cm * 0.12941176 * of["g_Ks"] * xs**2 * (v - ek)
    ical = cm * 0.12375 * of["g_CaL"] * d * f * fca * (v - 65)
    sigma = (exp(nao / 67.3) - 1) / 7
    fnak = 1 / (1 + 0.1245 * exp(-0.1 * v * frt) + 0.0365 * sigma * exp(-v * frt))
    inak = cm * 0.59933874 * fnak / (1 + (10 / nai) ** 1.5) * ko / (ko + 1.5)
    inaca = cm * 1600 * (exp(0.35 * v * frt) * nai**3 * cao - exp(-0.65 * v * frt) * nao**3 * cai)
    inaca /= (87.5**3 + nao**3) * (1.38 + cao) * (1 + 0.1 * exp(-0.65 * v * frt))
    ibca, ibna, ipca = cm * 0.001131 * (v - eca), cm * 0.0006744375 * (v - ena), cm * 0.275 * cai / (0.0005 + cai)
    irel = 30 * u**2 * vg * w * (carel - cai)
    itr, iup, ileak = (caup - carel) / 180, 0.005 / (1 + 0.00092 / cai), 0.005 * caup / 15
    fn = 1e-12 * vrel * irel - 5e-13 / F * (0.5 * ical - 0.2 * inaca)
    b1 = (2 * inaca - (ipca + ical + ibca)) / (2 * vi * F) + (vup * (ileak - iup) + irel * vrel) / vi
    b2 = 1 + 0.07 * 0.0005 / (cai + 0.0005) ** 2 + 0.05 * 0.00238 / (cai + 0.00238) ** 2
    am, bm = 0.32 * (v + 47.13) / (1 - exp(-0.1 * (v + 47.13))), 0.08 * exp(-v / 11)
    if v >= -40:
        ah, bh = 0.0, 1 / (0.13 * (1 + exp((v + 10.66) / -11.1)))
        aj, bj = 0.0, 0.3 * exp(-2.535e-7 * v) / (1 + exp(-0.1 * (v + 32)))
    else:
        ah, bh = 0.135 * exp((v + 80) / -6.8), 3.56 * exp(0.079 * v) + 310000 * exp(0.35 * v)
        aj = (-127140 * exp(0.2444 * v) - 3.474e-5 * exp(-0.04391 * v)) * (v + 37.78) / (1 + exp(0.311 * (v + 79.23)))
        bj = 0.1212 * exp(-0.01052 * v) / (1 + exp(-0.1378 * (v + 40.14)))
    aoa, boa = 0.65 / (exp((v + 10) / -8.5) + exp((v - 30) / -59)), 0.65 / (2.5 + exp((v + 82) / 17))
    aoi, boi = 1 / (18.53 + exp((v + 113.7) / 10.95)), 1 / (35.56 + exp((v + 1.26) / -7.44))
    aui, bui = 1 / (21 + exp((v - 185) / -28)), 1 / exp((v - 158) / -16)
    axr = 0.0003 * (v + 14.1) / (1 - exp((v + 14.1) / -5))
    bxr = 7.3898e-5 * (v - 3.3328) / (exp((v - 3.3328) / 5.1237) - 1)
    axs = 4e-5 * (v - 19.9) / (1 - exp((v - 19.9) / -17))
    bxs = 3.5e-5 * (v - 19.9) / (exp((v - 19.9) / 9) - 1)
    td = (1 - exp((v + 10) / -6.24)) / (0.035 * (v + 10) * (1 + exp((v + 10) / -6.24)))
    tf = 9 / (0.0197 * exp(-(0.0337**2) * (v + 10) ** 2) + 0.02)
    tw = 6 * (1 - exp(-(v - 7.9) / 5)) / ((1 + 0.3 * exp(-(v - 7.9) / 5)) * (v - 7.9))
    uss = 1 / (1 + exp(min(-(fn - 3.4175e-13) / 13.67e-16, 700)))
    vss = 1 - 1 / (1 + exp(min(-(fn - 6.835e-14) / 13.67e-16, 700)))
    return [
        -(ina + ik1 + ito + ikur + ikr + iks + ical + ipca + inak + inaca + ibna + ibca) / cm,
        (-3 * inak - (3 * inaca + ibna + ina)) / (vi * F),
        (2 * inak - (ik1 + ito + ikur + ikr + iks)) / (vi * F),
        b1 / b2,
        iup - (ileak + itr * vrel / vup),
        (itr - irel) / (1 + 10 * 0.8 / (carel + 0.8) ** 2),
        am * (1 - m) - bm * m,
        ah * (1 - h) - bh * h,
        aj * (1 - j) - bj * j,
        (1 / (1 + exp((v + 20.47) / -17.54)) - oa) * 3 * (aoa + boa),
        (1 / (1 + exp((v + 43.1) / 5.3)) - oi) * 3 * (aoi + boi),
        (1 / (1 + exp((v + 30.3) / -9.6)) - ua) * 3 * (aoa + boa),
        (1 / (1 + exp((v - 99.45) / 27.48)) - ui) * 3 * (aui + bui),
        (1 / (1 + exp((v + 14.1) / -6.5)) - xr) * (axr + bxr),
        ((1 + exp((v - 19.9) / -12.7)) ** -0.5 - xs) / (0.5 / (axs + bxs)),
        (1 / (1 + exp((v + 10) / -8)) - d) / td,
        (exp(-(v + 28) / 6.9) / (1 + exp(-(v + 28) / 6.9)) - f) / tf,
        (1 / (1 + cai / 0.00035) - fca) / 2,
        (uss - u) / 8,
        (vss - vg) / (1.91 + 2.09 * uss),
        (1 - 1 / (1 + exp(-(v - 40) / 17)) - w) / tw,
    ]
