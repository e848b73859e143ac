"""One HTML file that opens without a network, and the same facts for machines."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from cardiotwin.calibration.agreement import aligned
from cardiotwin.comparison import plan_results
from cardiotwin.ingest.plan_files import plan_text
from cardiotwin.pictures import SLICES, ecg_page, film_name, write_pictures
from cardiotwin.pictures.content import MOST_CIRCUITS, angle
from cardiotwin.pictures.in_torso import torso_picture
from cardiotwin.progress import Progress, part, silent
from cardiotwin.report import figures
from cardiotwin.report.facts import report_facts, strict_json
from cardiotwin.report.heart3d import heart_scene
from cardiotwin.report.inducibility import inducibility_bullseye
from cardiotwin.report.scar_map import scar_map
from cardiotwin.report.substrate import scar_methods
from cardiotwin.report.tachycardias import scored, tachycardias
from cardiotwin.segmentation import sweep
from cardiotwin.storage.durable import write_file
from cardiotwin.study import Study


def write_report(folder: Path | str, study: Study, progress: Progress = silent) -> Path:
    """Write `report.html`, `study.json`, the pictures, the plans, and `comparison.json` where plans were compared.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    study : Study
        Only the heart is needed; every other section says what it waits for.

    Returns
    -------
    Path
        Of `report.html`.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written; no file is half written.
    """
    folder = Path(folder)
    drawn = write_pictures(folder / "pictures", study, part(progress, 0.0, 0.7))
    progress(0.7, "report")
    facts = report_facts(study)
    write_file(folder / "study.json", _json(facts))
    if study.comparison is not None:
        write_file(folder / "comparison.json", _json(strict_json(asdict(study.comparison))))
    _write_plans(folder / "plans", study)
    pictures = [
        {
            "name": p.name,
            "title": p.title,
            "caption": p.caption,
            "image": _photograph(path.read_bytes()),
            "film": _film(path.with_name(film_name(p.name))),
        }
        for p, path in drawn
    ]
    page = _page(facts, pictures, _charts(study, facts, folder / "pictures"), heart_scene(study))
    write_file(folder / "report.html", page.encode())
    progress(1.0, "report")
    return folder / "report.html"


def _write_plans(folder: Path, study: Study) -> None:
    """Every plan as a file to read, edit and add under another name; files of plans that are no more go."""
    texts = {
        f"{slug}.toml": plan_text(plan)
        for slug, plan in zip(plan_results.file_names(study.plans), study.plans, strict=True)
        if plan.lesions
    }
    if texts:
        folder.mkdir(exist_ok=True)
    for stale in {path.name for path in folder.glob("*.toml")} - texts.keys():
        (folder / stale).unlink()
    for name, text in texts.items():
        write_file(folder / name, text.encode())


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _page(
    facts: dict[str, Any], pictures: list[dict[str, str]], charts: dict[str, str], scene: dict[str, Any] | None
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cardiotwin.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "percent": percent,
        "interval": interval,
        "volume": volume,
        "cavity": cavity,
        "words": words,
        "plain": plain,
        "angle": angle,
    }
    scripts = _scripts() if scene is not None else []
    return environment.get_template("report.html").render(
        **facts,
        pictures=pictures,
        charts=charts,
        css=_own("report.css"),
        scripts=scripts,
        policy=_policy(scripts),
        scene=_in_script(scene) if scene is not None else "",
    )


def _own(name: str) -> str:
    return files("cardiotwin.report").joinpath(name).read_text(encoding="utf-8")


def _scripts() -> list[str]:
    from plotly.offline import get_plotlyjs

    return [get_plotlyjs(), _own("heart3d.js")]


def _policy(scripts: list[str]) -> str:
    """Nothing from outside, and no script but ours, known by its hash: text that slips through escaping stays text.

    Plotly sets styles of its own, so styles may be inline.
    """
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    rules = ("default-src 'none'", "img-src data: blob:", "style-src 'unsafe-inline'", f"script-src {allowed}")
    return "; ".join((*rules, "form-action 'none'", "base-uri 'none'"))


def _in_script(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# ---------------------------------------------------------------------------------------------------------- charts


def _charts(study: Study, facts: dict[str, Any], drawn: Path) -> dict[str, str]:
    """Every chart the study allows, as a data address; `drawn`: the folder of `write_pictures`."""
    made: dict[str, str] = {}
    if study.segmentation is not None:
        made["slices"] = _photograph((drawn / SLICES).read_bytes())
        bright = scar_map(study.segmentation)
        if bright is not None:
            made["scar_map"] = _photograph(bright)
        rows = sweep(study.segmentation, study.settings.segment)
        if rows:
            made["scar_methods"] = _vector(scar_methods(rows))
    for number, seen in enumerate(tachycardias(study).seen[:MOST_CIRCUITS], start=1):
        made[f"tachycardia_{number}"] = _vector(figures.twelve_leads(seen.running(), figures.SIMULATED, 2.5, 3.6))
    if facts["inducibility_by_segment"]:
        made["inducibility"] = _vector(inducibility_bullseye(facts["inducibility_by_segment"]))
    compared = scored(study)
    if compared is not None and compared.best is not None:
        made["tachycardia_match"] = _vector(figures.tachycardia_match(compared.matches[compared.best]))
    if study.comparison is not None:
        made["plans"] = _vector(figures.plan_chart(study.comparison))
    if study.ecgs:
        made["measured_ecg"] = _photograph(ecg_page(study.ecgs[-1], "Measured ECG"))
    if study.electrodes is not None:
        made["electrodes"] = _photograph(torso_picture(study.heart, study.electrodes, study.settings.electrodes.rule))
    if study.posterior is not None:
        simulated = aligned(study.confirmation.ecg, study.posterior) if study.confirmation is not None else None
        made["ecg_fit"] = _vector(figures.ecg_fit(study.posterior, simulated))
        made["velocities"] = _vector(figures.velocity_chart(study.posterior, study.settings.calibrate))
    if study.ensemble_beat is not None and study.ensemble_beat.repolarisation is not None:
        made["t_wave"] = _vector(figures.t_wave_fit(study.ensemble_beat.repolarisation))
    if study.confirmation is not None and study.confirmation.ecg.mv.size:
        made["simulated_ecg"] = _vector(figures.twelve_leads(study.confirmation.ecg, figures.SIMULATED, 0.6, 3.6))
    return made


def _vector(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _photograph(png: bytes) -> str:
    """WebP: a fifth of the size of the PNG, which stays in its own file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(buffer, "WEBP", quality=86, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _film(path: Path) -> str:
    """As a data address; empty where the picture has none beside it."""
    return "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode("ascii") if path.exists() else ""


# --------------------------------------------------------------------------------------------------- words, numbers


def number(value: float | None, digits: int = 1) -> str:
    """Fixed digits, a true minus sign, and a dash for what is not known."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")


def percent(value: float | None, digits: int = 0) -> str:
    """A share as per cent, never a share above 0 as 0 or one below 1 as 100."""
    if value is None:
        return "–"
    if 0 < value < 0.5 * 10 ** (-2 - digits):
        return f"< {10**-digits:g} %"
    if 1 - 0.5 * 10 ** (-2 - digits) < value < 1:
        return f"> {100 - 10**-digits:g} %"
    return number(100 * value, digits) + " %"


def interval(bounds: dict[str, float], digits: int = 2) -> str:
    """Median and what holds 90 % of the weight."""
    return f"{number(bounds['median'], digits)} ({number(bounds['low'], digits)} to {number(bounds['high'], digits)})"


def volume(millilitres: float | None) -> str:
    return "–" if millilitres is None else plan_results.volume(millilitres)


def cavity(millilitres: float | None) -> str:
    """Of blood that may not have been drawn."""
    return "not drawn" if millilitres is None else f"{plan_results.volume(millilitres)} mL"


def plain(value: float | str | Sequence[float] | None) -> str:
    """Whole numbers as such, others with three digits, text as it is."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):  # a tuple that was stored comes back as a list
        return ", ".join(plain(one) for one in value)
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"


def words(name: str) -> str:
    """A name from the code for a reader: underscores to spaces."""
    return name.replace("_", " ")
