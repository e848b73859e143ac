"""A paced cell by an adaptive integrator, from equations that are not the kernel's."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import solve_ivp


def stiff_beat(
    equations: Callable[[list[float]], Sequence[float]],
    start: Sequence[float],
    stimuli: Sequence[tuple[float, float, float]],
    times: np.ndarray,
    method: str = "LSODA",
    rtol: float = 1e-8,
) -> np.ndarray:
    """(n_variables, n_times), the potential first; stopped and started where stimuli are, lest one be stepped over.

    Parameters
    ----------
    stimuli
        Start and duration, ms, and strength, mV/ms.
    times
        Ascending from 0; none of them far beyond the last.
    """
    changes = {0.0, float(times[-1])}.union(*((begin, begin + length) for begin, length, _ in stimuli))
    y, pieces = np.array(start, float), []
    for begin, end in itertools.pairwise(sorted(change for change in changes if change <= times[-1])):
        strength = sum(size for at, length, size in stimuli if at <= begin < at + length)

        def rate(t, y, strength=strength):
            dy = np.array(equations(y.tolist()))
            dy[0] += strength
            return dy

        run = solve_ivp(rate, (begin, end), y, method, dense_output=True, rtol=rtol, atol=1e-10, max_step=1.0)
        assert run.success, run.message
        inside = times[(times > begin) & (times <= end)] if begin > 0.0 else times[times <= end]
        if inside.size:
            pieces.append(run.sol(inside))
        y = run.y[:, -1]
    return np.concatenate(pieces, axis=1)
