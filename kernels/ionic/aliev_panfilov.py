"""Aliev and Panfilov 1996, Chaos, Solitons & Fractals 7:293 (doi 10.1016/0960-0779(95)00089-5): two variables.

A cubic and a slow recovery, after the shape and the restitution of beats of the dog's ventricle.

du/dt = k u (1 - u) (u - a) - u v,    dv/dt = eps(u, v) (-v - k u (u - a - 1)),    eps = eps0 + mu1 v/(u + mu2).

In the paper's units, V = -80 + 100 u mV and one unit of time is 12.9 ms; a is 0.15 as there (0.1 and 0.05 are found
too). v is not linear at fixed u: it takes an explicit midpoint step. What was changed: u + mu2 is kept above 0.1, so
that nothing is divided by zero below -100 mV, where the paper has no cell.

Checked over two beats 540 ms apart, dt 0.005 to 0.04 ms: 0.002 mV at dt 0.02, 0.2 in single precision; over six beats
at cycle lengths of 400 to 1000 ms as in production: 0.1 ms of APD. The longest step costs 0.2 mV. The upstroke is slow,
7 mV/ms, so 0.6 m/s takes twenty times the conductivity of the other models, and the front is as much wider.
"""

from cardiotwin.kernels.ionic import rows
from cardiotwin.kernels.lanes import where

REST_MV = -80.0
REPOLARISED_MV = -70.0  # 10 % of the amplitude
AMPLITUDE_MV = 100.0
LONGEST_STEP_MS = 1.0
LONGEST_DT_MS = 1.0
STEEPEST_PER_MS = 0.6
UNIT_MS = 12.9

STATE = {"V": REST_MV, "v": 0.0}
PARAMETERS = {"k": 8.0, "a": 0.15, "eps0": 0.002, "mu1": 0.2, "mu2": 0.3}

POTENTIAL, RECOVERY, K, A, EPS0, MU1, MU2 = rows(STATE, PARAMETERS)


def recovery_rate(u, v, k, a, eps0, mu1, softened):
    """dv/dt, in the paper's unit of time."""
    return -(eps0 + mu1 * v / softened) * (v + k * u * (u - a - 1.0))


def gates(cell, lane, V, dt):
    """An explicit midpoint step of the recovery."""
    u, v = (V - REST_MV) / AMPLITUDE_MV, cell[RECOVERY + lane]
    k, a, eps0, mu1 = cell[K + lane], cell[A + lane], cell[EPS0 + lane], cell[MU1 + lane]
    softened = u + cell[MU2 + lane]
    softened = where(softened < 0.1, 0.1, softened)
    units = dt / UNIT_MS
    halfway = v + 0.5 * units * recovery_rate(u, v, k, a, eps0, mu1, softened)
    cell[RECOVERY + lane] = v + units * recovery_rate(u, halfway, k, a, eps0, mu1, softened)


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms."""
    u = (V - REST_MV) / AMPLITUDE_MV
    return AMPLITUDE_MV / UNIT_MS * u * (cell[K + lane] * (u - 1.0) * (u - cell[A + lane]) + cell[RECOVERY + lane])
