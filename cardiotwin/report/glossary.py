"""What the numbers that segmentation and calibration leave behind mean, and what a good one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONFIDENCE = {
    "contrast": (
        "signal of blood less that of muscle, over their sum",
        "the more the better; below 0.15 is refused",
    ),
    "ring": (
        "share of the rays from the cavity that step down from bright blood to a dark wall",
        "1 is a whole ring; 0.75 is asked of the base, 0.45 of the apex",
    ),
    "smoothness": (
        "how little the inner contour jumps from ray to ray: 1 not at all, 0.6 by 1 mm",
        "0.9 or more",
    ),
    "slices_found": (
        "share of the slices that show the left ventricle",
        "no scale: a stack reaches beyond the heart",
    ),
    "slices": (
        "which slices show the left cavity, counted from 1 in the order of the stack, as above the pictures; at the "
        "apex, wall alone is added in one more",
        "compare with the contours above",
    ),
    "by_slice": (
        "probability that a slice's cavity and wall both overlap the truth by 0.7 (Dice), in the order of the stack; "
        "0 where nothing is drawn",
        "0.5 or more",
    ),
    "doubtful": ("slices below the confidence asked for, counted from 1", "none: correct them in a label map"),
    "right_ventricle": (
        "share of those slices in which right-ventricular blood was found",
        "1, or all but the most apical",
    ),
    "right_ventricle_doubtful": ("why the right ventricle drawn may be none", "not listed: its size is a heart's"),
    "noise_of_maximum": (
        "noise, as a share of the brightest myocardium, in which the thresholds are given too",
        "0.05 or less",
    ),
    "maximum_over_blood": (
        "brightest myocardium over blood, 1 at most",
        "about 1 where scar is dense; below 0.6 none is",
    ),
    "specks": (
        "bright islands of the wall that were left out, each below 150 mm3 (6 mm in one slice): too small to be scar",
        "small beside the scar: else look at the slices",
    ),
    "myocardium_bright": (
        "share of the wall above the lower threshold: border zone and core",
        "no scale: see the thresholds above",
    ),
    "remote_mean_of_maximum": (
        "signal of remote myocardium, found as the darkest third of the wall, as a share of the brightest",
        "0.3 or less: nulled",
    ),
    "remote_sd_of_maximum": ("its standard deviation, in which the n-SD methods count", "0.1 or less"),
    "remote_region": ("where it lies", "no scale: beside no scar"),
    "scar": ("whether scar can be seen", "late enhancement is needed"),
    "source": ("where the labels come from", "a label map is taken as it is"),
}
"""Name in `Segmentation.confidence` to what it is and what is good."""

CALIBRATION = {
    "recordings": ("ECGs that were fitted", "no scale"),
    "beats": ("beats averaged into the measured QRS", "5 or more"),
    "effective sample size": (
        "how many equally weighted members the last reweighting left, before they were moved apart again",
        "half the members or more",
    ),
    "distinct members": ("members that differ from each other", "all; below a fifth is refused"),
    "ancestors": (
        "first guesses from which all members descend",
        "20 or more: fewer, and the intervals rest on few guesses",
    ),
    "electrode placements": (
        "places of the electrodes, which nobody measured, that members of the ensemble hold",
        "few: the ECG says where they were; measured electrodes have one and no line here",
    ),
    "log evidence": (
        "logarithm of how likely this QRS was under all that was thought possible before it (of a further ECG: under "
        "what the earlier ones left)",
        "no scale: larger by 3 and more than with another scar threshold or border zone speaks for these",
    ),
    "log evidence, populations apart": ("how well that is known", "below 2"),
    "effective sample size, tissue": (
        "the same of the ensemble that is simulated, whose fibre velocity is the tissue's",
        "half of the members or more; fewer, and the tissue's fibre velocity hangs on few of them",
    ),
    "populations apart, velocities": (
        "how far two independent populations' means of the worst velocity lie apart, in standard deviations",
        "below 1; above 2 is refused as not converged",
    ),
    "populations apart, earliest site": (
        "the same of the place that fires first",
        "below 1; more, and there are several answers, of which each population found some",
    ),
    "populations apart, border zone": (
        "how far two independent populations of the sampler lie apart in the border zone's velocity, in standard "
        "deviations",
        "below 1",
    ),
    "chance of the new ECG": (
        "of a misfit as large as the new ECG's, under the ensemble that did not know it",
        "0.05 or more; below 0.01 something has changed",
    ),
    "tempering steps": (
        "steps in which the weight of the ECG was raised from none to full",
        "no scale: more where the ECG says more",
    ),
    "acceptance": (
        "share of the proposed moves of members that were taken at the end",
        "0.2 to 0.6; below 0.05 the members hardly moved",
    ),
    "independent numbers in the QRS": (
        "how many independent values the measured complex is worth",
        "more than the unknowns: the velocities, and place and time of each site",
    ),
    "measured QRS, ms": ("from the first to the last deflection, all leads", "70 to 110 in health"),
    "fitted QRS, ms": ("the same of the members, their median", "within 10 of the measured one"),
}
"""Name in `Posterior.notes` to what it is and what is good."""


def explained(values: Mapping[str, Any], glossary: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Each value with its meaning and what is good; both empty for a name that is not known."""
    rows = []
    for name, value in values.items():
        meaning, good = glossary.get(name, ("", ""))
        rows.append({"name": name, "value": value, "meaning": meaning, "good": good})
    return rows
