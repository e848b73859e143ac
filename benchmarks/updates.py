"""A second ECG: how long it takes to count, and whether it matters which of two came first. Shown by
`benchmarks/calibration.py`, group ``updates``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from drawn_patients import TISSUE, drawn_anatomy, recorded
from interval_coverage import NAMES, SMALL, drawn_from_prior, small_heart
from table import Row, listed, row

from cardiotwin.calibration.fit import calibrate, sites_of
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.sequential_monte_carlo import apart
from cardiotwin.ecg.electrodes import default_electrodes
from cardiotwin.ecg.recording import Ecg
from cardiotwin.errors import CardioTwinError
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings


def update_rows(count: int) -> Iterable[Row]:
    """Time at full size, order on small hearts."""
    yield timed_update()
    yield from order_rows(count)


def timed_update() -> Row:
    """With the default settings; the table of sites and the first posterior are there, as in a twin."""
    heart, settings = true_heart(drawn_anatomy(1), CalibrateSettings().edge_mm), CalibrateSettings()
    electrodes, rng = replace(default_electrodes(heart), measured=True), np.random.default_rng(61)
    truth, library = drawn_from_prior(heart, electrodes, rng), sites_of(heart, settings, TISSUE)
    ecgs = [truth.ecg, recorded(truth.beat, rng)]
    first = calibrate(heart, ecgs[:1], electrodes, settings, TISSUE, library=library)
    start, start_processor = time.perf_counter(), time.process_time()
    second = calibrate(heart, ecgs, electrodes, settings, TISSUE, previous=first, library=library)
    wall, processor = time.perf_counter() - start, time.process_time() - start_processor
    note = f"processor {processor:.0f} s; chance of the new ECG {second.notes['chance of the new ECG']:.2g}"
    return row("a second ECG: time to count", wall, "s", 30.0, wall <= 30.0, note)


def order_rows(count: int) -> Iterable[Row]:
    """Two recordings of one heart, each as the first: how far apart the posteriors are, of a standard deviation.

    As far as two runs of one order are with other seeds: that is the sampler, and no more is expected.
    """
    heart = small_heart()
    electrodes = replace(default_electrodes(heart), measured=True)
    library = sites_of(heart, SMALL, TISSUE)

    def both(ecgs: list[Ecg], seed: int) -> Posterior:
        settings = SMALL.model_copy(update={"seed": seed})
        first = calibrate(heart, ecgs[:1], electrodes, settings, TISSUE, library=library)
        return calibrate(heart, ecgs, electrodes, settings, TISSUE, previous=first, library=library)

    orders, seeds, refused = [], [], 0
    for case in range(count):
        rng = np.random.default_rng([case, 62])
        truth = drawn_from_prior(heart, electrodes, rng)
        ecgs = [truth.ecg, recorded(truth.beat, rng)]
        try:
            one, other, again = both(ecgs, 1), both(ecgs[::-1], 1), both(ecgs, 2)
        except CardioTwinError:
            refused += 1
            continue
        orders.append(velocities_apart(one, other))
        seeds.append(velocities_apart(one, again))
    if not orders:
        yield row("two ECGs in either order: velocities apart", None, "sd", note=f"{refused} refused")
        return
    middle, noise = float(np.median(orders)), float(np.median(seeds))
    note = f"worst velocity, median of {len(orders)} hearts, {refused} refused; other seed, same order {noise:.2f}"
    yield row("two ECGs in either order: velocities apart", middle, "sd", 1.0, middle <= 1.0, listed(orders, note))


def velocities_apart(one: Posterior, other: Posterior) -> float:
    """Of the velocity that differs most, the means' distance in standard deviations within."""
    return max(apart([getattr(each, f"velocity_{name}") for each in (one, other)]) for name in NAMES)
