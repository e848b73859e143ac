"""Charts of the report: slices with contours, ECG fit, intervals. Each returns SVG or PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cardiotwin.calibration import Posterior
from cardiotwin.comparison import Comparison
from cardiotwin.ecg import LEADS, Ecg
from cardiotwin.imaging import Image
from cardiotwin.pictures.camera import direction_letters
from cardiotwin.pictures.content import one_line
from cardiotwin.pictures.convention import as_seen
from cardiotwin.plan_results import REFERENCE, in_order
from cardiotwin.report.agreement import Agreement, fitted_bands, fitted_correlation
from cardiotwin.segmentation import BORDER_ZONE, CORE, LV_BLOOD, MYOCARDIUM, RV_BLOOD, Segmentation
from cardiotwin.settings import CalibrateSettings

INK, QUIET, ACCENT = "#222222", "#8a8f98", "#1f5fa8"
MEASURED, FITTED, SIMULATED = "#222222", "#1f77b4", "#c0392b"
_CONTOURS = (
    ("left-ventricular cavity", (LV_BLOOD,), "#4aa3ff", 1.4),
    ("myocardium", (MYOCARDIUM, LV_BLOOD, BORDER_ZONE, CORE), "#ffffff", 1.2),
    ("right-ventricular cavity", (RV_BLOOD,), "#37c871", 1.4),
    ("border zone", (BORDER_ZONE, CORE), "#ffd23f", 1.3),
    ("scar core", (CORE,), "#d50000", 1.6),
)
"""Name, what the line encloses (first what it is named for), colour, width.

Any two 34 or more CIELAB units apart also without red or green; a lighter red was 18 from the green."""


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


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


# ---------------------------------------------------------------------------------------------------------- slices


def slices(image: Image | None, segmentation: Segmentation, at_most: int = 12) -> bytes:
    """PNG of slices in the order of the stack with every contour; labels alone where there is no image.

    They lie as radiologists see them, the right ventricle on the left.
    Where the segmentation was judged slice by slice, each has its confidence in a corner and as its frame's colour.
    """
    # Code order: background, left blood, healthy, right blood, core, border zone.
    volume = np.array([0.05, 0.75, 0.35, 0.7, 0.95, 0.6])[segmentation.labels]
    if image is not None and image.values.shape == segmentation.labels.shape:
        volume = image.values
    segmentation, (volume,) = as_seen(segmentation, volume)
    muscle = np.isin(segmentation.labels, (MYOCARDIUM, BORDER_ZONE, CORE))
    with_muscle = np.flatnonzero(muscle.any(axis=(1, 2)))
    shown = with_muscle[
        np.unique(np.linspace(0, len(with_muscle) - 1, min(at_most, len(with_muscle))).round().astype(int))
    ]
    window = _crop(muscle | np.isin(segmentation.labels, (LV_BLOOD, RV_BLOOD)))
    low, high = np.percentile(volume[shown][:, window[0], window[1]], (1, 99.7))
    figure = _figure(12, 3.15 * int(np.ceil(len(shown) / 4)) + 0.45)
    rows, columns = int(np.ceil(len(shown) / 4)), min(4, len(shown))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, number in zip(grid.flat, shown, strict=False):
        _slice(axes, volume[number][window], segmentation.labels[number][window], segmentation.affine, (low, high))
        axes.set_title(f"slice {number + 1} of {len(segmentation.labels)}", fontsize=10, color=INK, pad=3)
        _trust(axes, segmentation, number)
    _contour_key(figure, segmentation)
    told = []
    if image is not None and image.kind == "cine":
        told.append("first frame of the cine, taken as end-diastole")
    if len(shown) < len(with_muscle):
        told.append(f"{len(shown)} of {len(with_muscle)} slices with muscle shown, evenly spread")
    if told:
        figure.text(0.005, 0.997, "; ".join(told), fontsize=11, color=INK, va="top")
    figure.subplots_adjust(
        left=0.005, right=0.995, top=0.93 if rows > 1 else 0.9, bottom=0.16 / rows, wspace=0.03, hspace=0.12
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": "CardioTwin"})
    return buffer.getvalue()


def _trust(axes: Any, segmentation: Segmentation, number: int) -> None:
    """A frame from red, not to be trusted, over yellow to green, with the figure; nothing where nobody has judged."""
    judged = segmentation.confidence.get("by_slice")
    if not isinstance(judged, tuple):
        return
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    colour = colormaps["RdYlGn"](judged[number])
    style: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 10, "color": "white", "weight": "bold"}
    style["bbox"] = {"facecolor": "#101010", "edgecolor": "none", "pad": 2.5}  # fat is as bright as any colour
    axes.text(0.96, 0.97, f"{judged[number]:.2f}", transform=axes.transAxes, **style)
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=colour, lw=6, clip_on=False))


def _crop(mask: np.ndarray, margin: int = 8) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=(0, 2))), np.flatnonzero(mask.any(axis=(0, 1)))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + margin + 1),
        slice(max(0, columns[0] - margin), columns[-1] + margin + 1),
    )


def _slice(axes: Any, values: np.ndarray, labels: np.ndarray, affine: np.ndarray, window: tuple[float, float]) -> None:
    from matplotlib.patheffects import withStroke

    column_mm, row_mm = np.linalg.norm(affine[:3, 0]), np.linalg.norm(affine[:3, 1])
    halo = [withStroke(linewidth=2.2, foreground="#101010")]
    axes.imshow(
        values, cmap="gray", vmin=window[0], vmax=window[1], interpolation="bilinear", aspect=row_mm / column_mm
    )
    for _, codes, colour, width in _CONTOURS:
        mask = np.isin(labels, codes)
        if mask.any():
            axes.contour(mask, levels=[0.5], colors=[colour], linewidths=width).set_path_effects(halo)
    _directions(axes, values.shape, affine)


def _directions(axes: Any, shape: tuple[int, ...], affine: np.ndarray, *, on_paper: bool = False) -> None:
    """The patient's directions at the edges of a slice, and a scale."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground="white" if on_paper else "#101010")]
    letters, scale = ("#30507a", INK) if on_paper else ("#ffd966", "white")
    column_mm, row_mm = np.linalg.norm(affine[:3, 0]), np.linalg.norm(affine[:3, 1])
    right, down = affine[:3, 0] / column_mm, affine[:3, 1] / row_mm
    for x, y, direction in (
        (0.94, 0.5, right), (0.06, 0.5, -right), (0.5, 0.05, down), (0.5, 0.95, -down),
    ):  # fmt: skip
        style = {"ha": "center", "va": "center", "fontsize": 9, "color": letters, "weight": "bold"}
        axes.text(x, y, direction_letters(direction), transform=axes.transAxes, **style).set_path_effects(halo)
    end, height = shape[1] - 3, shape[0] - 3
    axes.plot([end - 20 / column_mm, end], [height] * 2, color=scale, lw=2.5)
    axes.text(end, height - 2, "20 mm", ha="right", va="bottom", fontsize=9, color=scale).set_path_effects(halo)


def _contour_key(figure: Any, segmentation: Segmentation, contours: Sequence[Any] = _CONTOURS) -> None:
    from matplotlib.lines import Line2D

    present = [entry for entry in contours if np.isin(segmentation.labels, entry[1][:1]).any()]
    lines = [Line2D([], [], color=c, lw=2.4, label=name) for name, _, c, _ in present]
    if not lines:
        return
    # On black, as in the slices: a white line on paper would have to be another colour.
    box = {"facecolor": "#101010", "labelcolor": "white", "framealpha": 1.0, "edgecolor": "#101010"}
    figure.legend(handles=lines, loc="lower center", ncols=len(lines), fontsize=10, **box)


# ------------------------------------------------------------------------------------------------------------- ECG


def ecg_fit(posterior: Posterior, simulated: Agreement | None) -> bytes:
    """Measured QRS of every lead against the ensemble, and the confirming run where it has been made comparable.

    Above each lead r, the correlation with the measured QRS of the lines drawn: the ensemble's median and the run.
    """
    columns = 4
    rows = int(np.ceil(len(posterior.leads) / columns))
    figure = _figure(11, 2.0 * rows + 0.6)
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
    figure = _figure(11, float(np.clip(11 / (4 * length / 0.2) * (3 * 2 * reach / 0.5), 3.2, tallest)))
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
    figure = _figure(8.6, 0.5 * len(plans) + 0.85)
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
    figure = _figure(8.6, 0.55 * len(rows) + 0.75)
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
