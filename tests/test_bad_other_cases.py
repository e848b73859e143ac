"""Every bad archive, volume and mesh that the project promises to survive (TZ, TN, TM), given to `cardiotwin add`.

Each ends in the promised exit code and one line, with the twin unchanged. What needs more variants, limits of memory or
no command line is tested where the reader is: TZ01 to TZ03 in `test_dicom_archives.py`; TN01 to TN04 in
`test_label_map.py`, `test_label_coding.py` and `test_metaimage.py`; TN05 in `test_build_heart.py`; TM01 and TM02 in
`test_mesh_refusals.py`; TM03 in `test_mesh_hostile_files.py`; TM04 in `test_surface_files.py`; TM05 and TM06 in
`test_mesh_anatomy.py`, TM02's hole in an endocardium in `test_mesh_holes.py`.
"""

import functools
import struct
import zipfile

import meshio
import numpy as np
import pytest
from bad_input import new_case, refused, taken
from ellipsoid_heart import FRAME, ellipsoid_heart
from made_dicom import lge_series, lge_slice, write
from made_zip import overlapping_zip
from short_axis import affine, truth

from cardiotwin.meshes.tetrahedra import stuff

sitk = pytest.importorskip("SimpleITK")


def study(folder):
    """A series as an archive."""
    source, target = write(folder / "study", lge_series()), folder / "study.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.iterdir()):
            archive.write(file, file.name)
    return target


def member(name, content=b"evil", link=False):
    def make(folder):
        with zipfile.ZipFile(path := study(folder), "a") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if link else 0o100600) << 16
            archive.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
        return path

    return make


def directory_bytes(offset, value):
    """The first record of the archive's directory changed."""

    def make(folder):
        path = study(folder)
        content = bytearray(path.read_bytes())
        at = content.index(b"PK\1\2") + offset
        content[at : at + len(value)] = value
        path.write_bytes(content)
        return path

    return make


def cut(make, keep):
    def shorter(folder):
        path = make(folder)
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
        return path

    return shorter


def overlapping(folder):
    return overlapping_zip(folder / "study.zip")


ARCHIVES = [
    ("TZ01 zip slip", member("../evil.dcm"), ["study.zip: member", "out of the folder"]),
    ("TZ01 absolute", member("/etc/cron.d/x"), ["absolute"]),
    ("TZ01 drive letter", member("C:evil.dcm"), ["drive"]),
    ("TZ01 backslash", member("a\\..\\evil.dcm"), ["backslash"]),
    ("TZ01 link", member("link", "/etc/passwd", link=True), ["link", "a link"]),
    ("TZ01 case-colliding", member("IM000.DCM"), ["IM000.DCM", "second member"]),
    ("TZ02 nested", member("42.zip"), ["42.zip", "archive inside"]),
    ("TZ02 10 GB from 10 MB", member("zeros.dcm", bytes(80 << 20)), ["200 to 1"]),
    ("TZ02 overlapping entries", overlapping, ["also belong to a"]),
    ("TZ02 forged size", directory_bytes(24, struct.pack("<I", 1 << 20)), ["IM000.dcm"]),
    ("TZ03 bad checksum", directory_bytes(16, b"\1\2\3\4"), ["IM000.dcm", "a wrong checksum"]),
    ("TZ03 cut directory", cut(study, 0.9), ["study.zip", "directory"]),
    ("TZ03 encrypted", directory_bytes(8, b"\1\0"), ["IM000.dcm", "encrypted"]),
]


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in ARCHIVES], ids=[case[0] for case in ARCHIVES])
def test_an_archive_is_refused_as_promised(tmp_path, capsys, make, words):
    case = new_case(capsys, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    refused(capsys, case, 3, ["study.zip", *words], make(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} - before <= {"study", "study.zip"}
    assert not list(case.glob(".tmp-*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_tz01_two_members_of_one_name(tmp_path, capsys):
    refused(capsys, new_case(capsys, tmp_path), 3, ["IM000.dcm", "second member"], member("IM000.dcm")(tmp_path))


def labels():
    """Winds as a human heart does, which `add` asks for."""
    return np.ascontiguousarray(truth()[:, ::-1])


def saved(path, values, matrix=None):
    image, matrix = sitk.GetImageFromArray(values), affine() if matrix is None else matrix
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    sitk.WriteImage(image, str(path), path.suffix == ".gz")
    return path


def header(*fields, ending=".nii"):
    """A NIfTI of which some header fields are overwritten: (offset, format, values ...)."""

    def make(folder):
        path = saved(folder / "map.nii", labels())
        content = bytearray(path.read_bytes())
        for at, form, *values in fields:
            content[at : at + struct.calcsize(form)] = struct.pack(form, *values)
        path.write_bytes(content)
        return path

    return make


def packed_bomb(folder):
    import gzip

    path = folder / "map.nii.gz"
    path.write_bytes(gzip.compress(header((40, "<8h", 3, 2000, 2000, 2000, 1, 1, 1, 1))(folder).read_bytes()[:352]))
    return path


def values(change, matrix=None):
    """NRRD, because ITK's NIfTI writer turns some values into others."""
    return lambda folder: saved(folder / "map.nrrd", change(labels()), matrix)


def detached(text, name):
    def make(folder):
        (folder / name).write_text(text)
        return folder / name

    return make


def nrrd(where):
    head = "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 12 10 6\nencoding: raw\n"
    directions = "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
    return detached(f"{head}{directions}data file: {where}\n\n", "map.nrrd")


def mhd(where, fields="DimSize = 4 4 4\n"):
    text = f"NDims = 3\n{fields}ElementType = MET_UCHAR\nElementDataFile = {where}\n"
    return detached(text, "map.mhd")


def mirrored(axis):
    flip = np.eye(4)
    flip[axis, axis] = -1
    return values(lambda found: found, flip @ affine())


def scaled(factor):
    matrix = affine()
    matrix[:3, :3] *= factor
    return matrix


VOLUMES = [
    ("TN01 30000^3", header((40, "<8h", 3, 30_000, 30_000, 30_000, 1, 1, 1, 1)), 3, ["30000", "at most 4294967296"]),
    ("TN01 negative", header((40, "<8h", 3, -12, 10, 6, 1, 1, 1, 1)), 3, ["dim"]),
    ("TN01 8 axes", header((40, "<8h", 8, 12, 10, 6, 1, 1, 1, 1)), 3, ["dim", "1 to 7 axes"]),
    ("TN01 packed bomb", packed_bomb, 3, ["map.nii.gz", "8000000000 bytes"]),
    ("TN02 nan", header((280, "<4f", np.nan, 0, 0, 0)), 3, ["sform"]),
    ("TN02 singular", header((280, "<12f", *[0.0] * 12)), 3, ["sform"]),
    ("TN02 sform and qform disagree", header((292, "<f", 50.0)), 3, ["sform and qform", "within 1 mm"]),
    ("TN03 NRRD upwards", nrrd("../../etc/passwd"), 3, ["voxels in another file"]),
    ("TN03 NRRD absolute", nrrd("/etc/passwd"), 3, ["voxels in another file"]),
    ("TN03 NRRD URL", nrrd("http://127.0.0.1/x.raw"), 3, ["voxels in another file"]),
    ("TN03 MHD upwards", mhd("../secret.raw"), 3, ["ElementDataFile"]),
    ("TN03 MHD absolute", mhd("/etc/hostname"), 3, ["ElementDataFile"]),
    ("TN03 MHD URL", mhd("http://127.0.0.1/x.raw"), 3, ["ElementDataFile"]),
    ("TN03 MetaIO of 93 bytes", mhd("LOCAL", "DimSize = 99999 99999 9\n"), 3, ["DimSize|99999"]),
    ("TN04 empty", values(np.zeros_like), 4, ["0 (all voxels)"]),
    ("TN04 one voxel", values(lambda found: found[:1, :1, :1]), 3, ["(1, 1, 1)", "at least 2"]),
    ("TN04 unknown value", values(lambda found: np.where(found == 3, 255, found).astype(np.uint8)), 3, ["255 ("]),
    ("TN04 fractions", values(lambda found: found + np.float32(0.25)), 3, ["not whole numbers"]),
    ("TN04 no myocardium", values(lambda found: np.where(found == 2, 0, found).astype(np.uint8)), 4, ["no myocardium"]),
    ("TN05 too small", values(lambda found: found, scaled(0.4)), 4, ["mL of myocardium", "20 to 500 mL"]),
    ("TN05 too large", values(lambda found: found, scaled(2.0)), 4, ["mL of myocardium", "20 to 500 mL"]),
    ("TD26 left and right", mirrored(0), 3, ["mirrored"]),
    ("TD26 front and back", mirrored(1), 3, ["mirrored"]),
    ("TD26 head and feet", mirrored(2), 3, ["mirrored"]),
]


@pytest.mark.parametrize(("make", "exit_code", "words"), [case[1:] for case in VOLUMES], ids=[c[0] for c in VOLUMES])
def test_a_label_map_is_refused_as_promised(tmp_path, capsys, monkeypatch, make, exit_code, words):
    path = make(tmp_path)
    said = refused(capsys, new_case(capsys, tmp_path), exit_code, [], path)
    assert path.name in said
    for word in words:
        assert any(one in said for one in word.split("|")), said


def test_the_label_map_without_harm_is_taken(tmp_path, capsys):
    taken(capsys, new_case(capsys, tmp_path), ["added label map"], saved(tmp_path / "map.nii.gz", labels()))


def beside(capsys, tmp_path, moved_mm):
    """A twin with an image of the drawn heart, and a label map moved along the patient's left."""
    step = affine()[:3, 2] / np.linalg.norm(affine()[:3, 2])
    slices = []
    for k, plane in enumerate(labels()):
        matrix = affine()
        one = lge_slice(k, Rows=110, Columns=120, PixelData=plane.astype("<u2").tobytes())
        one.ImagePositionPatient = [float(v) for v in np.round(matrix[:3, 3] + 9.0 * k * step, 6)]
        one.ImageOrientationPatient = [round(float(v), 6) for v in (matrix[:3, :2] / 1.6).T.ravel()]
        one.PixelSpacing = [1.6, 1.6]
        slices.append(one)
    case = new_case(capsys, tmp_path)
    taken(capsys, case, ["added image"], write(tmp_path / "image", slices))
    matrix = affine()
    matrix[0, 3] += moved_mm
    return case, saved(tmp_path / "map.nii.gz", labels(), matrix)


def test_tn04_a_shifted_affine_lies_beside_the_image(tmp_path, capsys):
    case, path = beside(capsys, tmp_path, 300.0)
    said = refused(capsys, case, 3, ["map.nii.gz", "within the lge image", "cardiotwin remove"], path)
    assert f"of {(labels() > 0).sum()} labelled voxels" in said


def test_a_label_map_a_little_beside_its_image_is_taken(tmp_path, capsys):
    case, path = beside(capsys, tmp_path, 10.0)
    taken(capsys, case, ["added label map"], path)


BALL = stuff(lambda p: 30.0 - np.linalg.norm(p, axis=1), [-30] * 3, [30] * 3, 12.0)


@functools.cache
def heart():
    """What a mesh must be to be taken; too coarse for the default cell model."""
    return ellipsoid_heart(3.0).mesh


def mesh(change, ending=".vtu", of=lambda: BALL, **data):
    def make(folder):
        points, tets = change(of().points.copy(), of().tets.astype(np.int64))
        with np.errstate(all="ignore"):
            meshio.write(folder / f"h{ending}", meshio.Mesh(points, [("tetra", tets)], **data))
        return folder / f"h{ending}"

    return make


def index(value):
    def change(points, tets):
        tets[17, 2] = value
        return points, tets

    return change


def position(value):
    def change(points, tets):
        points[23, 1] = value
        return points, tets

    return change


def flat(points, tets):
    tets[5, 3] = tets[5, 0]
    return points, tets


def two_parts(points, tets):
    return np.vstack([points, points + np.array([100.0, 0, 0])]), np.vstack([tets, tets + len(points)])


def drilled(radius, depth):
    """Cells taken out around a line through the left free wall, or only about its middle."""

    def change(points, tets):
        along, *across = (points[tets].mean(axis=1) @ FRAME.T - [-26.0, 0.0, -10.0]).T
        lost = (np.hypot(*across) < radius) & (np.abs(along) < depth) & (along < 24.0)
        kept = tets[~lost]
        used = np.unique(kept)
        return points[used], np.searchsorted(used, kept)

    return change


def hanging(points, tets):
    """One tetrahedron divided in two across an edge that its neighbours keep whole."""
    a, b, c, d = tets[0]
    points = np.vstack([points, 0.5 * (points[a] + points[b])])
    return points, np.vstack([tets[1:], [len(points) - 1, b, c, d], [a, len(points) - 1, c, d]])


def written(text, name="h.vtu"):
    return lambda folder: detached(text, name)(folder)


VTU = (
    '<?xml version="1.0"?>{doctype}<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" {root}>'
    '<UnstructuredGrid><Piece NumberOfPoints="4" NumberOfCells="1"><Points><DataArray type="Float64" '
    'NumberOfComponents="3" format="{form}" offset="{offset}">{points}</DataArray></Points><Cells>'
    '<DataArray type="Int32" Name="connectivity" format="ascii">0 1 2 3</DataArray>'
    '<DataArray type="Int32" Name="offsets" format="ascii">4</DataArray>'
    '<DataArray type="UInt8" Name="types" format="ascii">10</DataArray></Cells></Piece></UnstructuredGrid>'
    '{after}</VTKFile>'
)  # fmt: skip


def vtu(doctype="", root="", form="ascii", offset="0", points="0 0 0 9 0 0 0 9 0 0 0 9", after=""):
    text = VTU.format(doctype=doctype, root=root, form=form, offset=offset, points=points, after=after)
    return written(text)


APPENDED = '<AppendedData encoding="raw">_x</AppendedData>'
STL = b"binary".ljust(80) + b"\xff\xff\xff\xff" + bytes(500)
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 4000000000\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n"
)


def bytes_of(content, name):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def fibres(lost, of=lambda: BALL):
    def make(folder):
        directions = np.tile([1.0, 0.0, 0.0], (len(of().tets), 1))
        directions[:lost] = 0.0
        return mesh(lambda *both: both, of=of, cell_data={"fibres": [directions]})(folder)

    return make


MESHES = [
    ("TM01 -1", mesh(index(-1)), ["tetrahedron 17 names node -1"]),
    ("TM01 n", mesh(index(len(BALL.points))), [f"tetrahedron 17 names node {len(BALL.points)}"]),
    ("TM01 2^31", mesh(index(2**31)), ["tetrahedron 17 names node 2147483648"]),
    ("TM02 nan", mesh(position(np.nan)), ["(23)"]),
    ("TM02 inf", mesh(position(np.inf)), ["(23)"]),
    ("TM02 no volume", mesh(flat), ["are flat (cells 5)"]),
    ("TM02 hanging node", mesh(hanging), ["hang|neighbour|node"]),
    ("TM02 two components", mesh(two_parts), ["2 parts|parts"]),
    ("TM03 entities", vtu(doctype='<!DOCTYPE V [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), ["document type"]),
    ("TM03 huge attribute", vtu(root=f'x="{"y" * (20 << 20)}"'), ["a tag of more than"]),
    ("TM03 base64 length lie", vtu(form="binary", points="AChr7g=="), ["4000000000 bytes|own header|left"]),
    ("TM03 offset outside", vtu(form="appended", offset="1000000000", points="", after=APPENDED), ["1000000000 bytes"]),
    ("TM04 STL count", bytes_of(STL, "h.stl"), ["4294967295 triangles"]),
    ("TM04 PLY count", written(PLY, "h.ply"), ["element vertex"]),
    ("TM04 empty", bytes_of(b"", "h.stl"), ["empty"]),
    ("TM04 no cell", written("0\n", "h.vtu"), ["h.vtu"]),
    ("TM05 many fibres zero", fibres(100), ["`fibres` is zero or not finite in 100 of", "(0, 1, 2, 3, 4, ...)"]),
]


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in MESHES], ids=[case[0] for case in MESHES])
def test_a_mesh_is_refused_as_promised(tmp_path, capsys, make, words):
    said = refused(capsys, new_case(capsys, tmp_path), 3, ["h."], make(tmp_path))
    for word in words:
        assert any(one in said for one in word.split("|")), said


def inside_out(points, tets):
    tets[3:10] = tets[3:10][:, [1, 0, 2, 3]]
    return points, tets


REPAIRED = [
    ("TM02 inverted", mesh(inside_out, of=heart), "7 of {n} tetrahedra were inside out"),
    (
        "TM02 twice",
        mesh(lambda points, tets: (points, np.vstack([tets, tets[:4]])), of=heart),
        "4 tetrahedra given twice",
    ),
    ("TM02 two cells lost", mesh(drilled(0.8, 0.8), of=heart), "The mesh has a closed void in the muscle, "),
    (
        "TM05 a few fibres zero",
        fibres(9, heart),
        "`fibres` missing in 9 cells (0, 1, 2, 3, 4, ...): filled by the rule",
    ),
]


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in REPAIRED], ids=[case[0] for case in REPAIRED])
def test_a_mesh_is_repaired_with_a_count(tmp_path, capsys, make, words):
    case = new_case(capsys, tmp_path)
    settings = case / "twin.toml"
    settings.write_text(settings.read_text().replace("allow_coarse = false", "allow_coarse = true"))
    taken(capsys, case, ["added mesh", words.format(n=len(heart().tets))], make(tmp_path))


def test_tm02_a_hole_in_the_endocardium_is_refused(tmp_path, capsys):
    words = ["a hole through a wall", "between left endocardium and epicardium", "allow_holes"]
    refused(capsys, new_case(capsys, tmp_path), 3, words, mesh(drilled(5.0, 40.0), of=heart)(tmp_path))


def test_tm06_a_mesh_too_coarse_is_refused_with_the_error_of_its_velocity(tmp_path, capsys):
    unchanged = mesh(lambda *both: both, of=heart)
    refused(capsys, new_case(capsys, tmp_path), 4, ["allow_coarse", "%"], unchanged(tmp_path))
