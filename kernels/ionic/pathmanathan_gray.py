"""The model problem of Pathmanathan and Gray 2014, with a known exact solution (doi 10.1002/cnm.2615).

I_ion = -(C_m/2) (u1 + u3 - V) u2² (V - u3) + (beta/chi) (V - u3)
du1/dt = (u1 + u3 - V)² u2² + ½ (u1 + u3 - V) u2² (V - u3),    du2/dt = -(u1 + u3 - V) u2³,    du3/dt = 0

For verification only: V is a number of order one, and nothing of it is a heart.
"""

from cardiotwin.kernels.ionic import rows

REST_MV, REPOLARISED_MV, LONGEST_STEP_MS = 0.0, -1e9, 1e-9

STATE = {"V": 0.0, "u1": 1.0, "u2": 1.0, "u3": 0.0}
PARAMETERS = {"beta_per_capacity": 0.0}  # beta/(chi C_m)

V_, U1, U2, U3, BETA, CURRENT = rows(STATE, PARAMETERS)


def step(cell, lane, dt):
    """One forward Euler step of one node."""
    V, u1, u2, u3 = cell[V_ + lane], cell[U1 + lane], cell[U2 + lane], cell[U3 + lane]
    w = u1 + u3 - V
    I_ion = -0.5 * w * u2 * u2 * (V - u3) + cell[BETA + lane] * (V - u3)  # over C_m
    cell[V_ + lane] = V + dt * (cell[CURRENT + lane] - I_ion)
    cell[U1 + lane] = u1 + dt * (w * w * u2 * u2 + 0.5 * w * u2 * u2 * (V - u3))
    cell[U2 + lane] = u2 - dt * w * u2 * u2 * u2
