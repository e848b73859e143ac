"""Right-hand sides of two cell models of few variables as their papers print them, written apart from the kernels.

Without stimulus. ``of`` multiplies a parameter, by its name in the kernel.
"""

from collections import defaultdict

PLAIN = defaultdict(lambda: 1.0)
ORDER = {
    "mitchell_schaeffer": "V h",
    "modified_mitchell_schaeffer": "V h",
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
