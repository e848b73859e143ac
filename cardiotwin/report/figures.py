"""Charts of the report: ECG fit, intervals. Each returns SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cardiotwin.calibration.agreement import Agreement, correlation
from cardiotwin.calibration.posterior import Posterior
from cardiotwin.calibration.repolarisation import Repolarisation
from cardiotwin.comparison.plan_results import REFERENCE, in_order
from cardiotwin.comparison.results import Comparison
from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.induction.clinical_tachycardia import Match
from cardiotwin.pictures.content import INK, one_line
from cardiotwin.pictures.short_axis import new_figure
from cardiotwin.report.agreement import fitted_bands, fitted_correlation
from cardiotwin.settings import CalibrateSettings

QUIET, ACCENT = "#8a8f98", "#1f5fa8"
MEASURED, FITTED, SIMULATED = "#222222", "#1f77b4", "#c0392b"


def _svg(figure: Any) -> bytes:
    """Vector: small, and sharp in print. Text becomes paths so that it looks the same without the font."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # A fixed salt and no date: the same study gives the same bytes.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "cardiotwin"}):
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight", pad_inches=0.05
        )
    return buffer.getvalue()


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
    axes.tick_params(labelsize=9, colors=INK)


# ------------------------------------------------------------------------------------------------------------- ECG


def ecg_fit(posterior: Posterior, simulated: Agreement | None) -> bytes:
    """Measured QRS of every lead against the ensemble, and the confirming run where it has been made comparable.

    Above each lead r, the correlation with the measured QRS of the lines drawn: the ensemble's median and the run.
    """
    columns = 4
    rows = int(np.ceil(len(posterior.leads) / columns))
    figure = new_figure(11, 2.0 * rows + 0.6)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    low, middle, high = fitted_bands(posterior)
    fitted = fitted_correlation(posterior)
    for k, axes in enumerate(grid.flat):
        _plain(axes)
        if k >= len(posterior.leads):
            axes.set_axis_off()
            continue
        lead = posterior.leads[k]
        axes.axhline(0, color="#dddddd", lw=0.8)
        axes.fill_between(posterior.qrs_ms, low[k], high[k], color=FITTED, alpha=0.28, lw=0, label="ensemble, 90 %")
        axes.plot(posterior.qrs_ms, middle[k], color=FITTED, lw=1.3, label="ensemble, median")
        if simulated is not None:
            axes.plot(
                posterior.qrs_ms,
                simulated.leads[k],
                color=SIMULATED,
                lw=1.2,
                ls="--",
                label="confirming monodomain run",
            )
        axes.plot(posterior.qrs_ms, posterior.measured[k], color=MEASURED, lw=1.5, label="measured")
        shown = f"{lead}   r = {fitted[lead]:.2f}" + (f", run {simulated.each[lead]:.2f}" if simulated else "")
        axes.set_title(shown, fontsize=10, color=INK, loc="left")
        if k // columns == rows - 1:
            axes.set_xlabel("ms from QRS onset", fontsize=9, color=INK)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.subplots_adjust(left=0.045, right=0.995, hspace=0.35, wspace=0.1, top=0.87, bottom=0.12)
    figure.legend(handles, labels, loc="upper center", ncols=len(labels), fontsize=10, frameon=False)
    return _svg(figure)


def t_wave_fit(found: Repolarisation) -> bytes:
    """The part of the beat after the QRS complex of every lead, against what draws of the ensemble make of it."""
    columns = 4
    rows = int(np.ceil(len(found.leads) / columns))
    figure = new_figure(11, 1.7 * rows + 0.6)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    low, middle, high = np.quantile(found.fitted, (0.05, 0.5, 0.95), axis=0)
    for k, axes in enumerate(grid.flat):
        _plain(axes)
        if k >= len(found.leads):
            axes.set_axis_off()
            continue
        axes.axhline(0, color="#dddddd", lw=0.8)
        axes.fill_between(found.t_ms, low[k], high[k], color=FITTED, alpha=0.28, lw=0, label="ensemble, 90 %")
        axes.plot(found.t_ms, middle[k], color=FITTED, lw=1.3, label="ensemble, median")
        axes.plot(found.t_ms, found.measured[k], color=MEASURED, lw=1.5, label="measured")
        r = correlation(middle[k], found.measured[k])
        axes.set_title(f"{found.leads[k]}   r = {r:.2f}", fontsize=10, color=INK, loc="left")
        if k // columns == rows - 1:
            axes.set_xlabel("ms from QRS onset", fontsize=9, color=INK)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.subplots_adjust(left=0.045, right=0.995, hspace=0.4, wspace=0.1, top=0.86, bottom=0.14)
    figure.legend(handles, labels, loc="upper center", ncols=len(labels), fontsize=10, frameon=False)
    return _svg(figure)


def tachycardia_match(found: Match) -> bytes:
    """One turn of every lead, simulated over measured, each scaled by its own standard deviation."""
    columns, leads = 4, list(found.each)
    rows = int(np.ceil(len(leads) / columns))
    figure = new_figure(11, 1.6 * rows + 0.6)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    turn = np.arange(found.measured.shape[1]) / found.measured.shape[1]
    for k, axes in enumerate(grid.flat):
        _plain(axes)
        if k >= len(leads):
            axes.set_axis_off()
            continue
        axes.axhline(0, color="#dddddd", lw=0.8)
        axes.plot(turn, found.measured[k], color=MEASURED, lw=2.4, label="measured")
        axes.plot(turn, found.simulated[k], color=SIMULATED, lw=1.3, label="simulated")
        axes.set_yticks([])
        axes.set_title(f"{leads[k]}   r = {found.each[leads[k]]:.2f}", fontsize=10, color=INK, loc="left")
        if k + columns >= len(leads):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("share of the cycle, from the exit", fontsize=9, color=INK)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.subplots_adjust(left=0.02, right=0.995, hspace=0.4, wspace=0.08, top=0.86, bottom=0.13)
    figure.legend(handles, labels, loc="upper center", ncols=len(labels), fontsize=10, frameon=False)
    return _svg(figure)


def twelve_leads(ecg: Ecg, colour: str = INK, seconds: float = 2.5, tallest: float = 6.0) -> bytes:
    """The usual page, three rows of four leads; 25 mm/s to 10 mm/mV unless that makes it too tall (inches)."""
    columns = [("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6")]
    count = min(ecg.mv.shape[1], int(seconds * ecg.hz))
    time = np.arange(count) / ecg.hz
    traces = {
        lead: ecg.mv[k, :count] - np.nanmedian(ecg.mv[k, :count]) for k, lead in enumerate(ecg.leads) if lead in LEADS
    }
    reach = max(0.5, 1.08 * max(float(np.nanmax(np.abs(trace))) for trace in traces.values()))
    reach = 0.5 * np.ceil(reach / 0.5)
    length = float(time[-1])
    figure = new_figure(11, float(np.clip(11 / (4 * length / 0.2) * (3 * 2 * reach / 0.5), 3.2, tallest)))
    grid = figure.subplots(3, 4, sharex=True, sharey=True)
    for j, column in enumerate(columns):
        for i, lead in enumerate(column):
            axes = grid[i, j]
            _paper(axes, length, reach)
            if lead in traces:
                axes.plot(time, traces[lead], color=colour, lw=0.9)
            axes.text(0.02, 0.95, lead, transform=axes.transAxes, fontsize=10, weight="bold", va="top", color=INK)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.01, hspace=0.0, wspace=0.0)
    return _svg(figure)


def _paper(axes: Any, seconds: float, millivolts: float) -> None:
    """Squares of 0.2 s and 0.5 mV."""
    axes.set_xlim(0, seconds)
    axes.set_ylim(-millivolts, millivolts)
    axes.set_xticks(np.arange(0, seconds, 0.2))
    axes.set_yticks(np.arange(-millivolts, millivolts + 1e-9, 0.5))
    axes.grid(color="#f2c9c9", lw=0.6)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_color("#e3b4b4")


# ------------------------------------------------------------------------------------------------------- intervals


def plan_chart(comparison: Comparison) -> bytes:
    """Residual inducibility of every plan with its 90 % interval, best on top; no ablation apart, below a line."""
    plans = in_order(comparison.plans)
    figure = new_figure(8.6, 0.5 * len(plans) + 0.85)
    axes = figure.add_axes((0.3, 0.28, 0.66, 0.68))
    rows = [row + 0.35 * (plan.name == REFERENCE) for row, plan in enumerate(plans)]
    for row, plan in zip(rows, plans, strict=True):
        if plan.name == REFERENCE:
            axes.axhline(row - 0.68, color=QUIET, lw=0.8)
        colour = QUIET if plan.control else ACCENT
        low, high = plan.inducibility_interval
        axes.plot([100 * low, 100 * high], [row, row], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        share = plan.inducible / plan.tested if plan.tested else np.nan
        axes.plot(100 * share, row, "o", color=colour, ms=8)
    kinds = {True: " (reference)", False: " (control)"}
    names = [
        one_line(plan.name, 34).replace("$", r"\$") + (kinds[plan.name == REFERENCE] if plan.control else "")
        for plan in plans
    ]
    axes.set_yticks(rows, names, fontsize=10, color=INK)
    axes.set_ylim(rows[-1] + 0.6, -0.6)
    axes.set_xlim(-1, 101)
    axes.set_xlabel("still inducible, % of combinations (bar: 90 % interval)", fontsize=10, color=INK)
    axes.grid(axis="x", color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    _plain(axes)
    return _svg(figure)


def velocity_chart(posterior: Posterior, settings: CalibrateSettings) -> bytes:
    """Posterior of each velocity inside the range that was allowed: what the ECG has taught."""
    rows: list[tuple[str, np.ndarray, Sequence[float]]] = [
        ("along the fibres", posterior.velocity_fibre, settings.velocity_fibre_m_per_s),
        ("across the fibres", posterior.velocity_cross, settings.velocity_cross_m_per_s),
        ("endocardial layer", posterior.velocity_endocardium, settings.velocity_endocardium_m_per_s),
    ]
    rows = [row for row in rows if np.isfinite(row[1]).all()]
    figure = new_figure(8.6, 0.55 * len(rows) + 0.75)
    axes = figure.add_axes((0.2, 0.32, 0.76, 0.64))
    for k, (_, values, allowed) in enumerate(rows):
        low, middle, high = posterior.interval(values)
        axes.plot(allowed, [k, k], color="#d9d9d9", lw=10, solid_capstyle="butt", label="allowed" if k == 0 else None)
        axes.plot(
            [low, high],
            [k, k],
            color=FITTED,
            lw=5,
            alpha=0.6,
            solid_capstyle="butt",
            label="90 % interval" if k == 0 else None,
        )
        axes.plot(middle, k, "o", color=INK, ms=6, label="median" if k == 0 else None)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=10, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("conduction velocity, m/s", fontsize=10, color=INK)
    axes.legend(fontsize=9, frameon=False, loc="lower right", ncols=3, bbox_to_anchor=(1, 0.98))
    _plain(axes)
    return _svg(figure)
