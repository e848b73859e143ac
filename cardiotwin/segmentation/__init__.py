"""From an image to labelled tissue."""

from cardiotwin.segmentation.alignment import Alignment, aligned_slices, as_meshed
from cardiotwin.segmentation.automatic import segment
from cardiotwin.segmentation.cavities import Cavities, cavities
from cardiotwin.segmentation.corridors import Corridor, find_corridors
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
from cardiotwin.segmentation.refined import refined
from cardiotwin.segmentation.walls import left_wall, left_wall_ml, scar_of_left_ml

__all__ = [
    "BACKGROUND",
    "BORDER_ZONE",
    "CORE",
    "LV_BLOOD",
    "MYOCARDIUM",
    "RV_BLOOD",
    "Alignment",
    "Cavities",
    "Corridor",
    "FullWidthHalfMaximum",
    "OtsuDeviations",
    "PercentOfMaximum",
    "Scar",
    "Schmidt2007",
    "Segmentation",
    "StandardDeviations",
    "SweepRow",
    "aligned_slices",
    "as_meshed",
    "cavities",
    "delineated",
    "find_corridors",
    "from_label_map",
    "left_wall",
    "left_wall_ml",
    "refined",
    "relabel",
    "scar_of_left_ml",
    "segment",
    "sweep",
    "volumes_ml",
    "with_scar",
]
