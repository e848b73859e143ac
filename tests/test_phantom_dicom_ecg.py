"""A DICOM ECG written by the phantom means what it says."""

import numpy as np
import pydicom
import pytest
from data_folder import real_data

from cardiotwin.ecg.recording import LEADS, Ecg
from cardiotwin.phantom.dicom_ecg import MICROVOLTS_PER_STEP, write_dicom_ecg
from cardiotwin.phantom.patient import phantom_patient


@pytest.fixture
def ecg():
    time_s = np.arange(5000) / 500
    return Ecg(LEADS, np.stack([0.1 * (k + 1) * np.sin(2 * np.pi * (k + 1) * time_s) for k in range(12)]), 500.0)


@pytest.fixture
def dataset(ecg, tmp_path):
    return pydicom.dcmread(write_dicom_ecg(tmp_path / "ecg.dcm", ecg, phantom_patient(1), date="20240312"))


def test_reads_back_in_microvolts_within_half_a_step(ecg, dataset):
    """pydicom applies sensitivity, correction and baseline itself."""
    microvolts = dataset.waveform_array(0).T
    np.testing.assert_allclose(microvolts, 1e3 * ecg.mv, atol=0.5 * MICROVOLTS_PER_STEP + 1e-9)


def test_leads_are_written_in_the_standard_order_whatever_order_they_come_in(ecg, dataset, tmp_path):
    backwards = Ecg(LEADS[::-1], ecg.mv[::-1], ecg.hz)
    path = write_dicom_ecg(tmp_path / "backwards.dcm", backwards, phantom_patient(1), date="20240312")
    np.testing.assert_array_equal(pydicom.dcmread(path).waveform_array(0), dataset.waveform_array(0))


def test_lead_codes_are_those_a_real_cart_writes(dataset):
    """SCP-ECG and MDC number the leads alike: ``5.6.3-9-61`` and ``2:61`` are both lead III."""
    cart = pydicom.dcmread(real_data("ecg", "dicom_waveform_pydicom", "waveform_ecg.dcm"))

    def numbers(source, separator):
        channels = source.WaveformSequence[0].ChannelDefinitionSequence
        codes = [channel.ChannelSourceSequence[0] for channel in channels]
        return {" ".join(code.CodeMeaning.split()[:2]): code.CodeValue.split(separator)[-1] for code in codes}

    assert numbers(dataset, ":") == numbers(cart, "-")


def test_what_the_iod_cannot_hold_is_refused(ecg, tmp_path):
    for bad in (
        Ecg(LEADS[:8], ecg.mv[:8], 500.0),
        Ecg(LEADS, ecg.mv, 2000.0),
        Ecg(LEADS, 1e3 * ecg.mv, 500.0),
        Ecg(LEADS, np.full_like(ecg.mv, np.nan), 500.0),
    ):
        with pytest.raises(ValueError, match="expected"):
            write_dicom_ecg(tmp_path / "no.dcm", bad, phantom_patient(1), date="20240312")
    assert not list(tmp_path.glob("no*"))
