"""A surface file that lies is refused by its own bytes; whatever else it holds cannot hurt this process."""

import re

import numpy as np
import pytest

from cardiotwin.errors import CardioTwinError, InputRejected
from cardiotwin.ingest.surface_files import Surface, read_each, read_surfaces

pv = pytest.importorskip("pyvista")
ENDINGS = (".stl", ".ply", ".vtp", ".vtk")


def saved(path, appended=False):
    ball = pv.Sphere(radius=30.0, theta_resolution=12, phi_resolution=12)
    ball.save(path)
    if appended:
        writer = pytest.importorskip("vtkmodules.vtkIOXML").vtkXMLPolyDataWriter()
        writer.SetInputData(ball)
        writer.SetFileName(str(path))
        writer.SetDataModeToAppended()
        writer.Write()
    return path


def with_entity(content):
    return content.replace(b"<VTKFile", b'<!DOCTYPE x [<!ENTITY a "b">]><VTKFile', 1)


def with_attribute(content):
    return content.replace(b'type="PolyData"', b'type="PolyData" x="%s"' % (b"a" * 10**7))


def with_long_block(content):
    return re.sub(rb'(format="binary"[^>]*>\s*)\w{8}', rb"\1//////8A", content)


def test_every_format_gives_the_same_triangles(tmp_path):
    surfaces = read_surfaces([saved(tmp_path / f"ball{ending}") for ending in ENDINGS])
    for surface in surfaces:
        corners = surface.points[surface.triangles]
        volume = np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        assert abs(volume) == pytest.approx(4 / 3 * np.pi * 27000, rel=0.15)
        assert len(surface.triangles) == len(surfaces[0].triangles)


def test_slicers_ras_is_turned_into_lps(tmp_path):
    plain, ras = saved(tmp_path / "plain.ply"), saved(tmp_path / "ras.ply")
    ras.write_bytes(ras.read_bytes().replace(b"comment VTK", b"comment SPACE=RAS VTK", 1))
    first, second = read_surfaces([plain, ras])
    np.testing.assert_allclose(second.points, first.points * [-1, -1, 1])


def with_count(kind, count):
    return lambda content: re.sub(rb"element %s \d+" % kind, b"element %s %d" % (kind, count), content, count=1)


HOSTILE = {
    "triangle count": (".stl", lambda c: c[:80] + b"\xff\xff\xff\xff" + c[84:], "4294967295 triangles"),
    "triangles cut": (".stl", lambda c: c[:-60], "byte 80"),
    "empty": (".stl", lambda c: b"", "0 bytes"),
    "no triangle": (".stl", lambda c: c[:80] + b"\0\0\0\0", "no triangle|cannot read"),
    "vertex count": (".ply", with_count(b"vertex", 4_000_000_000), "element vertex"),
    "face count": (".ply", with_count(b"face", 4_000_000_000), "element face"),
    "face index": (".ply", lambda c: c[:-4] + b"\xff\xff\xff\x7f", "point|cannot|no tri"),
    "entities": (".vtp", with_entity, "entity"),
    "huge attribute": (".vtp", with_attribute, "tag"),
    "points claimed": (".vtp", lambda c: re.sub(rb'NumberOfPoints="\d+"', b'NumberOfPoints="9999999"', c), "NumberOf"),
    "block length": (".vtp", with_long_block, "point|cannot|no tri"),
    "offset outside": (".vtp", lambda c: re.sub(rb'offset="0"', b'offset="99999999"', c, count=1), "offset"),
    "no polydata": (".vtk", lambda c: c.replace(b"POLYDATA", b"UNSTRUCT"), "POLYDATA"),
    "points in vtk": (".vtk", lambda c: re.sub(rb"POINTS \d+", b"POINTS 999999999", c), "counts"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_files_are_refused_by_name(tmp_path, name):
    ending, change, words = HOSTILE[name]
    path = saved(tmp_path / f"bad{ending}", appended=name == "offset outside")
    content = path.read_bytes()
    path.write_bytes(change(content))
    assert path.read_bytes() != content
    with pytest.raises(InputRejected, match=words) as caught:
        read_surfaces([path])
    assert str(caught.value).startswith(f"bad{ending}")


@pytest.mark.slow
def test_files_damaged_at_random_give_surfaces_or_refusals(tmp_path):
    """Bytes overwritten, cut out and repeated at random places of each format."""
    rng = np.random.default_rng(7)
    paths = []
    for ending in ENDINGS:
        content = saved(tmp_path / f"whole{ending}").read_bytes()
        for number in range(6):
            damaged = bytearray(content)
            for _ in range(int(rng.integers(1, 6))):
                at, length = int(rng.integers(len(damaged))), int(rng.integers(1, 40))
                kind = int(rng.integers(3))
                piece = rng.bytes(length) if kind == 0 else b"" if kind == 1 else bytes(damaged[at : at + length]) * 2
                damaged[at : at + length] = piece
            paths.append(tmp_path / f"{number}{ending}")
            paths[-1].write_bytes(damaged)
    results = read_each(paths)
    assert all(isinstance(one, Surface | CardioTwinError) for one in results)
    for one in results:
        if isinstance(one, Surface):
            assert np.isfinite(one.points).all()
            assert one.triangles.max() < len(one.points)
        else:
            assert one.exit_code in (3, 5)
            assert "\n" not in str(one)
