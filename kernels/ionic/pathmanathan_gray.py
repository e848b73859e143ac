"""The model problem of Pathmanathan and Gray 2014, with a known exact solution (doi 10.1002/cnm.2615).

I_ion = -(C_m/2) (u1 + u3 - V) u2² (V - u3) + (beta/chi) (V - u3)
du1/dt = (u1 + u3 - V)² u2² + ½ (u1 + u3 - V) u2² (V - u3),    du2/dt = -(u1 + u3 - V) u2³,    du3/dt = 0

For verification only: V is a number of order one, and nothing of it is a heart.
"""

from cardiotwin.kernels.ionic import rows

REST_MV, REPOLARISED_MV, LONGEST_STEP_MS = 0.0, -1e9, 1e-9

STATE = {"V": 0.0, "u1": 1.0, "u2": 1.0, "u3": 0.0}
PARAMETERS = {"beta_per_capacity": 0.0}  # beta/(chi C_m)

V_, U1, U2, U3, BETA = rows(STATE, PARAMETERS)


def gates(cell, lane, V, dt):
    """An explicit midpoint step of u1 and u2."""
    u1, u2, u3 = cell[U1 + lane], cell[U2 + lane], cell[U3 + lane]
    w = u1 + u3 - V
    half_u1 = u1 + 0.5 * dt * w * u2 * u2 * (w + 0.5 * (V - u3))
    half_u2 = u2 - 0.5 * dt * w * u2 * u2 * u2
    w = half_u1 + u3 - V
    cell[U1 + lane] = u1 + dt * w * half_u2 * half_u2 * (w + 0.5 * (V - u3))
    cell[U2 + lane] = u2 - dt * w * half_u2 * half_u2 * half_u2


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m."""
    u1, u2, u3 = cell[U1 + lane], cell[U2 + lane], cell[U3 + lane]
    return (V - u3) * (cell[BETA + lane] - 0.5 * (u1 + u3 - V) * u2 * u2)
