"""Whatever the bytes, a reader ends in a mesh or in a typed refusal of one line."""

import meshio
import numpy as np
import pytest

from cardiotwin.errors import CardioTwinError
from cardiotwin.meshes.formats import read_mesh, write_opencarp
from cardiotwin.meshes.formats.reading import MESH_ENDINGS
from cardiotwin.meshes.tetrahedra import stuff

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
RELAXED = hypothesis.settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
FEW = hypothesis.settings(RELAXED, max_examples=8)


def attempt(path):
    try:
        found = read_mesh(path)
    except CardioTwinError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.exit_code in (3, 5)
        assert "\n" not in str(refused)
        return
    assert (found.mesh.volumes > 0).all()
    assert np.isfinite(found.mesh.points).all()
    assert 0 <= found.mesh.tets.min() <= found.mesh.tets.max() < len(found.mesh.points)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Small files of every format, whole."""
    folder = tmp_path_factory.mktemp("good")
    mesh = stuff(lambda p: 20.0 - np.linalg.norm(p, axis=1), [-20] * 3, [20] * 3, 12.0)
    rng = np.random.default_rng(0)
    held = meshio.Mesh(mesh.points, [("tetra", mesh.tets)], {"v": rng.random(len(mesh.points))},
                       {"f": [rng.random((len(mesh.tets), 3))]})  # fmt: skip
    files = []
    for k, (ending, options) in enumerate([
        (".vtu", {}), (".vtu", {"compression": None}), (".vtu", {"binary": False}), (".vtk", {}),
        (".vtk", {"binary": False}), (".vtk", {"file_format": "vtk42"}), (".msh", {"file_format": "gmsh"}),
        (".xdmf", {}),
    ]):  # fmt: skip
        files.append(folder / f"{k}{ending}")
        meshio.write(files[-1], held, **options)
    fibres = np.tile([1.0, 0, 0], (len(mesh.tets), 1))
    return [*files, *write_opencarp(folder / "o", mesh, np.ones(len(mesh.tets), int), fibres, fibres[:, [1, 0, 2]])]


@RELAXED
@hypothesis.given(data=st.data())
def test_damaged_files(good, data):
    own = [path for path in good if path.suffix not in (".msh", ".xdmf")]
    mutate(data, own)


@FEW
@hypothesis.given(data=st.data())
def test_damaged_files_that_meshio_reads(good, data):
    mutate(data, [path for path in good if path.suffix in (".msh", ".xdmf")])


def mutate(data, paths):
    path = data.draw(st.sampled_from(paths))
    whole = path.read_bytes()
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "number"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if kind == "flip":
        broken = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    elif kind == "cut":
        broken = whole[:at]
    elif kind == "insert":
        broken = whole[:at] + data.draw(st.binary(min_size=1, max_size=40)) + whole[at:]
    else:
        number = data.draw(st.sampled_from([b"-1", b"0", b"nan", b"1e999", b"99999999999", b"2147483648", b"%s%n"]))
        broken = whole[:at] + number + whole[at + len(number) :]
    try:
        path.write_bytes(broken)
        attempt(path)
    finally:
        path.write_bytes(whole)


@RELAXED
@hypothesis.given(
    content=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)),
    ending=st.sampled_from([one for one in MESH_ENDINGS if one not in (".msh", ".xdmf", ".xmf")]),
)
def test_any_bytes(tmp_path_factory, content, ending):
    path = tmp_path_factory.mktemp("any") / f"h{ending}"
    path.write_bytes(content)
    attempt(path)


NUMBER = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, 9.0, 1e-300, 1e300]))


@RELAXED
@hypothesis.given(
    points=st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=1, max_size=8),
    tets=st.lists(st.tuples(*[st.integers(-2, 9)] * 4), min_size=1, max_size=8),
)
def test_any_mesh(tmp_path_factory, points, tets):
    path = tmp_path_factory.mktemp("any") / "h.pts"
    path.write_text(f"{len(points)}\n" + "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in points))
    path.with_suffix(".elem").write_text(f"{len(tets)}\n" + "".join(f"Tt {a} {b} {c} {d}\n" for a, b, c, d in tets))
    attempt(path)
