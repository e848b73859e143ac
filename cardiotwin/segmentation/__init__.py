"""From an image to labelled tissue."""

from cardiotwin.segmentation.automatic import segment
from cardiotwin.segmentation.labels import (
    BACKGROUND,
    BORDER_ZONE,
    CORE,
    LV_BLOOD,
    MYOCARDIUM,
    RV_BLOOD,
    Segmentation,
    SweepRow,
    from_label_map,
    relabel,
    sweep,
    volumes_ml,
)

__all__ = [
    "BACKGROUND",
    "BORDER_ZONE",
    "CORE",
    "LV_BLOOD",
    "MYOCARDIUM",
    "RV_BLOOD",
    "Segmentation",
    "SweepRow",
    "from_label_map",
    "relabel",
    "segment",
    "sweep",
    "volumes_ml",
]
