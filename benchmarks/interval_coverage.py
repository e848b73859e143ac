"""Do nine in ten of the 90 % intervals hold the truth? Simulation-based calibration on a small heart, its truth drawn
from the prior (Cook, Gelman & Rubin 2006, doi 10.1198/106186006X136976).

All cases share heart, electrodes and settings, so that the table of sites is made once. Shown by
`benchmarks/calibration.py`, in groups ``coverage`` and ``leads``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from cases import computed
from drawn_patients import TISSUE, recorded
from scipy.ndimage import gaussian_filter1d
from table import Row, row

from cardiotwin.calibration.fit import calibrate, calibration_ranges, sites_of
from cardiotwin.calibration.qrs_prior import velocities_drawn
from cardiotwin.calibration.site_library import SiteLibrary
from cardiotwin.ecg.electrodes import Electrodes, default_electrodes
from cardiotwin.ecg.forward import eikonal_ecg, electrode_weights
from cardiotwin.ecg.recording import INDEPENDENT_LEADS, Ecg, leads_from_electrodes
from cardiotwin.eikonal import conducting_tets, prepare, solve
from cardiotwin.errors import CardioTwinError
from cardiotwin.heart.heart import LV_ENDOCARDIUM, RV_ENDOCARDIUM, Heart
from cardiotwin.phantom.anatomy import make_anatomy
from cardiotwin.phantom.physiology import true_heart
from cardiotwin.settings import CalibrateSettings
from cardiotwin.tissue.tissue import Velocities

SMALL = CalibrateSettings(edge_mm=3.0, n_particles=64, n_candidates=40, n_sites=3, latest_site_ms=12.0)
FEATURE_MS, DISCREPANCY = 4.0, 0.05
"""How long an error of the model lasts and how large it is, of the mean amplitude, on average."""
NAMES = ("fibre", "cross", "endocardium")
LOST = 0.4
"""Of the eight independent leads. Five of the twelve lost at random would leave 5.5 of the eight: any two limb leads
give the other four."""


def small_heart(core_width_mm: float = 0.0, core_angle_deg: float = 0.0) -> Heart:
    """A phantom at seven tenths of its size, 3 mm edges: a calibration takes seconds. Its core is dense, or none."""
    whole = replace(make_anatomy(0), core_angle_deg=core_angle_deg, border_zone_mm=0.0, corridor_width_mm=0.0)
    if core_width_mm:
        whole = replace(whole, core_width_mm=core_width_mm)
    else:
        whole = replace(whole, core_width_mm=0.01, core_corner_mm=0.001)
    lengths = [name for name in whole.__dataclass_fields__ if name.startswith(("lv_", "rv_", "fillet"))]
    sizes = {name: 0.7 * getattr(whole, name) for name in lengths} | {"rv_wall_mm": 3.0, "lv_wall_mm": 8.0}
    return true_heart(replace(whole, **sizes), SMALL.edge_mm)


@dataclass(frozen=True, eq=False)
class Truth:
    """Velocities, nodes that fire and when, (n_nodes,) activation (infinite in scar), ms, and the ECG of it."""

    velocities: Velocities
    sites: np.ndarray
    site_times_ms: np.ndarray
    activation_ms: np.ndarray
    beat: Ecg
    ecg: Ecg


def repolarised(activation_ms: np.ndarray) -> np.ndarray:
    """(n_nodes,) ms: what is activated late recovers soon."""
    return 300.0 + 0.7 * activation_ms


def drawn_from_prior(heart: Heart, electrodes: Electrodes, rng: np.random.Generator) -> Truth:
    """Velocities, sites and times from the prior of the calibration, and an ECG with an error of the stated kind."""
    speed = velocities_drawn(calibration_ranges(SMALL), SMALL.velocity_fibre_prior_m_per_s, 1, rng)[0]
    velocities, conducting = Velocities(*map(float, speed)), conducting_tets(heart)
    endocardium = heart.surface_nodes(LV_ENDOCARDIUM, RV_ENDOCARDIUM)
    sites = rng.choice(np.intersect1d(endocardium, heart.mesh.tets[conducting]), SMALL.n_sites)
    onsets = rng.uniform(0.0, SMALL.latest_site_ms, SMALL.n_sites)
    onsets -= onsets.min()
    times = solve(prepare(heart, TISSUE), [velocities], sites[None], onsets[None])[0]
    sigma = np.tile([speed[0] ** 2, speed[1] ** 2, speed[1] ** 2], (len(heart.mesh.tets), 1))
    weights = electrode_weights(heart, electrodes, sigma, conducting)
    clean = eikonal_ecg(electrodes.names, weights, times, duration_ms=450.0, repolarisation_ms=repolarised(times))
    # A scale drawn as the likelihood integrates it out: inverse gamma of shape one.
    size = DISCREPANCY / np.sqrt(rng.exponential())
    wave = gaussian_filter1d(rng.standard_normal((len(electrodes.names), 450)), FEATURE_MS, axis=1)
    wave -= wave.mean(axis=1, keepdims=True)
    error = leads_from_electrodes(electrodes.names, wave / wave.std(), 1000.0).mv
    error *= size * np.abs(clean.mv).max(axis=1).mean() / error.std()
    last = times[np.isfinite(times)].max()
    error *= np.exp(-0.5 * (np.maximum(np.arange(450) - last, 0.0) / 10.0) ** 2)
    ecg = recorded(Ecg(clean.leads, clean.mv + error, 1000.0), rng)
    return Truth(velocities, sites, onsets, times, clean, ecg)


def without_leads(ecg: Ecg, share: float, rng: np.random.Generator) -> Ecg:
    """What is left of the eight independent leads when this share of them is lost, on average; nothing lost: all."""
    if not share:
        return ecg
    lost = share * len(INDEPENDENT_LEADS)
    whole = int(lost) + int(rng.random() < lost % 1.0)
    kept = np.sort(rng.permutation(len(INDEPENDENT_LEADS))[whole:])
    leads = tuple(INDEPENDENT_LEADS[k] for k in kept)
    return Ecg(leads, ecg.mv[[ecg.leads.index(lead) for lead in leads]], ecg.hz)


@dataclass(frozen=True, eq=False)
class Case:
    """(3,) true velocities and (3, 2) ends of their 90 % intervals, mm/ms; NaN where the calibration was refused."""

    true: np.ndarray
    interval: np.ndarray
    n_leads: int
    processor_s: float

    @property
    def refused(self) -> bool:
        return bool(np.isnan(self.interval).any())


@dataclass(frozen=True, eq=False)
class Alike:
    """What all cases share."""

    heart: Heart
    electrodes: Electrodes
    library: SiteLibrary
    share_lost: float


def case(alike: Alike, number: int) -> Case:
    """A drawn truth and what its ECG, with a share of the independent leads lost, says of it."""
    rng = np.random.default_rng([number, 31])
    drawn = drawn_from_prior(alike.heart, alike.electrodes, rng)
    ecg = without_leads(drawn.ecg, alike.share_lost, rng)
    settings, start = SMALL.model_copy(update={"seed": number}), time.process_time()
    interval = np.full((len(NAMES), 2), np.nan)
    with suppress(CardioTwinError):
        posterior = calibrate(alike.heart, [ecg], alike.electrodes, settings, TISSUE, library=alike.library)
        every = [posterior.interval(getattr(posterior, f"velocity_{one}")) for one in NAMES]
        interval = np.array(every)[:, [0, 2]]
    true = np.array([getattr(drawn.velocities, one) for one in NAMES])
    n_leads = len(set(ecg.leads) & set(INDEPENDENT_LEADS))
    return Case(true, interval, n_leads, time.process_time() - start)


def cases(count: int, share: float, name: str) -> list[Case]:
    """The first so many, with a share of the independent leads lost."""
    heart = small_heart()
    electrodes = replace(default_electrodes(heart), measured=True)
    alike = Alike(heart, electrodes, sites_of(heart, SMALL, TISSUE), share)
    return computed(name.replace(" ", "_"), case, alike, {f"{one:03d}": one for one in range(count)}, Case)


def coverage_rows(count: int = 200, *, share: float = 0.0, name: str = "coverage") -> Iterable[Row]:
    """How many of the 90 % intervals hold the truth; `share` of the independent leads are lost at random."""
    return summary(cases(count, share, name), share, name)


def summary(every: list[Case], share: float, name: str) -> Iterable[Row]:
    """A row for each velocity."""
    told = [one for one in every if not one.refused]
    if not told:
        yield row(
            f"{name}: velocities in their 90 % interval", None, "1", 0.85, False, f"{len(every)} cases, all refused"
        )
        return
    low, high = np.moveaxis(np.array([one.interval for one in told]), 2, 0)
    true = np.array([one.true for one in told])
    below, above, wide = (high < true).mean(axis=0), (low > true).mean(axis=0), (high - low).mean(axis=0)
    leads = np.mean([one.n_leads for one in every])
    for k, one in enumerate(NAMES):
        note = (
            f"{len(told)} cases, {len(every) - len(told)} refused, {leads:.1f} of 8 independent leads; mean width "
            f"{wide[k]:.2f} m/s; interval too low {below[k]:.0%}, too high {above[k]:.0%}"
        )
        inside = 1.0 - below[k] - above[k]
        ok = inside >= 0.85 and (share > 0.0 or inside <= 0.95)
        note += "" if share else "; asked 0.95 at most"
        yield row(f"{name}: {one} velocity in its 90 % interval", inside, "1", 0.85, ok, note)
    seconds = [one.processor_s for one in every]
    yield row(f"{name}: processor time of a case", float(np.median(seconds)), "s", note="the table of sites apart")


def lost_lead_rows(count: int = 200) -> Iterable[Row]:
    """The same with 40 % of the independent leads removed."""
    return coverage_rows(count, share=LOST, name="leads lost")
