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
    delineated,
    from_label_map,
    relabel,
    sweep,
    volumes_ml,
    with_scar,
)
from cardiotwin.segmentation.methods import (
    FullWidthHalfMaximum,
    OtsuDeviations,
    PercentOfMaximum,
    Scar,
    Schmidt2007,
    StandardDeviations,
)

__all__ = [
    "BACKGROUND",
    "BORDER_ZONE",
    "CORE",
    "LV_BLOOD",
    "MYOCARDIUM",
    "RV_BLOOD",
    "FullWidthHalfMaximum",
    "OtsuDeviations",
    "PercentOfMaximum",
    "Scar",
    "Schmidt2007",
    "Segmentation",
    "StandardDeviations",
    "SweepRow",
    "delineated",
    "from_label_map",
    "relabel",
    "segment",
    "sweep",
    "volumes_ml",
    "with_scar",
]
