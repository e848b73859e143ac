"""Pictures of the heart for people: four views each, with a colour key, a scale and the patient's directions."""

from __future__ import annotations

from pathlib import Path

from cardiotwin.pictures.content import MOST_CIRCUITS, Picture, pictures
from cardiotwin.pictures.drawing import SIZE_PX, draw
from cardiotwin.pictures.ecg_paper import ECG_NAME, ecg_page, write_ecgs
from cardiotwin.pictures.film import circuit_film
from cardiotwin.pictures.short_axis import SLICES, slices
from cardiotwin.pictures.skin import Skin, outside
from cardiotwin.progress import Progress, silent
from cardiotwin.storage.durable import write_file
from cardiotwin.study import Study

__all__ = ["SIZE_PX", "SLICES", "Picture", "draw", "ecg_page", "film_name", "pictures", "write_ecgs", "write_pictures"]


def write_pictures(folder: Path | str, study: Study, progress: Progress = silent) -> tuple[tuple[Picture, Path], ...]:
    """Draw every picture into a folder of its own as PNG, films as WebP; other files of these kinds there are removed.

    Those of the heart are `SIZE_PX` wide and high. Each measured ECG is a page of its own, ``ecg_1.png`` the first.
    Each circuit that is drawn turns in a film, ``circuit_1_film.webp`` the first. Slices with their contours, where
    there is a segmentation, are ``slices.png``. Only pictures of the heart are returned.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(pictures(study))
    names = {f"{picture.name}.png" for picture in wanted} | {f"{ECG_NAME}_{k + 1}.png" for k in range(len(study.ecgs))}
    names |= {SLICES} if study.segmentation is not None else set()
    films = _films(study)
    for stale in {path.name for kind in ("*.png", "*.webp") for path in folder.glob(kind)} - names - set(films):
        (folder / stale).unlink()
    skin = outside(study.heart)
    written = []
    for done, picture in enumerate(wanted):
        progress(done / len(wanted), f"picture: {picture.title}")
        path = folder / f"{picture.name}.png"
        write_file(path, draw(study.heart, skin, picture))
        written.append((picture, path))
    _write_films(folder, study, skin, films)
    write_ecgs(folder, [(ecg, f"Measured ECG {k}") for k, ecg in enumerate(study.ecgs, start=1)])
    if study.segmentation is not None:
        write_file(folder / SLICES, slices(study.image, study.segmentation))
    progress(1.0, "pictures")
    return tuple(written)


def film_name(picture: str) -> str:
    """Of the film beside a picture of a circuit."""
    return f"{picture}_film.webp"


def _films(study: Study) -> tuple[str, ...]:
    count = len(study.circuits[:MOST_CIRCUITS])
    return tuple(film_name(f"circuit_{number}") for number in range(1, count + 1))


def _write_films(folder: Path, study: Study, skin: Skin, names: tuple[str, ...]) -> None:
    for name, (circuit, heart) in zip(names, study.circuits, strict=False):
        write_file(folder / name, circuit_film(heart, skin, circuit, study.preferred_lesions(heart)))
