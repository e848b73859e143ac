"""Files made to hurt: refused in one line, in less than 300 MB and a few seconds (TM03, TH01, TH02)."""

import base64
import struct
import subprocess
import sys
import zlib

import meshio
import numpy as np
import pytest

from cardiotwin.errors import MeshError
from cardiotwin.meshes.formats import read_mesh

POINTS = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], float)
TETS = np.array([[0, 1, 2, 3]])
CELLS = """<Cells><DataArray type="Int32" Name="connectivity" format="ascii">0 1 2 3</DataArray>
<DataArray type="Int32" Name="offsets" format="ascii">4</DataArray>
<DataArray type="UInt8" Name="types" format="ascii">10</DataArray></Cells>"""
ASCII = '<DataArray type="Float64" NumberOfComponents="3" format="ascii">0 0 0 9 0 0 0 9 0 0 0 9</DataArray>'


def vtu(points=ASCII, *, before="", root="", after="", n_points=4, n_cells=1, cells=CELLS):
    return f"""<?xml version="1.0"?>{before}
<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" {root}><UnstructuredGrid>
<Piece NumberOfPoints="{n_points}" NumberOfCells="{n_cells}"><Points>{points}</Points>{cells}</Piece>
</UnstructuredGrid>{after}</VTKFile>"""


def array(text, form="binary", **more):
    also = " ".join(f'{key}="{value}"' for key, value in more.items())
    return f'<DataArray type="Float64" NumberOfComponents="3" format="{form}" {also}>{text}</DataArray>'


def coded(*parts):
    return base64.b64encode(b"".join(parts)).decode()


RAW = POINTS.tobytes()
LAUGHS = "".join(f'<!ENTITY l{k} "{10 * f"&l{k - 1};"}">' for k in range(1, 10))
PACKED = zlib.compress(bytes(96 << 20))
ZLIB = 'compressor="vtkZLibDataCompressor"'
HOSTILE = {
    "entities": (vtu(before=f'<!DOCTYPE VTKFile [<!ENTITY l0 "ha">{LAUGHS}]>', root='x="&l9;"'), "document type"),
    "an outside entity": (vtu(before='<!DOCTYPE V [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "document type"),
    "a huge attribute": (vtu(root=f'x="{"y" * (200 << 20)}"'), "a tag of more than"),
    "very many elements": (vtu(after="<a></a>" * 2_000_000), "too many or too deeply"),
    "deep elements": (vtu(after="<a>" * 100_000), "too many or too deeply"),
    "a length lie": (vtu(array(coded(struct.pack("<I", 4_000_000_000), RAW))), "4000000000 bytes by its own header"),
    "cut base64": (vtu(array(coded(struct.pack("<I", 96), RAW)[:-40])), "left in the file"),
    "a lie about nodes": (vtu(array(coded(struct.pack("<I", 120_000_000), RAW)), n_points=5_000_000), "left in"),
    "a lie in text": (vtu(n_points=4_999_999), "characters"),
    "more nodes than fit": (vtu(n_points=5_000_001), "limit 5000000"),
    "a negative count": (vtu(n_points=-4), "NumberOfPoints"),
    "an offset outside": (
        vtu(array("", "appended", offset=10**9), after='<AppendedData encoding="raw">_x</AppendedData>'),
        "an offset of 1000000000 bytes",
    ),
    "an offset that is none": (
        vtu(array("", "appended", offset="-1"), after='<AppendedData encoding="raw">_x</AppendedData>'),
        "appended data at '-1'",
    ),
    "nothing appended": (vtu(array("", "appended", offset=0)), "AppendedData"),
    "a compressed bomb": (
        vtu(array(coded(struct.pack("<4I", 1, 96, 0, len(PACKED))) + coded(PACKED)), root=ZLIB),
        "a block of 97 bytes or more",
    ),
    "many blocks": (vtu(array(coded(struct.pack("<3I", 2**32 - 1, 1, 0))), root=ZLIB), "4294967295 blocks"),
    "a block that is none": (
        vtu(array(coded(struct.pack("<4I", 1, 96, 0, 9)) + coded(b"not packed")), root=ZLIB),
        "damaged compressed data",
    ),
    "lz4": (vtu(root='compressor="vtkLZ4DataCompressor"'), "Save it with ZLib"),
    "another type": ('<VTKFile type="ImageData"></VTKFile>', "expected a VTKFile of type UnstructuredGrid"),
    "no offsets": (vtu(cells=CELLS.replace("offsets", "ofsets")), "cells without `offsets`"),
    "offsets that fall": (vtu(cells=CELLS.replace(">4<", ">-4<")), "cell 0 of -4 nodes"),
    "offsets beyond": (vtu(cells=CELLS.replace(">4<", ">27<")), "tetrahedron 0 of 27 nodes"),
    "another encoding": ('<?xml version="1.0" encoding="UTF-7"?><VTKFile/>', "damaged XML"),
}


def test_the_file_without_harm_is_read(tmp_path):
    (tmp_path / "h.vtu").write_text(vtu())
    assert read_mesh(tmp_path / "h.vtu").mesh.volumes[0] == 121.5


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_vtu(tmp_path, what):
    text, says = HOSTILE[what]
    (tmp_path / "h.vtu").write_text(text)
    with pytest.raises(Exception, match=r"^h\.vtu: [^\n]*$") as refused:
        read_mesh(tmp_path / "h.vtu")
    assert refused.value.exit_code in (3, 5)
    assert says in str(refused.value)


MEASURED = r"""
import re, sys
from cardiotwin.errors import CardioTwinError
from cardiotwin.meshes.formats import read_mesh
for path in sys.argv[1:]:
    try:
        read_mesh(path)
    except CardioTwinError as error:
        continue
    sys.exit(f"{path} was read")
print(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux counts it")
def test_all_of_them_take_less_than_300_mb(tmp_path):
    files = []
    for k, (text, _) in enumerate(HOSTILE.values()):
        files.append(tmp_path / f"{k}.vtu")
        files[-1].write_text(text)
    (tmp_path / "big.vtk").write_text("# vtk DataFile Version 3.0\nx\nBINARY\nDATASET UNSTRUCTURED_GRID\n"
                                      "POINTS 5000000 double\n")  # fmt: skip
    files.append(tmp_path / "big.vtk")
    done = subprocess.run([sys.executable, "-c", MEASURED, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300_000, f"{int(done.stdout) / 1000:.0f} MB"


@pytest.fixture
def xdmf(tmp_path):
    """Writes a good XDMF file beside an HDF5 file that a function has changed."""
    h5py = pytest.importorskip("h5py")

    def write(change):
        meshio.write(tmp_path / "h.xdmf", meshio.Mesh(POINTS, [("tetra", TETS)]))
        with h5py.File(tmp_path / "h.h5", "a") as file:
            change(file, h5py)
        return tmp_path / "h.xdmf"

    return write


def external_link(file, h5py):
    del file["data0"]
    file["data0"] = h5py.ExternalLink("other.h5", "/data0")


def loop_of_links(file, h5py):
    file["loop"] = h5py.SoftLink("/loop")


def external_storage(file, h5py):
    del file["data0"]
    file.create_dataset("data0", (4, 3), "f8", external=[("/etc/hostname", 0, 96)])


def virtual(file, h5py):
    layout = h5py.VirtualLayout((4, 3), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "data0", (4, 3))
    file.create_virtual_dataset("more", layout)


def eight_gigabytes(file, h5py):
    file.create_dataset("more", (1 << 30,), "f8", chunks=(1 << 20,))


def unknown_filter(file, h5py):
    file.create_dataset("more", data=np.zeros(100), compression="lzf")


def loop_of_groups(file, h5py):
    file.create_group("a")["b"] = file["/"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (external_link, "a link to elsewhere at /data0"),
        (loop_of_links, "a link to elsewhere at /loop"),
        (loop_of_groups, "deep at /a/b/a/b"),
        (external_storage, "kept in other files at /data0"),
        (virtual, "kept in other files at /more"),
        (eight_gigabytes, "datasets of 8589934"),
        (unknown_filter, "filter 32000 at /more"),
    ],
)
def test_hdf5_that_is_not_what_it_seems(xdmf, change, says):
    with pytest.raises(MeshError) as refused:
        read_mesh(xdmf(change))
    assert says in str(refused.value)


@pytest.mark.parametrize("place", ["../h.h5", "/etc/passwd", "sub/h.h5", "missing.h5"])
def test_data_elsewhere_are_refused(xdmf, place):
    path = xdmf(lambda file, h5py: None)
    path.write_text(path.read_text().replace("h.h5:", f"{place}:"))
    with pytest.raises(MeshError, match=r"same folder|missing"):
        read_mesh(path)


def test_xdmf_with_entities_is_refused(xdmf):
    path = xdmf(lambda file, h5py: None)
    path.write_text(f'<!DOCTYPE Xdmf [<!ENTITY l0 "ha">{LAUGHS}]>' + path.read_text())
    with pytest.raises(MeshError, match="document type"):
        read_mesh(path)


def test_gmsh_with_a_count_lie_is_refused(tmp_path):
    head = b"$MeshFormat\n4.1 1 8\n" + struct.pack("<i", 1) + b"\n$EndMeshFormat\n$Nodes\n"
    (tmp_path / "h.msh").write_bytes(head + struct.pack("<4Q3iQ", 1, 10**12, 1, 10**12, 3, 1, 0, 10**12) + bytes(500))
    with pytest.raises(MeshError, match=r"^h\.msh: not readable"):
        read_mesh(tmp_path / "h.msh")
