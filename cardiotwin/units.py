"""The coherent set mm, ms, mV, µA, mS, µF, and the only place where anything else is converted into it.

With these units no factor appears in any kernel: mS/mm x mV/mm² = µA/mm³ and µF/mm² x mV/ms = µA/mm².
"""

from __future__ import annotations

CHI_PER_MM = 140.0
"""Surface of membrane per volume of tissue, 1/mm (1400 /cm; Niederer et al. 2011, doi 10.1098/rsta.2011.0139)."""

C_M_UF_PER_MM2 = 0.01
"""Membrane capacitance, µF/mm² (1 µF/cm²)."""


def metres_per_second(value: float) -> float:
    """Speed in mm/ms; numerically the same as m/s."""
    return value


def siemens_per_metre(value: float) -> float:
    """Conductivity in mS/mm; numerically the same as S/m."""
    return value


def centimetres(value: float) -> float:
    """Length in mm."""
    return 10.0 * value


def microvolts(value: float) -> float:
    """Potential in mV."""
    return 1e-3 * value


def microamperes_per_cm3(value: float) -> float:
    """Volume current density in µA/mm³."""
    return 1e-3 * value


def cubic_mm_to_ml(value: float) -> float:
    """Volume in mL."""
    return 1e-3 * value
