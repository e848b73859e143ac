"""Small ECG files in the formats of vendors, written from their published layouts and by nothing that reads them."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from pathlib import Path

import numpy as np

from cardiotwin.ecg.recording import LEADS

STEP_MV = 0.0025
PATIENT = {"person": "canary-id-17", "born": "1961", "sex": "F"}
"""As the DICOM files of `made_dicom`."""
GENDER = {"F": "FEMALE", "M": "MALE"}
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


def counts(mv: np.ndarray) -> np.ndarray:
    """Whole steps of 2.5 uV, as (n_leads, n_samples) int16."""
    return np.rint(np.asarray(mv) / STEP_MV).astype("<i2")


# ------------------------------------------------------------------------------------------------------------- XML


def aecg(path: Path, mv: np.ndarray, leads=LEADS, hz: float = 500.0, **changed: str) -> Path:
    """HL7 aECG with one rhythm series, beginning at nine o'clock."""
    told = {"step": f"{1 / hz:.9g}", "step_unit": "s", "unit": "uV", "scale": "2.5", "high": "", "prolog": ""}
    told |= PATIENT | changed
    end = told["high"] or f"202403050900{mv.shape[1] / hz:06.3f}"
    rows = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/><value>'
        f'<origin value="0" unit="{told["unit"]}"/><scale value="{told["scale"]}" unit="{told["unit"]}"/>'
        f"<digits>{' '.join(map(str, row))}</digits>"
        "</value></sequence></component>"
        for lead, row in zip(leads, counts(mv), strict=True)
    )
    path.write_text(
        f'<?xml version="1.0"?>{told["prolog"]}<!-- a comment --><AnnotatedECG xmlns="urn:hl7-org:v3">'
        '<componentOf><trialSubject><id extension="CANARY-7"/><subjectDemographicPerson><name>CANARY</name>'
        f'<administrativeGenderCode code="{told["sex"]}"/><birthTime value="{told["born"]}0203"/>'
        "</subjectDemographicPerson></trialSubject></componentOf><component>"
        f'<series><code code="RHYTHM"/><effectiveTime><low value="20240305090000"/><high value="{end}"/>'
        "</effectiveTime>"
        '<component><sequenceSet><component><sequence><code code="TIME_ABSOLUTE"/><value><head value="20240305090000"/>'
        f'<increment value="{told["step"]}" unit="{told["step_unit"]}"/></value></sequence></component>{rows}'
        "</sequenceSet></component></series></component></AnnotatedECG>"
    )
    return path


def muse(path: Path, mv: np.ndarray, leads=EIGHT, hz: int = 500, **changed: str) -> Path:
    """GE MUSE XML as its document type has it: one waveform of eight leads, and the rate told a second time."""
    told = {"other_hz": str(hz), "samples": "", "crc": "", "unit": "MICROVOLTS", "bpm": "60", "prolog": ""}
    told |= PATIENT | changed

    def lead_data(lead: str, row: np.ndarray) -> str:
        data = row.tobytes()
        return (
            f"<LeadData><LeadByteCountTotal>{len(data)}</LeadByteCountTotal><LeadTimeOffset>0</LeadTimeOffset>"
            f"<LeadSampleCountTotal>{told['samples'] or row.size}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>2.5</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>{told['unit']}"
            f"</LeadAmplitudeUnits><LeadID>{lead}</LeadID><LeadSampleSize>2</LeadSampleSize>"
            f"<LeadDataCRC32>{told['crc'] or zlib.crc32(data)}</LeadDataCRC32>"
            f"<WaveFormData>\n{base64.encodebytes(data).decode()}</WaveFormData></LeadData>"
        )

    rows = "".join(lead_data(lead, row) for lead, row in zip(leads, counts(mv), strict=True))
    path.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">'
        f"{told['prolog']}<RestingECG><PatientDemographics><PatientID>{told['person']}</PatientID>"
        f"<DateofBirth>02-03-{told['born']}</DateofBirth><Gender>{GENDER[told['sex']]}</Gender>"
        "<PatientLastName>CANARY</PatientLastName></PatientDemographics><TestDemographics><AcquisitionTime>09:00:00</AcquisitionTime>"
        "<AcquisitionDate>03-05-2024</AcquisitionDate></TestDemographics><RestingECGMeasurements>"
        f"<VentricularRate>{told['bpm']}</VentricularRate><ECGSampleBase>{told['other_hz']}</ECGSampleBase>"
        "<ECGSampleExponent>0</ECGSampleExponent></RestingECGMeasurements><Waveform><WaveformType>Median</WaveformType><SampleBase>500</SampleBase>"
        "</Waveform><Waveform><WaveformType>Rhythm</WaveformType>"
        f"<NumberofLeads>{len(leads)}</NumberofLeads><SampleBase>{hz}</SampleBase><SampleExponent>0</SampleExponent>"
        f"{rows}</Waveform></RestingECG>"
    )
    return path


def philips(path: Path, mv: np.ndarray, hz: int = 500, packed: bool = True, **changed: str) -> Path:
    """Philips Sierra XML 1.04 in UTF-16, packed by XLI or not."""
    told = {
        "version": "1.04",
        "duration": str(round(1000 * mv.shape[1] / hz)),
        "resolution": "2.5",
        "bpm": "60",
    } | PATIENT
    told |= {"chunks": base64.b64encode(xli(counts(mv)) if packed else counts(mv).tobytes()).decode()} | changed
    path.write_bytes(
        (
            '<?xml version="1.0" encoding="utf-16"?><restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>'
            f"<documenttype>PhilipsECG</documenttype><documentversion>{told['version']}</documentversion></documentinfo>"
            '<dataacquisition date="2024-03-05" time="09:00:00"><signalcharacteristics>'
            f"<samplingrate>{hz}</samplingrate><resolution>2.5</resolution><acquisitiontype>10-WIRE</acquisitiontype>"
            "<bitspersample>16</bitspersample><signaloffset>0</signaloffset><numberchannelsvalid>12</numberchannelsvalid>"
            "</signalcharacteristics></dataacquisition><patient><generalpatientdata>"
            f"<patientid>{told['person']}</patientid><name><lastname>CANARY</lastname></name>"
            f"<age><dateofbirth>{told['born']}-02-03</dateofbirth></age><sex>{GENDER[told['sex']].title()}</sex>"
            "</generalpatientdata></patient><internalmeasurements><crossleadmeasurements>"
            f"<meanventrate>{told['bpm']}</meanventrate></crossleadmeasurements></internalmeasurements><waveforms>"
            f'<parsedwaveforms dataencoding="Base64" compression="{"XLI" if packed else "Uncompressed"}" '
            f'numberofleads="12" leadlabels="{" ".join(LEADS)}" durationperchannel="{told["duration"]}" '
            f'samplespersecond="{hz}" resolution="{told["resolution"]}">{told["chunks"]}</parsedwaveforms></waveforms>'
            "</restingecgdata>"
        ).encode("utf-16")
    )
    return path


def xli(whole: np.ndarray) -> bytes:
    """Twelve leads packed as Philips packs them: rests of the limb leads, second differences, high bytes first, LZW."""
    rows = [[int(v) for v in row] for row in whole]
    one, two, three = rows[0], rows[1], rows[2]
    rests = [
        one,
        two,
        [b - a - c for a, b, c in zip(one, two, three, strict=True)],
        [-v - (a + b) // 2 for a, b, v in zip(one, two, rows[3], strict=True)],
        [(a - c) // 2 - v for a, c, v in zip(one, three, rows[4], strict=True)],
        [(b + c) // 2 - v for b, c, v in zip(two, three, rows[5], strict=True)],
        *rows[6:],
    ]
    packed = b""
    for row in rests:
        bends = [2 * row[k - 1] - row[k - 2] - row[k] for k in range(2, len(row))]
        numbers = [row[0], row[1], *(bend + 64 for bend in bends[1:]), 0]
        words = struct.pack(f">{len(numbers)}h", *numbers)
        codes = lzw_codes(words[0::2] + words[1::2])
        packed += struct.pack("<iHh", len(codes), 0, bends[0]) + codes
    return packed


def lzw_codes(content: bytes) -> bytes:
    """LZW with codes of 10 bits and a table that is kept when it is full; code 1023 ends."""
    table = {bytes([value]): value for value in range(256)}
    bits, word = "", b""
    for value in content:
        longer = word + bytes([value])
        if longer in table:
            word = longer
            continue
        bits += f"{table[word]:010b}"
        if len(table) <= 1022:
            table[longer] = len(table)
        word = bytes([value])
    bits += f"{table[word]:010b}" + f"{1023:010b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


# ---------------------------------------------------------------------------------------------------------- binary


def edf(path: Path, mv: np.ndarray, leads=LEADS, hz: int = 500, **changed: object) -> Path:
    """EDF in data records of a second; a range of -16 to 16 mV over 16 bits; more signals may be named."""
    told = {
        "records": mv.shape[1] // hz,
        "duration": "1",
        "unit": "mV",
        "reserved": "",
        "low": "-16",
        "label": "ECG {}",
    }
    told |= PATIENT | changed
    n = len(leads)

    def fields(words, width):
        return "".join(str(word).ljust(width) for word in words)

    header = (
        "0".ljust(8)
        + f"{told['person']} {told['sex']} 03-FEB-{told['born']} CANARY".ljust(80)
        + "Startdate X".ljust(80)
        + "05.03.2409.00.00"
    )
    header += fields([256 * (n + 1)], 8) + fields([told["reserved"]], 44)
    header += fields([told["records"]], 8) + fields([told["duration"]], 8) + fields([n], 4)
    header += fields([str(told["label"]).format(lead) for lead in leads], 16) + fields(["AgAgCl"] * n, 80)
    header += fields([told["unit"]] * n, 8) + fields([told["low"]] * n, 8) + fields(["16"] * n, 8)
    header += fields(["-32768"] * n, 8) + fields(["32767"] * n, 8) + fields([""] * n, 80)
    header += fields([hz] * n, 8) + fields([""] * n, 32)
    stored = np.clip(np.rint((mv + 16) / 32 * 65535) - 32768, -32768, 32767).astype("<i2")
    records = stored[:, : stored.shape[1] // hz * hz].reshape(n, -1, hz).transpose(1, 0, 2)
    path.write_bytes(header.encode("ascii") + records.tobytes())
    return path


def scp(path: Path, mv: np.ndarray, leads=EIGHT, hz: int = 500, **changed) -> Path:
    """SCP-ECG: sections 0, 1, 3 and 6; amplitudes or differences, plain or by the default Huffman table."""
    told = {"differences": 0, "huffman": 0, "table": 19_999, "subtracted": 0, "bimodal": 0, "spoil": -1}
    told |= changed
    who = PATIENT | {key: value for key, value in changed.items() if key in PATIENT}
    numbers = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))
    rows = [np.diff(row.astype(int), n=told["differences"]) for row in counts(mv)]
    firsts = [[int(row[0]), int(row[1])][: told["differences"]] if told["differences"] else [] for row in counts(mv)]
    rows = [np.concatenate([first, row]).astype(int) for first, row in zip(firsts, rows, strict=True)]
    chunks = [huffman(row) if told["huffman"] else row.astype("<i2").tobytes() for row in rows]
    spans = b"".join(struct.pack("<IIB", 1, mv.shape[1], numbers[lead]) for lead in leads)
    contents = {
        1: struct.pack("<BH", 2, len(who["person"]) + 1)
        + who["person"].encode()
        + b"\0"
        + struct.pack("<BHHBB", 5, 4, int(who["born"]), 2, 3)
        + struct.pack("<BHB", 8, 1, {"M": 1, "F": 2}[who["sex"]])
        + struct.pack("<BHHBB", 25, 4, 2024, 3, 5)
        + struct.pack("<BHBBB", 26, 3, 9, 0, 0)
        + struct.pack("<BH", 255, 0),
        3: bytes([len(leads), told["subtracted"] | 4 | len(leads) << 3]) + spans,
        6: struct.pack("<HHBB", 2500, 1_000_000 // hz, told["differences"], told["bimodal"])
        + struct.pack(f"<{len(leads)}H", *map(len, chunks))
        + b"".join(chunks),
    }
    if told["huffman"]:
        contents[2] = struct.pack("<H", told["table"])
    at, pointers, body = 6 + 16 + 10 * 12, b"", b""
    for number in range(12):
        content = contents.get(number)
        if number and content is not None:
            content += b"\0" * (len(content) % 2)
            section = header_of(number, content)
            pointers += struct.pack("<HII", number, len(section), at + len(body) + 1)
            body += section
        elif number:
            pointers += struct.pack("<HII", number, 0, 0)
    first = struct.pack("<HII", 0, 16 + 120, 7)
    record = header_of(0, first + pointers, b"SCPECG") + body
    record = struct.pack("<I", len(record) + 6) + record
    data = bytearray(struct.pack("<H", binascii.crc_hqx(record, 0xFFFF)) + record)
    if told["spoil"] >= 0:
        data[told["spoil"]] ^= 1
    path.write_bytes(bytes(data))
    return path


def header_of(number: int, content: bytes, reserved: bytes = b"\0" * 6) -> bytes:
    """A section: checksum, number, length, two versions, six bytes, content."""
    rest = struct.pack("<HIBB", number, len(content) + 16, 20, 20) + reserved + content
    return struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest


def huffman(values: np.ndarray) -> bytes:
    """The default table of SCP-ECG, annex C."""
    words = {0: "0"} | {k: "1" * k + "00" for k in range(1, 9)} | {-k: "1" * k + "01" for k in range(1, 9)}
    bits = []
    for value in map(int, values):
        if value in words:
            bits.append(words[value])
        elif -128 <= value < 128:
            bits.append(f"1111111110{value & 0xFF:08b}")
        else:
            bits.append(f"1111111111{value & 0xFFFF:016b}")
    whole = "".join(bits)
    whole += "0" * (-len(whole) % 16)
    return int(whole, 2).to_bytes(len(whole) // 8, "big")


# --------------------------------------------------------------------------------------------------------- rhythms

DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""I, II and V1 to V6 of a dipole (left, feet, back), after Dower 1980."""


def sinus(hz: float = 500.0, seconds: float = 10.0, cycle_s: float = 0.8, noise_mv: float = 0.005) -> np.ndarray:
    """(12, n_samples) mV of a healthy dipole: P, a QRS that turns from the right and front to the left and back, T."""
    t = np.arange(round(hz * seconds)) / hz
    phase = (t + 0.3) % cycle_s

    def wave(at_ms: float, width_ms: float, *size: float) -> np.ndarray:
        return np.outer(size, np.exp(-0.5 * ((1000 * phase - at_ms) / width_ms) ** 2))

    dipole = wave(140, 22, 0.08, 0.12, 0.02) + wave(275, 8, -0.15, 0.1, -0.35) + wave(295, 10, 1.1, 0.9, 0.2)
    dipole = dipole + wave(320, 9, -0.2, 0.0, 0.6) + wave(560, 45, 0.35, 0.25, -0.12)
    one, two, *chest = DOWER @ dipole + noise_mv * np.random.default_rng(0).standard_normal((8, t.size))
    return np.array([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, *chest])
