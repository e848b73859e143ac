"""Frames of a cine come in the order of the heart beat, whatever their names and numbers say."""

import numpy as np
import pytest
from made_dicom import OBLIQUE, cine_slice, lge_series, lge_slice, signal_at, write
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from cardiotwin.ingest import read_dicom, survey, write_deidentified
from cardiotwin.ingest.stacks import in_time, positions_of

N_SLICES, N_FRAMES = 3, 6


def cine(**tags):
    """A cine slice by slice; a tag may be a function of slice and frame."""
    made = []
    for k in range(N_SLICES):
        for frame in range(N_FRAMES):
            given = {key: value(k, frame) if callable(value) else value for key, value in tags.items()}
            made.append(cine_slice(k, frame, **{key: value for key, value in given.items() if value is not None}))
            for key in (key for key, value in given.items() if value is None):
                delattr(made[-1], key)
    return made


def orders(folder):
    """For each position the first pixel of each frame, in the order in which the frames are taken."""
    from cardiotwin.ingest.pixels import PixelSource

    source = PixelSource()
    slices = [one for series in survey(folder).series for one in series.slices]
    return [[int(source.signal(one)[0, 0]) for one in in_time(group)] for group in positions_of(slices)]


EXPECTED = [[100 * k + 10 * frame for frame in range(N_FRAMES)] for k in range(N_SLICES)]


def test_trigger_times_order_frames_whose_instance_numbers_run_backwards(tmp_path):
    folder = write(tmp_path / "cine", cine(InstanceNumber=lambda k, frame: 50 - frame))
    assert orders(folder) == EXPECTED
    np.testing.assert_array_equal(read_dicom(folder).values[1], signal_at(1, 0))


def test_which_frame_is_used_is_told_with_its_time(tmp_path):
    folder = write(tmp_path / "cine", cine(TriggerTime=lambda k, frame: 12.0 + 2 * k + 40 * frame))
    told = "cine of 6 frames: the first of each slice is used, 12 to 16 ms after the trigger, taken as end-diastole"
    assert told in read_dicom(folder).notes
    untimed = read_dicom(write(tmp_path / "untimed", cine(TriggerTime=None))).notes
    assert "cine of 6 frames: the first of each slice is used, taken as end-diastole" in untimed


def test_of_one_frame_nothing_is_told(tmp_path):
    assert not any("frames" in note for note in read_dicom(write(tmp_path / "lge", lge_series())).notes)


def test_temporal_positions_order_frames_without_trigger_time(tmp_path):
    tags = {"TriggerTime": None, "TemporalPositionIdentifier": lambda k, frame: frame + 1}
    folder = write(tmp_path / "cine", cine(InstanceNumber=lambda k, frame: 50 - frame, **tags))
    assert orders(folder) == EXPECTED
    assert any("by temporal position" in note for note in read_dicom(folder).notes)


def test_instance_numbers_order_frames_that_say_nothing_else(tmp_path):
    folder = write(tmp_path / "cine", cine(TriggerTime=None, InstanceNumber=lambda k, frame: frame + 1))
    assert orders(folder) == EXPECTED


def test_frames_that_say_nothing_at_all_are_kept_as_they_come_with_a_note(tmp_path):
    folder = write(tmp_path / "cine", cine(TriggerTime=None, InstanceNumber=None))
    assert any("in file order" in note for note in read_dicom(folder).notes)


def enhanced_cine(**modifier):
    """All slices and frames in one Enhanced MR object, in an order of no meaning."""
    dataset = lge_slice(0, SOPClassUID=EnhancedMRImageStorage, InversionTime=None, SeriesDescription="cine")
    dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = dataset.PixelSpacing, 8
    orientation.ImageOrientationPatient = [float(v) for v in OBLIQUE.ravel()]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    frames, pixels = [], []
    places = [(k, frame) for frame in range(N_FRAMES) for k in range(N_SLICES)]
    for k, frame in (places[i] for i in np.random.default_rng(4).permutation(len(places))):
        position, synchronised, scale, group = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = lge_slice(k).ImagePositionPatient
        synchronised.NominalCardiacTriggerDelayTime = 40.0 * frame
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = k + 1, -7, "US"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [scale]
        group.CardiacSynchronizationSequence = [synchronised]
        frames.append(group)
        pixels.append(signal_at(k, frame).tobytes())
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    if modifier:
        inversion = Dataset()
        for keyword, value in modifier.items():
            setattr(inversion, keyword, value)
        shared.MRModifierSequence = [inversion]
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = [shared], frames
    dataset.NumberOfFrames, dataset.PixelData = len(frames), b"".join(pixels)
    return dataset


def test_an_enhanced_cine_has_its_frames_in_time_and_its_own_scale_for_each(tmp_path):
    image = read_dicom(write(tmp_path / "cine", [enhanced_cine()]))
    assert image.kind == "cine"
    for k in range(N_SLICES):
        np.testing.assert_allclose(image.values[k], signal_at(k, 0) * (k + 1.0) - 7)
        np.testing.assert_allclose(image.motion[k], (k + 1) * np.std(10.0 * np.arange(N_FRAMES)), rtol=1e-5)


def test_the_copy_of_an_enhanced_cine_reads_like_the_original(tmp_path):
    source = write(tmp_path / "in", [enhanced_cine()])
    (tmp_path / "out").mkdir()
    write_deidentified(source.iterdir(), tmp_path / "out")
    one, other = read_dicom(source), read_dicom(tmp_path / "out")
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.motion, other.motion)


@pytest.mark.parametrize("said", ["enhanced", "classic"])
def test_an_inversion_time_makes_late_enhancement_in_either_kind_of_object(tmp_path, said):
    if said == "classic":
        series = lge_series(change=lambda k, dataset: setattr(dataset, "SeriesDescription", "sax"))
    else:
        series = [enhanced_cine(InversionTimes=[300.0])]
        keep = [i for i, group in enumerate(series[0].PerFrameFunctionalGroupsSequence) if first(group)]
        one = series[0]
        groups = one.PerFrameFunctionalGroupsSequence
        size = len(one.PixelData) // len(groups)
        one.PixelData = b"".join(one.PixelData[i * size : (i + 1) * size] for i in keep)
        one.PerFrameFunctionalGroupsSequence = [groups[i] for i in keep]
        one.NumberOfFrames, one.SeriesDescription = len(keep), "sax"
    (found,) = survey(write(tmp_path / "lge", series)).series
    assert (found.kind, found.because) == ("lge", "InversionTime (0018,0082) is given")


def first(group):
    return group.CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime == 0
