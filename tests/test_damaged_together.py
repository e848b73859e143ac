"""All damaged files of a folder are told at once, truncated ones as such; of a cine, which slices lack frames."""

import pytest
from made_dicom import cine_slice, ecg, lge_series, twelve_leads, write

from cardiotwin import presets
from cardiotwin.ecg.recording import LEADS
from cardiotwin.errors import InputRejected
from cardiotwin.ingest import read_dicom
from cardiotwin.ingest.damaged import MOST_LISTED
from cardiotwin.ingest.study import survey
from cardiotwin.twin.twin import Twin


def shortened(folder, damage):
    """Files by number cut to some bytes; a number of bytes below 1 is a share of the file."""
    files = sorted(folder.iterdir())
    for number, length in damage.items():
        content = files[number].read_bytes()
        files[number].write_bytes(content[: int(length * len(content)) if 0 < length < 1 else length])
    return [files[number].name for number in damage]


def cine(folder, count=4):
    return write(folder, [cine_slice(k, frame) for k in range(count) for frame in range(6)])


@pytest.fixture
def export(tmp_path):
    return cine(tmp_path / "cine")


def test_every_damaged_file_is_told_at_once_with_what_it_lacks(export):
    """Cut in the pixels, before the geometry, to nothing, and to bytes that are no DICOM."""
    geometry = sorted(export.iterdir())[9].read_bytes().index(b"\x28\x00\x02\x00")
    names = shortened(export, {2: 0.9, 9: geometry, 15: 0, 20: 40})
    with pytest.raises(InputRejected, match=r"found 4 damaged files among 24.*skip_bad=") as refused:
        read_dicom(export)
    told = {line.split(": ")[0]: line for line in refused.value.listed}
    assert sorted(told) == sorted(names)
    assert ["truncated" in told[name] for name in names] == [True, True, False, False]
    assert "PixelData" in told[names[0]]
    assert "Rows (0028,0010): found nothing" in told[names[1]]
    assert "empty" in told[names[2]]
    assert "DICM" in told[names[3]]


def test_files_without_a_geometry_are_told_together_over_all_series(tmp_path):
    """Each in a series of its own, as single slices are exported, and none that is damaged beyond its header."""
    folder = tmp_path / "cine"
    made = [cine_slice(k, frame, SeriesInstanceUID=f"1.2.9.{k}") for k in range(4) for frame in range(6)]
    write(folder, made)
    files = sorted(folder.iterdir())
    names = shortened(folder, {k: files[k].read_bytes().index(b"\x28\x00\x02\x00") for k in (3, 20)})
    with pytest.raises(InputRejected, match="found 2 damaged files among 24") as refused:
        read_dicom(folder)
    assert [line.split(": ")[0] for line in refused.value.listed] == names


def test_a_whole_file_that_lacks_a_tag_is_not_called_truncated(tmp_path):
    folder = write(tmp_path / "lge", lge_series(change=lambda k, dataset: delattr(dataset, "Modality") if k else None))
    with pytest.raises(InputRejected, match="found 4 damaged files among 5") as refused:
        read_dicom(folder)
    assert "truncated" not in str(refused.value)


def test_of_very_many_the_first_are_listed_and_the_rest_counted(export):
    shortened(export, dict.fromkeys(range(24), 200))
    with pytest.raises(InputRejected, match="found 24 damaged files among 24") as refused:
        survey(export)
    assert len(refused.value.listed) == MOST_LISTED + 1
    assert refused.value.listed[-1] == f"and {24 - MOST_LISTED} more"


def test_damaged_ecgs_beside_a_sound_one_are_told_together(tmp_path):
    folder = write(tmp_path / "ecgs", [ecg(twelve_leads(), LEADS)])
    for name in ("a", "b"):
        (folder / f"{name}.hea").write_text(f"{name} 12 500\n")
    twin = Twin.create(tmp_path / "case", presets.settings_text(presets.preset("default"), ""))
    with pytest.raises(InputRejected, match="found 2 damaged files among 3") as refused:
        twin.add([folder])
    assert [line[:5] for line in refused.value.listed] == ["a.hea", "b.hea"]


def test_slices_that_lack_frames_are_named_with_their_place(export):
    files = sorted(export.iterdir())
    lost = [
        file for file in files if file.read_bytes().count(b"1.2.5.3.") and not file.read_bytes().count(b"1.2.5.3.1\0")
    ]
    for file in lost[:2]:
        file.unlink()
    slices = [one for series in survey(export).series for one in series.slices]
    counts = {}
    for one in slices:
        counts.setdefault(tuple(one.position_mm), []).append(one)
    (place,) = (place for place, frames in counts.items() if len(frames) == 4)
    (note,) = (note for note in read_dicom(export).notes if "frames per slice differ" in note)
    assert f"at ({', '.join(f'{mm:.1f}' for mm in place)}) mm has 4; the others of 4 have 6" in note


def test_where_all_slices_have_the_same_frames_nothing_is_told(export):
    assert not any("differ" in note for note in read_dicom(export).notes)
