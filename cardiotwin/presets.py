"""Ready-made settings, and `twin.toml` as a text that explains itself."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic.fields import FieldInfo

from cardiotwin.settings import Section, Settings

Preset = Literal["default", "demo", "full"]

_OVERRIDES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {},
    # Two cores, ten minutes, set-up included: a coarse mesh with velocities tuned on it, a two-variable cell model, few
    # sites and draws, one border-zone profile. Such a model has no sodium current to inactivate where tissue is held
    # depolarised, so a wave waits at the mouth of a corridor instead of being blocked; the demo's border zone is
    # refractory for longer than any real one to make up for it.
    "demo": {
        "mesh": {"edge_mm": 1.5},
        "tissue": {"cell_model": "modified_mitchell_schaeffer", "tau_close_ms": 80.0, "border_zone_apd_factor": 2.0},
        "calibrate": {"edge_mm": 2.0, "n_sites": 4, "n_particles": 96, "n_moves": 3, "fast_endocardium": False},
        "simulate": {"dt_ms": 0.1, "site_radius_mm": 5.0},
        "induce": {
            "cell_model": "modified_mitchell_schaeffer",
            "border_zone_profiles": ["structural_and_ionic"],
            "dt_ms": 0.1,
            "n_sites": 2,
            "sites_near_scar_mm": 20.0,
            "electrode_radius_mm": 5.0,
            "n_draws": 4,
            "s1_beats": 2,
            "s1_cycle_length_ms": 500.0,
            "s2_first_ms": 280.0,
            "s2_step_ms": 20.0,
            "extra_stimuli": 1,
            "watch_ms": 1500.0,
        },
    },
    # A night on a workstation: 0.4 mm is where human twins are run (Geno-DT), the protocol of Arevalo 2016.
    "full": {
        "mesh": {"edge_mm": 0.4},
        "calibrate": {"edge_mm": 1.5, "n_sites": 7, "n_particles": 512},
        "induce": {"protocol": "arevalo_2016", "n_draws": 10, "watch_ms": 2000.0},
    },
}

_UNITS = {"_m_per_s": "m/s", "_deg": "degrees", "_ms": "ms", "_mm": "mm", "_ml": "mL", "_s": "s", "_threshold": "1"}
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def preset(name: Preset) -> Settings:
    """The settings of a preset."""
    return Settings.model_validate(_OVERRIDES[name])


@dataclass(frozen=True)
class Key:
    """One setting: where it is, what it is now, and what it may be."""

    section: str
    name: str
    value: Any
    default: Any
    unit: str
    range: str
    note: str


def keys(settings: Settings) -> Iterator[Key]:
    """Every setting, in the order of `twin.toml`."""
    for section in type(settings).model_fields:
        part: Section = getattr(settings, section)
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            yield Key(section, name, value, field.default, _unit(name, field), _range(field), field.description or "")


def settings_text(settings: Settings, title: str) -> str:
    """A complete, commented `twin.toml`."""
    lines = [f"# {line}" for line in title.splitlines()]
    section = ""
    for key in keys(settings):
        if key.section != section:
            section = key.section
            about = inspect.cleandoc(type(getattr(settings, section)).__doc__ or "")
            lines += ["", *(f"# {line}" for line in about.splitlines()), f"[{section}]"]
        comment = "; ".join(part for part in (key.unit, key.range, key.note) if part)
        lines.append(f"{key.name} = {toml(key.value)}" + (f"  # {comment}" if comment else ""))
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A setting's value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value)


def _unit(name: str, field: FieldInfo) -> str:
    if field.annotation in (bool, str) or typing.get_origin(field.annotation) is Literal:
        return ""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def _range(field: FieldInfo) -> str:
    """What a setting may be, in a few words."""
    if choices := _choices(field.annotation):
        return (
            "one of " + ", ".join(choices)
            if typing.get_origin(field.annotation) is Literal
            else "of " + ", ".join(choices)
        )
    bounds = (
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in _BOUNDS.items()
        if hasattr(limit, name)
    )
    return ", ".join(bounds)


def _choices(annotation: Any) -> tuple[str, ...]:
    if typing.get_origin(annotation) is Literal:
        return tuple(map(str, typing.get_args(annotation)))
    if typing.get_origin(annotation) in (tuple, typing.Union, types.UnionType):
        return tuple(choice for part in typing.get_args(annotation) for choice in _choices(part))
    return ()
