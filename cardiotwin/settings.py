"""What the user decided: every number with its unit in its name, its range checked, unknown keys refused."""

from __future__ import annotations

import math
import re
import tomllib
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cardiotwin.errors import SettingsError
from cardiotwin.toml_words import syntax_words, value_words

LEAST_STATURE_MM = 1200.0
"""That the torso bears: it is an adult's."""
CellModel = Literal["mitchell_schaeffer", "modified_mitchell_schaeffer", "ten_tusscher_2006", "tor_ord_2019"]
"""What a heart can be made of."""


class Section(BaseModel):
    """One stage's settings: frozen, and deaf to nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_threshold_pairs(pairs: tuple[tuple[float, float], ...]) -> None:
    for low, high in pairs:
        if not 0 < low < high < 1:
            raise ValueError(f"scar_thresholds: pair {low:g}, {high:g}; expected 0 < border zone < core < 1")
    if len(set(pairs)) < len(pairs):
        raise ValueError("scar_thresholds: found a pair twice, expected each once")


class SegmentSettings(Section):
    """Thresholds are fractions of the brightest myocardial signal; the consensus is 40 % and 60 %."""

    method: str = Field("automatic", min_length=1, description="or the name of an installed plug-in, a trained model")
    allow_mirrored: bool = Field(False, description="take an image whose heart lies or winds as in a mirror")
    scar_method: Literal["percent_of_maximum", "fwhm", "n_sd", "otsu_sd", "schmidt_2007"] = Field(
        "percent_of_maximum", description="how core and border zone are told apart; the report shows all of them"
    )
    border_zone_threshold: float = Field(0.40, gt=0, lt=1)
    core_threshold: float = Field(0.60, gt=0, lt=1)
    core_sd: float = Field(5.0, ge=1, le=10, description="method n_sd: core above remote by so many deviations")
    border_zone_sd: float = Field(2.0, ge=0, le=10, description="method n_sd: the same for border zone; 0: none")
    sweep: tuple[tuple[float, float], ...] = ((0.35, 0.65), (0.40, 0.60), (0.45, 0.55), (0.30, 0.70))
    least_confidence: float = Field(0.5, ge=0, le=1, description="a slice below it is doubtful; 0: none ever is")
    doubtful_allowed: float = Field(0.9, ge=0, le=1, description="share of doubtful slices beyond which it is refused")
    rv_wall_mm: float = Field(
        3.0, ge=1, le=10, description="of the right free wall, drawn by rule: at two pixels it cannot be seen"
    )

    @model_validator(mode="after")
    def _ordered(self) -> SegmentSettings:
        if self.border_zone_threshold >= self.core_threshold:
            raise ValueError(
                f"border_zone_threshold {self.border_zone_threshold:g} must lie below "
                f"core_threshold {self.core_threshold:g}"
            )
        if self.border_zone_sd >= self.core_sd:
            raise ValueError(f"border_zone_sd {self.border_zone_sd:g} must lie below core_sd {self.core_sd:g}")
        for low, high in self.sweep:
            if not 0 < low < high < 1:
                raise ValueError(f"sweep: pair {low:g}, {high:g}; expected 0 < border zone < core < 1")
        return self


class LabelSettings(Section):
    """Which code or segment name of a label map is which region: myocardium = [2, "Septum"]. All empty: guessed."""

    lv_blood: tuple[int | str, ...] = ()
    myocardium: tuple[int | str, ...] = ()
    rv_blood: tuple[int | str, ...] = ()
    core: tuple[int | str, ...] = ()
    border_zone: tuple[int | str, ...] = ()
    background: tuple[int | str, ...] = Field((), description="labels to leave out, also of a guess; 0 always is")

    @field_validator("*", mode="before")
    @classmethod
    def _one_is_a_list(cls, entries: Any) -> Any:
        """``lv_blood = 3`` can only mean ``[3]``."""
        return [entries] if isinstance(entries, int | str) and not isinstance(entries, bool) else entries

    @model_validator(mode="after")
    def _each_once(self) -> LabelSettings:
        entries = [str(entry).strip().casefold() for part in self.told().values() for entry in part]
        twice = next((entry for entry in entries if entries.count(entry) > 1), None)
        if twice is not None:
            raise ValueError(f"found {twice!r} in two places, expected every label in one region")
        if entries and self.told().keys() != {"background"} and not (self.lv_blood and self.myocardium):
            raise ValueError(
                "found no label for lv_blood or for myocardium; expected both, no label at all, or background alone, "
                "which leaves labels out of a guessed coding"
            )
        return self

    def told(self) -> dict[str, tuple[int | str, ...]]:
        """Region to labels, for those that are given."""
        return {region: getattr(self, region) for region in type(self).model_fields if getattr(self, region)}


class MeshSettings(Section):
    """Angles in degrees from the circumferential direction, rule-based fibres after Bayer et al. 2012."""

    edge_mm: float = Field(1.0, ge=0.2, le=3.0)
    align_slices: bool = Field(False, description="move slices that breath-holds shifted by 4 mm or more into line")
    fibre_endocardium_deg: float = Field(60.0, ge=-90, le=90)
    fibre_epicardium_deg: float = Field(-60.0, ge=-90, le=90)
    sheet_endocardium_deg: float = Field(-65.0, ge=-90, le=90)
    sheet_epicardium_deg: float = Field(25.0, ge=-90, le=90)


class MeshFileSettings(Section):
    """What a mesh of the user's own does not say of itself; regions are numbers that it gives its elements."""

    unit: Literal["auto", "mm", "cm", "m", "um", "in"] = Field(
        "auto", description="of the coordinates; auto: by their size"
    )
    frame: Literal["lps", "ras", "any"] = Field("lps", description="of the coordinates; any: not held against anatomy")
    healthy_regions: tuple[int, ...] = ()
    border_zone_regions: tuple[int, ...] = ()
    core_regions: tuple[int, ...] = ()
    left_out_regions: tuple[int, ...] = Field((), description="blood, atria, bath: not part of the heart")
    allow_coarse: bool = Field(False, description="take a mesh whose longest edges make waves too slow")
    allow_holes: bool = Field(False, description="take a mesh with voids and tunnels, such as scar cut out of it")


class TissueSettings(Section):
    """Conduction velocities are what the user means; conductivities are tuned to them on the mesh in use."""

    cell_model: CellModel = "ten_tusscher_2006"
    velocity_fibre_m_per_s: float = Field(0.60, gt=0.05, le=3)
    velocity_cross_m_per_s: float = Field(0.30, gt=0.05, le=3)
    border_zone_velocity_fraction: float = Field(
        0.5,
        gt=0.05,
        le=1,
        description="of the border zone to the healthy velocity; a calibrated twin's members have theirs",
    )
    border_zone_profile: Literal["structural", "structural_and_ionic"] = "structural_and_ionic"
    tau_close_ms: float = Field(130.0, ge=40, le=300, description="Mitchell-Schaeffer: sets the refractory period")
    border_zone_apd_factor: float = Field(
        1.11, ge=0.5, le=4, description="Mitchell-Schaeffer, ionic profile: action potential of the border zone"
    )


def with_fraction(settings: TissueSettings, fraction: float) -> TissueSettings:
    """With another velocity of the border zone."""
    return settings.model_copy(update={"border_zone_velocity_fraction": fraction})


class SimulateSettings(Section):
    """The confirming run: one sinus beat of the member that fits the ECG best."""

    site_radius_mm: float = Field(
        2.5,
        gt=0,
        le=20,
        description="tissue around a site that fires at once; a wide wave front needs more of it to start",
    )
    dt_ms: float = Field(0.02, gt=0, le=0.5)
    duration_ms: float = Field(450.0, gt=0, le=60_000)
    other_draws: tuple[Literal["slow", "median", "fast"], ...] = Field(
        ("slow", "median", "fast"), description="of the ensemble, a beat each beside the best's: what is lost in fit"
    )
    snapshot_every_ms: float = Field(5.0, gt=0)
    checkpoint_every_s: float = Field(60.0, gt=0)


class ElectrodeSettings(Section):
    """Where electrodes go that nobody measured (positions in a CSV file overrule `rule`), and what conducts to them."""

    rule: Literal["offsets", "torso"] = Field(
        "offsets", description="fixed offsets from the heart, or landmarks on the mean adult's torso"
    )
    sex: Literal["unknown", "male", "female"] = Field("unknown", description="of that torso; unknown: midway")
    stature_mm: float = Field(0.0, ge=0, le=2200, description="of that torso, 1200 to 2200; 0: the mean")
    conductor: Literal["infinite", "torso"] = Field(
        "infinite", description="around the heart; torso: the surface that was added, or else the mean adult's"
    )

    @model_validator(mode="after")
    def _of_somebody(self) -> ElectrodeSettings:
        if 0 < self.stature_mm < LEAST_STATURE_MM:
            raise ValueError(
                f"stature_mm: found {self.stature_mm:g}, expected {LEAST_STATURE_MM:g} to 2200 mm, or 0 for the mean"
            )
        return self


class CalibrateSettings(Section):
    """Tempered sequential Monte Carlo over velocities and activation sites, eikonal forward model."""

    edge_mm: float = Field(2.0, ge=0.5, le=4.0)
    n_sites: int = Field(5, ge=1, le=20, description="where activation may start; late ones count for nothing")
    n_candidates: int = Field(160, ge=16, le=600, description="endocardial points where activation may start")
    n_particles: int = Field(128, ge=8, le=4096, description="members of the ensemble; more take longer")
    n_moves: int = Field(8, ge=1, le=50, description="of every particle after each step; a further ECG takes a quarter")
    n_electrode_placements: int = Field(
        24, ge=1, le=200, description="drawn from how far electrodes that nobody measured may be off; 1: as placed"
    )
    fast_endocardium: bool = Field(True, description="a layer that conducts as the Purkinje network does")
    velocity_fibre_m_per_s: tuple[float, float] = (0.3, 1.0)
    velocity_fibre_prior_m_per_s: tuple[float, float] = Field(
        (0.65, 0.10), description="mean and standard deviation before the ECG, which says little of it"
    )
    velocity_cross_m_per_s: tuple[float, float] = Field((0.15, 0.6), description="across the fibres: least and most")
    velocity_endocardium_m_per_s: tuple[float, float] = Field(
        (0.7, 2.0), description="of the fast layer: least and most"
    )
    border_zone_velocity_fractions: tuple[float, ...] = Field(
        (0.35, 0.5, 0.7, 1.0),
        max_length=8,
        description="of the border zone to the healthy velocity, equally likely at first; empty: as in section tissue",
    )
    scar_thresholds: tuple[tuple[float, float], ...] = Field(
        (),
        max_length=12,
        description="pairs of border zone and core to weigh by the ECG, a calibration each (minutes); empty: none",
    )
    latest_site_ms: float = Field(20.0, ge=0, le=100, description="after the first site, the last one fires")
    beat: int = Field(
        0, ge=0, le=9, description="shape of beat that is fitted: 0 the most frequent, 1 the next (ectopic, paced, VT)"
    )
    seed: int = 1

    @model_validator(mode="after")
    def _pairs(self) -> CalibrateSettings:
        _check_threshold_pairs(self.scar_thresholds)
        return self

    @model_validator(mode="after")
    def _fractions(self) -> CalibrateSettings:
        found = self.border_zone_velocity_fractions
        if len(set(found)) < len(found) or not all(0.05 < one <= 1.0 for one in found):
            raise ValueError(
                f"border_zone_velocity_fractions: found {', '.join(f'{one:g}' for one in found)}, expected numbers "
                "above 0.05 and at most 1, none of them twice"
            )
        return self


class PacingSite(NamedTuple):
    """A place to pace from, as its name says: `kind` is ``aha``, ``apex``, ``coordinates`` or ``point``; `side` is None
    for a point; `numbers` are the segment, apicobasal and rotational coordinate, or LPS in mm.
    """

    kind: str
    side: str | None
    numbers: tuple[float, ...]


def pacing_site(name: str) -> PacingSite:
    """What a pacing site's name means.

    Raises
    ------
    ValueError
        It means nothing.
    """
    words = name.lower().replace(",", " ").split()
    segment = re.fullmatch(r"aha[ _-]*0*([1-9]|1[0-7])", name.strip().lower())
    if segment:
        return PacingSite("aha", "left", (int(segment[1]),))
    if words == ["right", "apex"]:
        return PacingSite("apex", "right", ())
    if words == ["right", "outflow"]:
        return PacingSite("coordinates", "right", _OUTFLOW)
    with suppress(ValueError):
        numbers = tuple(float(word) for word in (words[1:] if words[:1] in (["left"], ["right"]) else words))
        if len(words) == 3 and len(numbers) == 2 and all(0.0 <= one <= 1.0 for one in numbers):
            return PacingSite("coordinates", words[0], numbers)
        if len(words) == len(numbers) == 3 and all(map(math.isfinite, numbers)):
            return PacingSite("point", None, numbers)
    raise ValueError(
        f"sites: found {name!r}, expected 'AHA 1' to 'AHA 17', 'right apex', 'right outflow', 'left A R' or "
        "'right A R' (apicobasal and rotational coordinate, 0 to 1), or 'X Y Z' in mm (LPS)"
    )


_OUTFLOW = (0.8, 0.6)
"""High on the right free wall, beside the anterior junction (at 2/3 of a turn)."""
_SEVENTEEN = tuple(f"AHA {number}" for number in range(1, 18))
PROTOCOLS: dict[str, dict[str, Any]] = {
    # Arevalo et al. 2016, doi 10.1038/ncomms11437; the 19 sites as Deng et al. 2016, doi 10.1093/europace/euw351.
    "arevalo_2016": {
        "sites": (*_SEVENTEEN, "right apex", "right outflow"),
        "s1_beats": 6,
        "s1_cycle_length_ms": 600.0,
        "s2_search": "decrement",
        "s2_first_ms": 300.0,
        "s2_step_ms": 10.0,
        "s2_last_ms": 180.0,
        "extra_stimuli": 3,
    },
    # One attempt for each of S2, S3 and S4: what is induced is less, what it costs is known beforehand.
    "fixed_couplings": {
        "sites": _SEVENTEEN,
        "s1_beats": 6,
        "s1_cycle_length_ms": 600.0,
        "s2_search": "fixed",
        "fixed_couplings_ms": (350.0, 300.0, 280.0),
        "s2_first_ms": 300.0,
        "s2_last_ms": 180.0,
        "extra_stimuli": 3,
    },
}
"""What `protocol` stands for."""


class InduceSettings(Section):
    """Programmed stimulation (Arevalo 2016, Prakosa 2018): a train of S1, then an ever earlier S2 (and S3)."""

    protocol: Literal["own", "arevalo_2016", "fixed_couplings"] = Field(
        "own", description="another one decides sites, S1, S2 and extra stimuli, whatever stands there"
    )
    sites: tuple[str, ...] = Field(
        (),
        max_length=60,
        description="'AHA 1' to 'AHA 17', 'right apex', 'right outflow', 'left A R' (coordinates), 'X Y Z' (LPS, mm); "
        "none: n_sites of them, far apart",
    )

    cell_model: CellModel = "ten_tusscher_2006"
    border_zone_profiles: tuple[Literal["structural", "structural_and_ionic"], ...] = (
        "structural",
        "structural_and_ionic",
    )
    dt_ms: float = Field(0.02, gt=0, le=0.5)
    n_sites: int = Field(7, ge=1, le=50)
    sites_near_scar_mm: float = Field(
        0.0,
        ge=0,
        le=100,
        description="all sites but the first within this distance of scar; 0: spread over both ventricles",
    )
    electrode_radius_mm: float = Field(
        3.0, gt=0, le=20, description="tissue captured at once; a wide wave front needs a larger one to start"
    )
    n_draws: int = Field(5, ge=1, le=200)
    s1_beats: int = Field(6, ge=1, le=50)
    s1_cycle_length_ms: float = Field(600.0, ge=150, le=2000)
    s2_first_ms: float = Field(300.0, ge=50, le=1000)
    s2_step_ms: float = Field(10.0, gt=0, le=100)
    s2_last_ms: float = Field(180.0, ge=50, le=1000)
    s2_search: Literal["decrement", "bisection", "fixed"] = Field(
        "decrement",
        description="ever earlier until re-entry or loss of capture; to the end of the refractory period in few steps; "
        "or fixed_couplings_ms, each once",
    )
    fixed_couplings_ms: tuple[float, ...] = Field((350.0, 300.0, 280.0), max_length=3, description="S2, S3, S4")
    extra_stimuli: int = Field(2, ge=1, le=3, description="1: S2 only; 2: S3 after a captured S2; 3: S4")
    watch_ms: float = Field(1200.0, ge=300, le=10_000, description="how long after the last stimulus")
    scar_thresholds: tuple[tuple[float, float], ...] = Field(
        (),
        max_length=6,
        description="pairs of border zone and core, shares of the brightest myocardial signal: all is paced again with "
        "each; none: as segmented alone",
    )
    only_screened: bool = Field(False, description="pace only the combinations in which the screen finds a circuit")
    workers: int = Field(0, ge=0, le=256, description="processes; 0: one per core")

    @property
    def in_words(self) -> str:
        """Train and extra stimuli, such as ``S1 600 ms x 6; S2 350 ms, S3 300 ms, each once``."""
        train = f"S1 {self.s1_cycle_length_ms:g} ms x {self.s1_beats}"
        extra = [f"S{number}" for number in range(2, 2 + self.extra_stimuli)]
        if self.s2_search == "fixed":
            couplings = zip(extra, self.fixed_couplings_ms, strict=False)
            return f"{train}; {', '.join(f'{one} {ms:g} ms' for one, ms in couplings)}, each once"
        how = f"in steps of {self.s2_step_ms:g} ms" if self.s2_search == "decrement" else "by bisection"
        likewise = f"; {', '.join(extra[1:])} likewise" if extra[1:] else "; no S3"
        return (
            f"{train}; S2 from {self.s2_first_ms:g} ms {how} to re-entry, loss of capture or {self.s2_last_ms:g} ms"
            f"{likewise}"
        )

    @model_validator(mode="before")
    @classmethod
    def _of_protocol(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {**given, **PROTOCOLS.get(str(given.get("protocol")), {})}

    @model_validator(mode="after")
    def _possible(self) -> InduceSettings:
        _check_threshold_pairs(self.scar_thresholds)
        if self.scar_thresholds and self.only_screened:
            raise ValueError("only_screened: the screen knows one scar; expected no scar_thresholds beside it")
        for name in self.sites:
            pacing_site(name)
        if len({pacing_site(name) for name in self.sites}) < len(self.sites):
            raise ValueError("sites: found one twice, expected each once")
        if self.s2_last_ms > self.s2_first_ms:
            raise ValueError(
                f"s2_last_ms: found {self.s2_last_ms:g}, expected at most s2_first_ms = {self.s2_first_ms:g}"
            )
        fixed = self.fixed_couplings_ms
        impossible = any(not self.s2_last_ms <= one <= self.s1_cycle_length_ms for one in fixed)
        if self.s2_search == "fixed" and (len(fixed) < self.extra_stimuli or impossible):
            raise ValueError(
                f"fixed_couplings_ms: found {', '.join(f'{one:g}' for one in fixed) or 'none'}, expected one for each "
                f"of {self.extra_stimuli} extra_stimuli, from s2_last_ms = {self.s2_last_ms:g} to s1_cycle_length_ms"
            )
        return self


Surface: TypeAlias = Literal["left endocardium", "right endocardium", "epicardium"]


class PlanSettings(Section):
    """What the tool proposes beside the user's own plans; each plan is paced again in every twin."""

    propose: tuple[Literal["isthmus", "homogenise", "wrong", "exit", "isthmus_line", "dechannel"], ...] = Field(
        ("isthmus", "homogenise", "wrong"),
        description="cut of each circuit, border zone, a wrong place as control; also a lesion at each exit, a line "
        "across each isthmus, both entrances of corridors",
    )
    surfaces: tuple[Surface, ...] = Field(
        ("left endocardium", "right endocardium", "epicardium"),
        min_length=1,
        description="from which proposed lesions may be burnt; homogenising takes whichever is nearest",
    )
    lesion_radius_mm: float = Field(5.0, gt=0, le=20)
    lesion_depth_mm: float = Field(8.0, gt=0, le=30)


class CompareSettings(Section):
    """Plans that cannot be told apart are called so."""

    retest: Literal["inducible", "all"] = "all"
    preference_probability: float = Field(0.9, gt=0.5, lt=1)
    most_draws: int = Field(
        0,
        ge=0,
        le=1000,
        description="while no plan is preferred, induce.n_draws further draws are paced and re-tested, up to so many; "
        "0: those of induce alone",
    )


class Settings(Section):
    """Everything in `twin.toml`, one section a stage."""

    labels: LabelSettings = LabelSettings()
    segment: SegmentSettings = SegmentSettings()
    mesh: MeshSettings = MeshSettings()
    mesh_file: MeshFileSettings = MeshFileSettings()
    tissue: TissueSettings = TissueSettings()
    electrodes: ElectrodeSettings = ElectrodeSettings()
    calibrate: CalibrateSettings = CalibrateSettings()
    simulate: SimulateSettings = SimulateSettings()
    induce: InduceSettings = InduceSettings()
    plan: PlanSettings = PlanSettings()
    compare: CompareSettings = CompareSettings()


def read_settings(path: Path | str) -> Settings:
    """Read `twin.toml`.

    Raises
    ------
    SettingsError
        Not TOML, an unknown key, a value of the wrong kind or out of range; names file and key.
    """
    return _parsed(Path(path), Settings)


def read_protocol(path: Path | str) -> InduceSettings:
    """Read a pacing protocol from a TOML file with the keys of the `[induce]` section."""
    return _parsed(Path(path), InduceSettings)


def _parsed(path: Path, kind: type[Any]) -> Any:
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name}: not readable as TOML ({syntax_words(text, error)})") from error
    try:
        return kind(**table)
    except ValidationError as error:
        raise SettingsError(f"{path.name}: {explained(error, kind)}") from error


def _nearest(place: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    """``did you mean `edge_mm`? ``, or "" where no key of that section is like it."""
    for step in place[:-1]:
        section = kind.model_fields[str(step)].annotation if str(step) in kind.model_fields else None
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return ""
        kind = section
    near = get_close_matches(str(place[-1]), kind.model_fields, n=1)
    return f"did you mean `{near[0]}`? " if near else ""


def explained(error: ValidationError, kind: type[BaseModel] | None = None) -> str:
    """The first complaint of many, as `section.key: what is wrong, found what`; `kind` was to be made of it."""
    first = error.errors()[0]
    key = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        near = _nearest(first["loc"], kind) if kind else ""
        return f"unknown key `{key}`; {near}`cardiotwin settings` lists the known ones"
    if isinstance(first.get("ctx", {}).get("error"), ValueError):  # a rule of ours, which names what it found
        return f"`{key}`: {first['ctx']['error']}"
    if first["loc"][-1:] == ("cell_model",) and str(first["input"]).endswith(".py"):
        return (
            f"`{key}`: a heart needs to know the border zone and the layers of the wall of its cell model, and of "
            f"{first['input']!r} does not; use it in Python, Medium(..., cell_model={first['input']!r}) with a Solver"
        )
    return f"`{key}`: {value_words(first)}"
