"""Corrado and Niederer 2016: Mitchell-Schaeffer without its pacemaker (doi 10.1016/j.mbs.2016.08.010).

dv/dt = h v (v - v_gate)(1 - v)/tau_in - (1 - h) v/tau_out + J,
dh/dt = (1 - h)/tau_open for v < v_gate, -h/tau_close above.

In the paper of 2003 the inward current outweighs the outward one from well below v_gate, so tissue that is held near
there fires by itself. Here v_gate is the threshold of both, and tissue below it always returns to rest. While h is 1
the front is that of Nagumo's equation, whose velocity is known: (1 - 2 v_gate) sqrt(D/(2 tau_in)), D = sigma/(chi C_m).
Units and gate as in `mitchell_schaeffer`.
"""

from cardiotwin.kernels.ionic import mitchell_schaeffer, rows

REST_MV, REPOLARISED_MV = mitchell_schaeffer.REST_MV, mitchell_schaeffer.REPOLARISED_MV
AMPLITUDE_MV = mitchell_schaeffer.AMPLITUDE_MV
LONGEST_STEP_MS = 2.0
LONGEST_DT_MS = 0.2
STEEPEST_PER_MS = 2.9

STATE, PARAMETERS = mitchell_schaeffer.STATE, mitchell_schaeffer.PARAMETERS
V, H, TAU_IN, TAU_OUT, TAU_OPEN, TAU_CLOSE, V_GATE = rows(STATE, PARAMETERS)

gates = mitchell_schaeffer.gates


def ionic_current(cell, lane, V, dt):
    """I_ion over C_m, mV/ms."""
    v = (V - REST_MV) / AMPLITUDE_MV
    h = cell[H + lane]
    J_in = h * v * (v - cell[V_GATE + lane]) * (1.0 - v) / cell[TAU_IN + lane]
    J_out = (h - 1.0) * v / cell[TAU_OUT + lane]
    return -AMPLITUDE_MV * (J_in + J_out)
