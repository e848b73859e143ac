"""Whatever the bytes of an input, its reader gives what it stands for or a typed refusal of one line.

Label maps, meshes and DICOM headers by their tags have properties of their own (`test_label_map_properties.py`,
`test_mesh_any_bytes.py`, `test_dicom_any_header.py`); here are the other readers and validators, and DICOM by bytes.
"""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from made_dicom import ecg, lge_series, twelve_leads, write
from small_twin import CHEST_MM

from cardiotwin import presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import CardioTwinError
from cardiotwin.ingest import explain, read_dicom, read_ecg, read_electrodes
from cardiotwin.ingest.labels import read_segments
from cardiotwin.ingest.plan_files import read_plan
from cardiotwin.ingest.surface_files import Surface, read_each
from cardiotwin.settings import read_settings

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies


def examples(count):
    return hypothesis.settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip


NUMBERS = (b"-1", b"0", b"nan", b"inf", b"1e999", b"99999999999", b"2147483648", b"%s%n", b"\xff\xff\xff\xff", b"\0")
DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "overwrite", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.one_of(st.binary(min_size=1, max_size=12), st.sampled_from(NUMBERS)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content, changes):
    for kind, where, piece in changes:
        at = int(where * max(len(content), 1))
        if kind == "flip":
            content = content[:at] + bytes([content[at] ^ (1 << piece[0] % 8)] if content else b"") + content[at + 1 :]
        elif kind == "cut":
            content = content[:at]
        elif kind == "insert":
            content = content[:at] + piece + content[at:]
        elif kind == "overwrite":
            content = content[:at] + piece + content[at + len(piece) :]
        else:
            content = content[:at] + content[at : at + 40] * 3 + content[at + 40 :]
    return content


def attempt(read, path):
    """Read, or check the refusal; what was read is returned."""
    try:
        return read(path)
    except CardioTwinError as refused:
        line = str(refused)
        code = refused.exit_code
    assert code in (2, 3, 4, 5, 6, 7), line
    assert line.isprintable(), line
    assert "CANARY" not in line  # the patient's name in a made DICOM file
    return None


def mv_table():
    rows = np.column_stack([1000.0 * np.arange(1500) / 500, twelve_leads(seconds=3.0).T])
    names = ",".join(["time [ms]", *(f"{lead} [mV]" for lead in LEADS)])
    return f"{names}\n" + "".join(",".join(f"{v:.3f}" for v in row) + "\n" for row in rows)


PLAN = """name = "line"
note = "by hand"

[[lesion]]
kind = "line"
points_mm = [[44.5, -18.8, -1.6], [50.2, -20.7, 2.8]]
radius_mm = 5.0
depth_mm = 8.0

[[lesion]]
kind = "homogenise"
"""


@functools.cache
def whole(name):
    """The undamaged file of each kind."""
    if name == "e.csv":
        return mv_table().encode()
    if name == "electrodes.csv":
        rows = "".join(f"{key},{x},{y},{z}\n" for key, (x, y, z) in CHEST_MM.items())
        return f"name,x_mm,y_mm,z_mm\n{rows}".encode()
    if name == "plan.toml":
        return PLAN.encode()
    if name == "twin.toml":
        return presets.settings_text(presets.preset("default"), "test").encode()
    if name == "r.hea":
        stored = np.frombuffer(whole("r.dat"), "<i2").reshape(-1, len(LEADS)).astype(int)
        sums = (stored.sum(axis=0) + 32768) % 65536 - 32768
        rows = zip(stored[0], sums, LEADS, strict=True)
        signals = "".join(f"r.dat 16 1000/mV 16 0 {first} {total} 0 {lead}\n" for first, total, lead in rows)
        return f"r 12 500 1500 10:00:00 01/02/2020\n{signals}".encode()
    if name == "r.dat":
        return np.rint(1000 * twelve_leads(seconds=3.0).T).astype("<i2").tobytes()
    with tempfile.TemporaryDirectory() as folder:
        if name == "image.dcm":
            return sorted(write(Path(folder, "i"), lge_series()).iterdir())[2].read_bytes()
        if name == "ecg.dcm":
            return next(write(Path(folder, "e"), [ecg(twelve_leads(seconds=3.0), LEADS)]).iterdir()).read_bytes()
        assert name == "seg.dcm"
        return segmentation_object(Path(folder))


def segmentation_object(folder):
    from short_axis import affine

    from cardiotwin.exports.label_export import write_dicom_seg
    from cardiotwin.segmentation import from_label_map

    labels = np.zeros((4, 10, 12), np.uint8)
    labels[:, 2:8, 2:9], labels[:, 4:6, 4:7] = 2, 1
    return write_dicom_seg(folder / "s", from_label_map(labels, affine()), ())[0].read_bytes()


READERS = {
    "e.csv": read_ecg, "electrodes.csv": read_electrodes, "plan.toml": read_plan, "twin.toml": read_settings,
    "r.hea": read_ecg, "ecg.dcm": read_ecg, "seg.dcm": read_segments,
}  # fmt: skip


def in_a_folder(name, content):
    """The file in a folder of its own, with what belongs to it; the folder goes when the caller is done with it."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, name)
    path.write_bytes(content)
    if name == "r.hea":
        path.with_suffix(".dat").write_bytes(whole("r.dat"))
    return folder, path


@pytest.mark.parametrize("name", READERS)
def test_the_undamaged_file_is_read(name):
    if name == "seg.dcm":
        pytest.importorskip("highdicom")
    folder, path = in_a_folder(name, whole(name))
    with folder:
        assert READERS[name](path) is not None


@pytest.mark.parametrize("name", ["e.csv", "electrodes.csv", "plan.toml", "twin.toml", "r.hea"])
@examples(150)
@hypothesis.example(changes=[("cut", 0.155, b"0")])  # found by this test: electrodes with names and no numbers
@hypothesis.given(changes=DAMAGE)
def test_damaged_text(name, changes):
    folder, path = in_a_folder(name, damaged(whole(name), changes))
    with folder:
        attempt(READERS[name], path)


@pytest.mark.parametrize("name", ["e.csv", "electrodes.csv", "plan.toml", "twin.toml", "r.hea", "ecg.dcm"])
@examples(60)
@hypothesis.given(content=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_any_bytes(name, content):
    folder, path = in_a_folder(name, content)
    with folder:
        attempt(READERS[name], path)
        attempt(explain, path)


@examples(60)
@hypothesis.given(changes=DAMAGE)
def test_a_damaged_dicom_ecg(changes):
    folder, path = in_a_folder("ecg.dcm", damaged(whole("ecg.dcm"), changes))
    with folder:
        found = attempt(read_ecg, path)
        assert found is None or np.isfinite(found.mv).all()


@examples(40)
@hypothesis.given(changes=DAMAGE)
def test_a_damaged_dicom_segmentation(changes):
    pytest.importorskip("highdicom")
    folder, path = in_a_folder("seg.dcm", damaged(whole("seg.dcm"), changes))
    with folder:
        found = attempt(read_segments, path)
        assert found is None or found.codes.max() < len(found.members)


@examples(60)
@hypothesis.given(changes=DAMAGE)
def test_a_damaged_slice_of_a_series(changes):
    """It may be read right, refused, or, where its mark is gone, left out with the gap it leaves."""
    with tempfile.TemporaryDirectory() as name:
        path = sorted(write(Path(name, "series"), lge_series()).iterdir())[2]
        path.write_bytes(damaged(path.read_bytes(), changes))
        image = attempt(read_dicom, path.parent)
        if image is not None:
            assert np.isfinite(image.values).all()
            assert np.linalg.norm(image.affine[:3, 2]) == pytest.approx(9.0, rel=0.02)


@examples(60)
@hypothesis.given(changes=DAMAGE)
def test_a_damaged_wfdb_signal(changes):
    with tempfile.TemporaryDirectory() as name:
        Path(name, "r.hea").write_bytes(whole("r.hea"))
        Path(name, "r.dat").write_bytes(damaged(whole("r.dat"), changes))
        found = attempt(read_ecg, Path(name, "r.hea"))
        assert found is None or np.isfinite(found.mv).all()


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def toml(value):
    """A value as TOML writes it; None as an empty table."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() else f"\\u{min(ord(c), 0xD7FF):04x}" for c in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + "}"
    return "{}" if value is None else str(value)


@examples(150)
@hypothesis.given(
    lesions=st.lists(
        st.dictionaries(
            st.sampled_from(["kind", "points_mm", "radius_mm", "depth_mm", "other"]),
            st.one_of(VALUES, st.sampled_from(["point", "line", "patch", "homogenise", "cut"])), max_size=5,
        ),
        max_size=3,
    ),
    rest=st.dictionaries(st.sampled_from(["name", "note", "lesions"]), VALUES, max_size=3),
)  # fmt: skip
def test_any_plan(lesions, rest):
    rows = [f"{key} = {toml(value)}\n" for key, value in rest.items()]
    for lesion in lesions:
        rows += ["[[lesion]]\n", *(f"{key} = {toml(value)}\n" for key, value in lesion.items())]
    folder, path = in_a_folder("plan.toml", "".join(rows).encode())
    with folder:
        attempt(read_plan, path)


KEYS = [(section, key) for section, part in presets.preset("default").model_dump().items() for key in part]


@examples(150)
@hypothesis.given(section_key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_of_any_setting(section_key, value):
    section, key = section_key
    folder, path = in_a_folder("twin.toml", f"[{section}]\n{key} = {toml(value)}\n".encode())
    with folder:
        attempt(read_settings, path)


@functools.cache
def ball(ending):
    import pyvista as pv

    with tempfile.TemporaryDirectory() as folder:
        pv.Icosphere(radius=30.0, nsub=1).save(Path(folder, f"ball{ending}"))
        return Path(folder, f"ball{ending}").read_bytes()


ENDINGS = st.sampled_from([".stl", ".ply", ".vtp", ".vtk"])


@examples(2)
@hypothesis.given(several=st.lists(st.tuples(ENDINGS, DAMAGE | st.binary(max_size=200)), min_size=24, max_size=32))
def test_damaged_surfaces(several):
    """Many at a time, because they are read in a process of their own."""
    pytest.importorskip("pyvista")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}{ending}") for number, (ending, _) in enumerate(several)]
        for path, (ending, one) in zip(paths, several, strict=True):
            path.write_bytes(one if isinstance(one, bytes) else damaged(ball(ending), one))
        for found in read_each(paths):
            assert isinstance(found, Surface | CardioTwinError)
            if isinstance(found, Surface):
                assert np.isfinite(found.points).all()
                assert 0 <= found.triangles.min() <= found.triangles.max() < len(found.points)
            else:
                assert found.exit_code in (3, 5)
                assert str(found).isprintable()
