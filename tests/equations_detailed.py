"""Right-hand sides of four detailed cell models as papers or authors' programs print them, one line an equation.

Written apart from the kernels: steady states and time constants where those have rates, quotients where those have
products, and the authors' own order of state variables. Without stimulus. ``of`` multiplies a parameter, by its name in
the kernel.
"""

import math
from collections import defaultdict
from math import exp, log, sqrt

PLAIN = defaultdict(lambda: 1.0)

ORDER = {
    "ten_tusscher_2006": "V X_r1 X_r2 X_s m h j d f f2 fCass s r Ca_i Ca_SR Ca_ss R_prime Na_i K_i",
    "courtemanche_1998": (
        "V Na_i K_i Ca_i Ca_up Ca_rel m h j o_a o_i u_a u_i x_r x_s d f f_Ca u v w"
    ),
    "ohara_rudy_2011": (
        "V Na_i Na_ss K_i K_ss Ca_i Ca_ss Ca_nsr Ca_jsr m h_f h_s j h_sp j_p m_L h_L h_Lp a i_F i_S a_p i_Fp i_Sp d "
        "f_f f_s f_Caf f_Cas j_Ca n_Ca f_fp f_Cafp x_rf x_rs x_s1 x_s2 x_K1 J_relnp J_relp CaMK_t"
    ),
    "tor_ord_2019": (
        "V Na_i Na_ss K_i K_ss Ca_i Ca_ss Ca_nsr Ca_jsr m h_p h j j_p m_L h_L h_Lp a i_F i_S a_p i_Fp i_Sp d f_f f_s "
        "f_Caf f_Cas j_Ca n_Cass n_Cai f_fp f_Cafp x_s1 x_s2 J_relnp CaMK_t c0 c1 c2 o i J_relp"
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


def ohara_rudy_2011(y, kind=ENDO, of=PLAIN):
    """After the authors' C++ program; with the error of its pump."""
    (v, nai, nass, ki, kss, cai, cass, cansr, cajsr, m, hf, hs, j, hsp, jp, mL, hL, hLp, a, iF, iS, ap, iFp, iSp, d, ff,
     fs, fcaf, fcas, jca, nca, ffp, fcafp, xrf, xrs, xs1, xs2, xk1, Jrelnp, Jrelp, CaMKt) = y  # fmt: skip
    epi, mid = kind == EPI, kind == MID
    R, T, F, nao, cao, ko = 8314.0, 310.0, 96485.0, 140.0, 1.8, 5.4
    Acap, vmyo, vnsr, vjsr, vss = _geometry()
    CaMKb = 0.05 * (1 - CaMKt) / (1 + 0.0015 / cass)
    CaMKa = CaMKb + CaMKt
    p = 1 / (1 + 0.15 / CaMKa)
    ENa, EK = (R * T / F) * log(nao / nai), (R * T / F) * log(ko / ki)
    EKs = (R * T / F) * log((ko + 0.01833 * nao) / (ki + 0.01833 * nai))
    vffrt, vfrt = v * F * F / (R * T), v * F / (R * T)

    mss = 1 / (1 + exp(-(v + 39.57) / 9.871))
    tm = 1 / (6.765 * exp((v + 11.64) / 34.77) + 8.552 * exp(-(v + 77.42) / 5.955))
    hss = 1 / (1 + exp((v + 82.90) / 6.086))
    thf = 1 / (1.432e-5 * exp(-(v + 1.196) / 6.285) + 6.149 * exp((v + 0.5096) / 20.27))
    ths = 1 / (0.009794 * exp(-(v + 17.95) / 28.05) + 0.3343 * exp((v + 5.730) / 56.66))
    h, hp = 0.99 * hf + 0.01 * hs, 0.99 * hf + 0.01 * hsp
    tj = 2.038 + 1 / (0.02136 * exp(-(v + 100.6) / 8.281) + 0.3052 * exp((v + 0.9941) / 38.45))
    hssp = 1 / (1 + exp((v + 89.1) / 6.086))
    INa = 75 * of["g_Na"] * (v - ENa) * m**3 * ((1 - p) * h * j + p * hp * jp)
    INaL, dmL, dhL, dhLp = _late_sodium(v, mL, hL, hLp, p, ENa, tm, of["g_NaL"] * 0.0075 * (0.6 if epi else 1))
    Ito, dito = _transient_outward(v, a, iF, iS, ap, iFp, iSp, p, EK, of["g_to"] * 0.02 * (4 if epi or mid else 1), epi)

    dss = 1 / (1 + exp(-(v + 3.940) / 4.230))
    fss = 1 / (1 + exp((v + 19.58) / 3.696))
    dgates, g = _l_type(v, d, ff, fs, fcaf, fcas, ffp, fcafp, dss, fss)
    anca = 1 / (1000 / jca + (1 + 0.002 / cass) ** 4)
    PhiCaL = 4 * vffrt * (cass * exp(2 * vfrt) - 0.341 * cao) / (exp(2 * vfrt) - 1)
    PhiCaNa = vffrt * (0.75 * nass * exp(vfrt) - 0.75 * nao) / (exp(vfrt) - 1)
    PhiCaK = vffrt * (0.75 * kss * exp(vfrt) - 0.75 * ko) / (exp(vfrt) - 1)
    PCa = 0.0001 * of["P_Ca"] * (1.2 if epi else 2.5 if mid else 1)
    share = (1 - p) * g(nca, jca, False) + 1.1 * p * g(nca, jca, True)
    ICaL, ICaNa, ICaK = PCa * PhiCaL * share, 0.00125 * PCa * PhiCaNa * share, 3.574e-4 * PCa * PhiCaK * share

    xrss = 1 / (1 + exp(-(v + 8.337) / 6.789))
    txrf = 12.98 + 1 / (0.3652 * exp((v - 31.66) / 3.869) + 4.123e-5 * exp(-(v - 47.78) / 20.38))
    txrs = 1.865 + 1 / (0.06629 * exp((v - 34.70) / 7.355) + 1.128e-5 * exp(-(v - 29.74) / 25.94))
    Axrf = 1 / (1 + exp((v + 54.81) / 38.21))
    rkr = 1 / (1 + exp((v + 55) / 75)) * 1 / (1 + exp((v - 10) / 30))
    GKr = 0.046 * of["g_Kr"] * (1.3 if epi else 0.8 if mid else 1)
    IKr = GKr * sqrt(ko / 5.4) * (Axrf * xrf + (1 - Axrf) * xrs) * rkr * (v - EK)
    IKs, dxs1, dxs2 = _slow_rectifier(v, xs1, xs2, cai, EKs, of["g_Ks"] * 0.0034 * (1.4 if epi else 1))
    xk1ss = 1 / (1 + exp(-(v + 2.5538 * ko + 144.59) / (1.5692 * ko + 3.8115)))
    txk1 = 122.2 / (exp(-(v + 127.2) / 20.36) + exp((v + 236.8) / 69.33))
    rk1 = 1 / (1 + exp((v + 105.8 - 2.6 * ko) / 9.493))
    IK1 = of["g_K1"] * 0.1908 * (1.2 if epi else 1.3 if mid else 1) * sqrt(ko) * rk1 * xk1 * (v - EK)

    Gncx = 0.0008 * of["g_NCX"] * (1.1 if epi else 1.4 if mid else 1)
    INaCa_i = 0.8 * Gncx * _exchanger(vfrt, nai, nao, cai, cao)
    INaCa_ss = 0.2 * Gncx * _exchanger(vfrt, nass, nao, cass, cao)
    INaK = 30 * of["P_NaK"] * (0.9 if epi else 0.7 if mid else 1) * _pump(vfrt, nai, nao, ki, ko)
    IKb = of["g_Kb"] * 0.003 * (0.6 if epi else 1) / (1 + exp(-(v - 14.48) / 18.34)) * (v - EK)
    INab = 3.75e-10 * vffrt * (nai * exp(vfrt) - nao) / (exp(vfrt) - 1)
    ICab = 2.5e-8 * 4 * vffrt * (cai * exp(2 * vfrt) - 0.341 * cao) / (exp(2 * vfrt) - 1)
    IpCa = 0.0005 * cai / (0.0005 + cai)

    release = of["J_rel"] * (1.7 if mid else 1) * -ICaL / (1 + (1.5 / cajsr) ** 8)
    tau_rel = max(4.75 / (1 + 0.0123 / cajsr), 0.001)
    tau_relp = max(1.25 * 4.75 / (1 + 0.0123 / cajsr), 0.001)
    Jrel = (1 - p) * Jrelnp + p * Jrelp
    Jup = (1 - p) * cai / (cai + 0.00092) + p * 2.75 * cai / (cai + 0.00092 - 0.00017)
    Jup *= of["J_up"] * (1.3 if epi else 1) * 0.004375
    Jup, Jtr = Jup - 0.0039375 * cansr / 15, (cansr - cajsr) / 100
    JdiffNa, JdiffK, Jdiff = (nass - nai) / 2, (kss - ki) / 2, (cass - cai) / 0.2
    Bcai, Bcass, Bcajsr = _buffers(cai, cass, cajsr, of["CMDN_max"] * 0.05 * (1.3 if epi else 1))
    return [
        -(INa + INaL + Ito + ICaL + ICaNa + ICaK + IKr + IKs + IK1 + INaCa_i + INaCa_ss + INaK + INab + IKb + IpCa
          + ICab),
        -(INa + INaL + 3 * INaCa_i + 3 * INaK + INab) * Acap / (F * vmyo) + JdiffNa * vss / vmyo,
        -(ICaNa + 3 * INaCa_ss) * Acap / (F * vss) - JdiffNa,
        -(Ito + IKr + IKs + IK1 + IKb - 2 * INaK) * Acap / (F * vmyo) + JdiffK * vss / vmyo,
        -ICaK * Acap / (F * vss) - JdiffK,
        Bcai * (-(IpCa + ICab - 2 * INaCa_i) * Acap / (2 * F * vmyo) - Jup * vnsr / vmyo + Jdiff * vss / vmyo),
        Bcass * (-(ICaL - 2 * INaCa_ss) * Acap / (2 * F * vss) + Jrel * vjsr / vss - Jdiff),
        Jup - Jtr * vjsr / vnsr,
        Bcajsr * (Jtr - Jrel),
        (mss - m) / tm, (hss - hf) / thf, (hss - hs) / ths, (hss - j) / tj, (hssp - hsp) / (3 * ths),
        (hss - jp) / (1.46 * tj), dmL, dhL, dhLp, *dito, *dgates[:5], (fss - jca) / 75, anca * 1000 - nca * jca,
        *dgates[5:], (xrss - xrf) / txrf, (xrss - xrs) / txrs, dxs1, dxs2, (xk1ss - xk1) / txk1,
        (0.5 * 4.75 * release - Jrelnp) / tau_rel, (0.5 * 1.25 * 4.75 * release - Jrelp) / tau_relp,
        0.05 * CaMKb * (CaMKb + CaMKt) - 0.00068 * CaMKt,
    ]  # fmt: skip


def tor_ord_2019(y, kind=ENDO, of=PLAIN):
    """After the authors' Matlab program."""
    (v, nai, nass, ki, kss, cai, cass, cansr, cajsr, m, hp, h, j, jp, mL, hL, hLp, a, iF, iS, ap, iFp, iSp, d, ff, fs,
     fcaf, fcas, jca, nca, nca_i, ffp, fcafp, xs1, xs2, Jrel_np, CaMKt, c0, c1, c2, o, i, Jrel_p) = y  # fmt: skip
    epi, mid = kind == EPI, kind == MID
    R, T, F, nao, cao, ko, clo, cli = 8314.0, 310.0, 96485.0, 140.0, 1.8, 5.0, 150.0, 24.0
    Acap, vmyo, vnsr, vjsr, vss = _geometry()
    CaMKb = 0.05 * (1 - CaMKt) / (1 + 0.0015 / cass)
    p = 1 / (1 + 0.15 / (CaMKb + CaMKt))
    ENa, EK = (R * T / F) * log(nao / nai), (R * T / F) * log(ko / ki)
    EKs = (R * T / F) * log((ko + 0.01833 * nao) / (ki + 0.01833 * nai))
    vffrt, vfrt = v * F * F / (R * T), v * F / (R * T)

    mss = 1 / (1 + exp(-(56.86 + v) / 9.03)) ** 2
    tm = 0.1292 * exp(-(((v + 45.79) / 15.54) ** 2)) + 0.06487 * exp(-(((v - 4.823) / 51.12) ** 2))
    if v >= -40:
        th = 0.13 * (1 + exp(-(v + 10.66) / 11.1)) / 0.77
        tj = (1 + exp(-0.1 * (v + 32))) / (0.6 * exp(0.057 * v))
    else:
        th = 1 / (0.057 * exp(-(v + 80) / 6.8) + 2.7 * exp(0.079 * v) + 3.1e5 * exp(0.3485 * v))
        aj = (-2.5428e4 * exp(0.2444 * v) - 6.948e-6 * exp(-0.04391 * v)) * (v + 37.78) / (1 + exp(0.311 * (v + 79.23)))
        tj = 1 / (aj + 0.02424 * exp(-0.01052 * v) / (1 + exp(-0.1378 * (v + 40.14))))
    hss, hssp = 1 / (1 + exp((v + 71.55) / 7.43)) ** 2, 1 / (1 + exp((v + 71.55 + 6) / 7.43)) ** 2
    INa = 11.7802 * of["g_Na"] * (v - ENa) * m**3 * ((1 - p) * h * j + p * hp * jp)
    INaL, dmL, dhL, dhLp = _late_sodium(v, mL, hL, hLp, p, ENa, tm, of["g_NaL"] * 0.0279 * (0.6 if epi else 1))
    Ito, dito = _transient_outward(v, a, iF, iS, ap, iFp, iSp, p, EK, of["g_to"] * 0.16 * (2 if epi or mid else 1), epi)

    dss = 1 if v > 31.4978 else 1.0763 * exp(-1.0070 * exp(-0.0829 * v))
    fss = 1 / (1 + exp((v + 19.58) / 3.696))
    dgates, g = _l_type(v, d, ff, fs, fcaf, fcas, ffp, fcafp, dss, fss)
    jcass = 1 / (1 + exp((v + 18.08) / 2.7916))
    anca, anca_i = 1 / (500 / jca + (1 + 0.002 / cass) ** 4), 1 / (500 / jca + (1 + 0.002 / cai) ** 4)
    constA = 1.82e6 * (74 * 310) ** -1.5
    PCa = 8.3757e-5 * of["P_Ca"] * (1.2 if epi else 2 if mid else 1)
    L = []
    for ca, na, k, n in ((cass, nass, kss, nca), (cai, nai, ki, nca_i)):
        Io, Ii = 0.5 * (nao + ko + clo + 4 * cao) / 1000, 0.5 * (na + k + cli + 4 * ca) / 1000
        g_cai, g_cao = (exp(-constA * 4 * (sqrt(I) / (1 + sqrt(I)) - 0.3 * I)) for I in (Ii, Io))  # noqa: E741
        g_i, g_o = (exp(-constA * (sqrt(I) / (1 + sqrt(I)) - 0.3 * I)) for I in (Ii, Io))  # noqa: E741
        PhiCaL = 4 * vffrt * (g_cai * ca * exp(2 * vfrt) - g_cao * cao) / (exp(2 * vfrt) - 1)
        PhiCaNa = vffrt * (g_i * na * exp(vfrt) - g_o * nao) / (exp(vfrt) - 1)
        PhiCaK = vffrt * (g_i * k * exp(vfrt) - g_o * ko) / (exp(vfrt) - 1)
        share = PCa * ((1 - p) * g(n, jca, False) + 1.1 * p * g(n, jca, True))
        L += [PhiCaL * share, 0.00125 * PhiCaNa * share, 3.574e-4 * PhiCaK * share]
    ICaL_ss, ICaNa_ss, ICaK_ss = (0.8 * x for x in L[:3])
    ICaL_i, ICaNa_i, ICaK_i = ((1 - 0.8) * x for x in L[3:])

    alpha, beta, alpha1, beta1 = 0.1161 * exp(0.299 * vfrt), 0.2442 * exp(-1.604 * vfrt), 1.25 * 0.1235, 0.1911
    alpha2, beta2 = 0.0578 * exp(0.971 * vfrt), 0.349e-3 * exp(-1.062 * vfrt)
    alphai, betai = 0.2533 * exp(0.5953 * vfrt), 1.25 * 0.0522 * exp(-0.8209 * vfrt)
    c2_i = 0.52e-4 * exp(1.525 * vfrt)
    i_c2 = beta2 * betai * c2_i / (alpha2 * alphai)
    IKr = of["g_Kr"] * 0.0321 * (1.3 if epi else 0.8 if mid else 1) * sqrt(ko / 5) * o * (v - EK)
    IKs, dxs1, dxs2 = _slow_rectifier(v, xs1, xs2, cai, EKs, of["g_Ks"] * 0.0011 * (1.4 if epi else 1))
    aK1 = 4.094 / (1 + exp(0.1217 * (v - EK - 49.934)))
    bK1 = (15.72 * exp(0.0674 * (v - EK - 3.257)) + exp(0.0618 * (v - EK - 594.31))) / (
        1 + exp(-0.1629 * (v - EK + 14.207))
    )
    IK1 = of["g_K1"] * 0.6992 * (1.2 if epi else 1.3 if mid else 1) * sqrt(ko / 5) * aK1 / (aK1 + bK1) * (v - EK)

    Gncx = 0.0034 * of["g_NCX"] * (1.1 if epi else 1.4 if mid else 1)
    INaCa_i = (1 - 0.35) * Gncx * _exchanger(vfrt, nai, nao, cai, cao)
    INaCa_ss = 0.35 * Gncx * _exchanger(vfrt, nass, nao, cass, cao)
    INaK = 15.4509 * of["P_NaK"] * (0.9 if epi else 0.7 if mid else 1) * _pump(vfrt, nai, nao, ki, ko)
    IKb = of["g_Kb"] * 0.0189 * (0.6 if epi else 1) / (1 + exp(-(v - 10.8968) / 23.9871)) * (v - EK)
    INab = 1.9239e-9 * vffrt * (nai * exp(vfrt) - nao) / (exp(vfrt) - 1)
    ICab = 5.9194e-8 * 4 * vffrt * (g_cai * cai * exp(2 * vfrt) - g_cao * cao) / (exp(2 * vfrt) - 1)
    IpCa = 5e-4 * cai / (0.0005 + cai)
    ecl = (R * T / F) * log(cli / clo)
    IClCa, IClb = 0.2843 / (1 + 0.1 / cass) * (v - ecl), 1.98e-3 * (v - ecl)

    release = of["J_rel"] * (1.7 if mid else 1) * -ICaL_ss / (1 + (1.7 / cajsr) ** 8)
    tau_rel = max(4.75 / (1 + 0.0123 / cajsr), 0.001)
    tau_relp = max(1.25 * 4.75 / (1 + 0.0123 / cajsr), 0.001)
    Jrel = 1.5378 * ((1 - p) * Jrel_np + p * Jrel_p)
    Jup = (1 - p) * cai / (cai + 0.00092) + p * 2.75 * cai / (cai + 0.00092 - 0.00017)
    Jup *= of["J_up"] * (1.3 if epi else 1) * 0.005425
    Jup, Jtr = Jup - 0.0048825 * cansr / 15, (cansr - cajsr) / 60
    JdiffNa, JdiffK, Jdiff = (nass - nai) / 2, (kss - ki) / 2, (cass - cai) / 0.2
    Bcai, Bcass, Bcajsr = _buffers(cai, cass, cajsr, of["CMDN_max"] * 0.05 * (1.3 if epi else 1))
    return [
        -(INa + INaL + Ito + sum((ICaL_ss, ICaNa_ss, ICaK_ss, ICaL_i, ICaNa_i, ICaK_i)) + IKr + IKs + IK1 + INaCa_i
          + INaCa_ss + INaK + INab + IKb + IpCa + ICab + IClCa + IClb),
        -(ICaNa_i + INa + INaL + 3 * INaCa_i + 3 * INaK + INab) * Acap / (F * vmyo) + JdiffNa * vss / vmyo,
        -(ICaNa_ss + 3 * INaCa_ss) * Acap / (F * vss) - JdiffNa,
        -(ICaK_i + Ito + IKr + IKs + IK1 + IKb - 2 * INaK) * Acap / (F * vmyo) + JdiffK * vss / vmyo,
        -ICaK_ss * Acap / (F * vss) - JdiffK,
        Bcai * (-(ICaL_i + IpCa + ICab - 2 * INaCa_i) * Acap / (2 * F * vmyo) - Jup * vnsr / vmyo + Jdiff * vss / vmyo),
        Bcass * (-(ICaL_ss - 2 * INaCa_ss) * Acap / (2 * F * vss) + Jrel * vjsr / vss - Jdiff),
        Jup - Jtr * vjsr / vnsr,
        Bcajsr * (Jtr - Jrel),
        (mss - m) / tm, (hssp - hp) / th, (hss - h) / th, (hss - j) / tj, (hss - jp) / (1.46 * tj), dmL, dhL, dhLp,
        *dito, *dgates[:5], (jcass - jca) / 75, anca * 500 - nca * jca, anca_i * 500 - nca_i * jca, *dgates[5:],
        dxs1, dxs2, (0.5 * 4.75 * release - Jrel_np) / tau_rel,
        0.05 * CaMKb * (CaMKb + CaMKt) - 0.00068 * CaMKt,
        c1 * beta - c0 * alpha,
        c0 * alpha + c2 * beta1 - c1 * (beta + alpha1),
        c1 * alpha1 + o * beta2 + i * i_c2 - c2 * (beta1 + alpha2 + c2_i),
        c2 * alpha2 + i * betai - o * (beta2 + alphai),
        c2 * c2_i + o * alphai - i * (i_c2 + betai),
        (0.5 * 1.25 * 4.75 * release - Jrel_p) / tau_relp,
    ]  # fmt: skip


def _geometry():
    L, rad = 0.01, 0.0011
    vcell = 1000 * 3.14 * rad * rad * L
    return 2 * (2 * 3.14 * rad * rad + 2 * 3.14 * rad * L), 0.68 * vcell, 0.0552 * vcell, 0.0048 * vcell, 0.02 * vcell


def _late_sodium(v, mL, hL, hLp, p, ENa, tm, G):
    mLss, hLss = 1 / (1 + exp(-(v + 42.85) / 5.264)), 1 / (1 + exp((v + 87.61) / 7.488))
    hLssp = 1 / (1 + exp((v + 93.81) / 7.488))
    return G * (v - ENa) * mL * ((1 - p) * hL + p * hLp), (mLss - mL) / tm, (hLss - hL) / 200, (hLssp - hLp) / 600


def _transient_outward(v, a, iF, iS, ap, iFp, iSp, p, EK, G, epi):
    ass, assp = 1 / (1 + exp(-(v - 14.34) / 14.82)), 1 / (1 + exp(-(v - 24.34) / 14.82))
    ta = 1.0515 / (1 / (1.2089 * (1 + exp(-(v - 18.4099) / 29.3814))) + 3.5 / (1 + exp((v + 100) / 29.3814)))
    iss = 1 / (1 + exp((v + 43.94) / 5.711))
    delta = 1 - 0.95 / (1 + exp((v + 70) / 5)) if epi else 1
    tiF = delta * (4.562 + 1 / (0.3933 * exp(-(v + 100) / 100) + 0.08004 * exp((v + 50) / 16.59)))
    tiS = delta * (23.62 + 1 / (0.001416 * exp(-(v + 96.52) / 59.05) + 1.780e-8 * exp((v + 114.1) / 8.079)))
    AiF = 1 / (1 + exp((v - 213.6) / 151.2))
    develop = 1.354 + 1e-4 / (exp((v - 167.4) / 15.89) + exp(-(v - 12.23) / 0.2154))
    longer = develop * (1 - 0.5 / (1 + exp((v + 70) / 20)))
    i, ip = AiF * iF + (1 - AiF) * iS, AiF * iFp + (1 - AiF) * iSp
    return G * (v - EK) * ((1 - p) * a * i + p * ap * ip), [
        (ass - a) / ta, (iss - iF) / tiF, (iss - iS) / tiS, (assp - ap) / ta, (iss - iFp) / (longer * tiF),
        (iss - iSp) / (longer * tiS),
    ]  # fmt: skip


def _l_type(v, d, ff, fs, fcaf, fcas, ffp, fcafp, dss, fss):
    td = 0.6 + 1 / (exp(-0.05 * (v + 6)) + exp(0.09 * (v + 14)))
    tff = 7 + 1 / (0.0045 * exp(-(v + 20) / 10) + 0.0045 * exp((v + 20) / 10))
    tfs = 1000 + 1 / (0.000035 * exp(-(v + 5) / 4) + 0.000035 * exp((v + 5) / 6))
    tfcaf = 7 + 1 / (0.04 * exp(-(v - 4) / 7) + 0.04 * exp((v - 4) / 7))
    tfcas = 100 + 1 / (0.00012 * exp(-v / 3) + 0.00012 * exp(v / 7))
    Afcaf = 0.3 + 0.6 / (1 + exp((v - 10) / 10))

    def g(nca, jca, phosphorylated):
        f = 0.6 * (ffp if phosphorylated else ff) + 0.4 * fs
        fca = Afcaf * (fcafp if phosphorylated else fcaf) + (1 - Afcaf) * fcas
        return d * (f * (1 - nca) + jca * fca * nca)

    return [
        (dss - d) / td, (fss - ff) / tff, (fss - fs) / tfs, (fss - fcaf) / tfcaf, (fss - fcas) / tfcas,
        (fss - ffp) / (2.5 * tff), (fss - fcafp) / (2.5 * tfcaf),
    ], g  # fmt: skip


def _slow_rectifier(v, xs1, xs2, cai, EKs, G):
    xsss = 1 / (1 + exp(-(v + 11.60) / 8.932))
    txs1 = 817.3 + 1 / (2.326e-4 * exp((v + 48.28) / 17.80) + 0.001292 * exp(-(v + 210) / 230))
    txs2 = 1 / (0.01 * exp((v - 50) / 20) + 0.0193 * exp(-(v + 66.54) / 31))
    KsCa = 1 + 0.6 / (1 + (3.8e-5 / cai) ** 1.4)
    return G * KsCa * xs1 * xs2 * (v - EKs), (xsss - xs1) / txs1, (xsss - xs2) / txs2


def _exchanger(vfrt, na, nao, ca, cao):
    kna1, kna2, kna3, wna, wca, wnaca = 15.0, 5.0, 88.12, 6e4, 6e4, 5e3
    hca, hna = exp(0.1670 * vfrt), exp(0.5224 * vfrt)
    h1 = 1 + na / kna3 * (1 + hna)
    h2, h3, h4 = na * hna / (kna3 * h1), 1 / h1, 1 + na / kna1 * (1 + na / kna2)
    h5, h6, h7 = na * na / (h4 * kna1 * kna2), 1 / h4, 1 + nao / kna3 * (1 + 1 / hna)
    h8, h9, h10 = nao / (kna3 * hna * h7), 1 / h7, 12.5 + 1 + nao / kna1 * (1 + nao / kna2)
    h11, h12 = nao * nao / (h10 * kna1 * kna2), 1 / h10
    k1, k2, k3p, k3pp, k4p, k4pp = h12 * cao * 1.5e6, 5e3, h9 * wca, h8 * wnaca, h3 * wca / hca, h2 * wnaca
    k3, k4, k5, k6, k7, k8 = k3p + k3pp, k4p + k4pp, 5e3, h6 * ca * 1.5e6, h5 * h2 * wna, h8 * h11 * wna
    x1 = k2 * k4 * (k7 + k6) + k5 * k7 * (k2 + k3)
    x2 = k1 * k7 * (k4 + k5) + k4 * k6 * (k1 + k8)
    x3 = k1 * k3 * (k7 + k6) + k8 * k6 * (k2 + k3)
    x4 = k2 * k8 * (k4 + k5) + k3 * k5 * (k1 + k8)
    E1, E2, E3, E4 = (x / (x1 + x2 + x3 + x4) for x in (x1, x2, x3, x4))
    JncxNa, JncxCa = 3 * (E4 * k7 - E1 * k8) + E3 * k4pp - E2 * k3pp, E2 * k2 - E1 * k1
    return (JncxNa + 2 * JncxCa) / (1 + (150e-6 / ca) ** 2)


def _pump(vfrt, nai, nao, ki, ko):
    Knai, Knao = 9.073 * exp(-0.155 * vfrt / 3), 27.78 * exp(1.155 * vfrt / 3)
    Kki, Kko, MgADP, MgATP, Kmgatp, H = 0.5, 0.3582, 0.05, 9.8, 1.698e-7, 1e-7
    P = 4.2 / (1 + H / 1.698e-7 + nai / 224 + ki / 292)
    inside, outside = ((1 + na) ** 3 + (1 + k) ** 2 - 1 for na, k in ((nai / Knai, ki / Kki), (nao / Knao, ko / Kko)))
    a1, b1 = 949.5 * (nai / Knai) ** 3 / inside, 182.4 * MgADP
    a2, b2 = 687.2, 39.4 * (nao / Knao) ** 3 / outside
    a3, b3 = 1899.0 * (ko / Kko) ** 2 / outside, 79300.0 * P * H / (1 + MgATP / Kmgatp)
    a4, b4 = 639.0 * MgATP / Kmgatp / (1 + MgATP / Kmgatp), 40.0 * (ki / Kki) ** 2 / inside
    x1 = a4 * a1 * a2 + b2 * b4 * b3 + a2 * b4 * b3 + b3 * a1 * a2
    x2 = b2 * b1 * b4 + a1 * a2 * a3 + a3 * b1 * b4 + a2 * a3 * b4
    x3 = a2 * a3 * a4 + b3 * b2 * b1 + b2 * b1 * a4 + a3 * a4 * b1
    x4 = b4 * b3 * b2 + a3 * a4 * a1 + b2 * a4 * a1 + b3 * b2 * a1
    E1, E2, E3, E4 = (x / math.fsum((x1, x2, x3, x4)) for x in (x1, x2, x3, x4))
    return 3 * (E1 * a3 - E2 * b3) + 2 * (E4 * b1 - E3 * a1)


def _buffers(cai, cass, cajsr, cmdnmax):
    return (
        1 / (1 + cmdnmax * 0.00238 / (0.00238 + cai) ** 2 + 0.07 * 0.0005 / (0.0005 + cai) ** 2),
        1 / (1 + 0.047 * 0.00087 / (0.00087 + cass) ** 2 + 1.124 * 0.0087 / (0.0087 + cass) ** 2),
        1 / (1 + 10 * 0.8 / (0.8 + cajsr) ** 2),
    )
