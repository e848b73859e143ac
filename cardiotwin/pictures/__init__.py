"""Pictures of the heart for people: four views each, with a colour key, a scale and the patient's directions."""

from __future__ import annotations

from pathlib import Path

from cardiotwin.durable import write_file
from cardiotwin.pictures.content import Picture, pictures
from cardiotwin.pictures.drawing import SIZE_PX, draw
from cardiotwin.pictures.skin import outside
from cardiotwin.progress import Progress, silent
from cardiotwin.study import Study

__all__ = ["SIZE_PX", "Picture", "draw", "pictures", "write_pictures"]


def write_pictures(folder: Path | str, study: Study, progress: Progress = silent) -> tuple[tuple[Picture, Path], ...]:
    """Draw every picture into a folder of its own as PNG, `SIZE_PX` wide and high; other PNG files there are removed.

    Raises
    ------
    ResourceLimit
        The disk is full or cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(pictures(study))
    for stale in {path.name for path in folder.glob("*.png")} - {f"{picture.name}.png" for picture in wanted}:
        (folder / stale).unlink()
    skin = outside(study.heart)
    written = []
    for done, picture in enumerate(wanted):
        progress(done / len(wanted), f"picture: {picture.title}")
        path = folder / f"{picture.name}.png"
        write_file(path, draw(study.heart, skin, picture))
        written.append((picture, path))
    progress(1.0, "pictures")
    return tuple(written)
