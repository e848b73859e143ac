"""A film of a circuit turns once and closes on itself; the script for ParaView names only what is there."""

import base64
import io
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from small_study import small_study
from test_paraview import fields, opened

from cardiotwin.ablation.lesions import lesion_elements
from cardiotwin.exports.films import frame_times_ms, since_ms
from cardiotwin.exports.paraview import write_study
from cardiotwin.exports.paraview_scene import SCRIPT
from cardiotwin.pictures import pictures
from cardiotwin.pictures.camera import PANEL_PX
from cardiotwin.pictures.film import FILM_PX, FRAMES, circuit_film, film_frames
from cardiotwin.pictures.skin import outside
from cardiotwin.report import write_report
from cardiotwin.study import Study


@pytest.fixture(scope="module")
def study():
    return small_study(4.0)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_study(folder, study)
    return folder


def frames(folder, number):
    """(n_steps,) times and (n_steps, n_nodes) values as VTK reads them, and the last data."""
    reader, _ = opened(folder / f"circuit_{number}_film.vtkhdf")
    times, values = [], []
    for step in range(reader.GetNumberOfSteps()):
        reader.SetStep(step)
        reader.Update()
        times.append(reader.GetTimeValue())
        values.append(fields(reader.GetOutput())["since_ms"].copy())
    return np.array(times), np.array(values), reader.GetOutput()


def test_the_wave_passes_each_node_once_a_turn_and_the_last_frame_leads_to_the_first(folder, study):
    circuit = study.arrhythmias.circuits[0]
    cycle, step = circuit.cycle_length_ms, circuit.cycle_length_ms / FRAMES
    times, since, surface = frames(folder, 1)
    np.testing.assert_allclose(times, step * np.arange(FRAMES))
    reached = fields(surface)["reached"] == 1
    assert 0 < reached.sum() < reached.size
    assert (since[:, ~reached] == np.float32(cycle)).all()
    # From frame to frame, the last to the first among them, a step more, or the wave has come.
    grown = np.roll(since, -1, axis=0)[:, reached] - since[:, reached]
    came = grown < 0
    np.testing.assert_array_equal(came.sum(axis=0), 1)
    np.testing.assert_allclose(grown[~came], step, atol=0.5)
    np.testing.assert_allclose(grown[came], step - cycle, atol=0.5)


def test_at_its_phase_the_wave_is_there(study):
    circuit = study.arrhythmias.circuits[0]
    node = int(np.flatnonzero(np.isfinite(circuit.phase_ms))[100])
    phase = float(circuit.phase_ms[node])
    assert since_ms(circuit.phase_ms, circuit.cycle_length_ms, phase)[node] == 0.0
    assert since_ms(circuit.phase_ms, circuit.cycle_length_ms, phase + 30.0)[node] == pytest.approx(30.0, abs=0.2)


def test_isthmus_and_lesions_lie_beside_the_wave(folder, study):
    _, surface = opened(folder / "circuit_1_film.vtkhdf")
    found = fields(surface)
    mesh = study.heart.mesh
    marked = {surface.GetPoint(k) for k in np.flatnonzero(found["isthmus"])}
    assert marked <= {tuple(point) for point in mesh.points[study.arrhythmias.circuits[0].isthmus_nodes]}
    assert marked
    lesions = lesion_elements(study.heart, study.plans[0])
    np.testing.assert_array_equal(study.preferred_lesions(study.heart), lesions)
    assert 0 < found["ablated"].sum() <= 4 * lesions.sum()
    assert set(found["tissue_class"]) == {1, 2, 3}
    undecided = replace(study, comparison=replace(study.comparison, preference="no preference"))
    assert not undecided.preferred_lesions(study.heart).any()


# ----------------------------------------------------------------------------------------------------- the script

DOCUMENTED = (
    "AddCameraLink AnnotateTimeFilter ColorBy CreateLayout CreateView GetAnimationScene GetColorTransferFunction "
    "GetScalarBar GetSources Hide OpenDataFile RenameSource RenderAllViews SetActiveView Show Sphere Text "
    "Threshold Tube"
)
"""Of `paraview.simple`: all that the script may call."""


class Proxy:
    """Takes any property; remembers what it was made by and from what."""

    def __init__(self, kind, **given):
        self.kind = kind
        vars(self).update(given)

    def __getattr__(self, name):
        if name.startswith(("Set", "Split", "Assign")):
            return lambda *given: vars(self).setdefault("calls", []).append((name, *given))
        raise AttributeError(name)

    def file(self):
        return self.path if self.kind == "OpenDataFile" else self.Input.file()


class Recorder(types.ModuleType):
    """In place of `paraview.simple`: no picture, but every call."""

    def __init__(self):
        super().__init__("paraview.simple")
        self.called = []
        self.scene, self.maps = Proxy("GetAnimationScene"), {}
        for name in DOCUMENTED.split():
            setattr(self, name, lambda *given, _name=name, **named: self.record(_name, given, named))

    def record(self, name, given, named):
        made = Proxy(name, **named)
        if name == "OpenDataFile":
            made.path = given[0]
        elif name == "GetSources":
            made = {}
        elif name == "GetAnimationScene":
            made = self.scene
        elif name == "GetColorTransferFunction":
            made = self.maps.setdefault(given[0], made)
        elif name == "Show":
            made.source = given[0]
        self.called.append((name, given, made))
        return made

    def made(self, name):
        return [one for what, _, one in self.called if what == name]

    def fields_asked_for(self):
        """(file, where, field) of every colouring and every part."""
        asked = [(one.source.file(), *field) for what, (one, field), _ in self.calls("ColorBy") if field]
        return asked + [(one.file(), *one.Scalars) for one in self.made("Threshold")]

    def calls(self, name):
        return [one for one in self.called if one[0] == name]


@pytest.fixture
def run_in_paraview(monkeypatch):
    def run(folder):
        simple, package = Recorder(), types.ModuleType("paraview")
        package.simple = simple
        monkeypatch.setitem(sys.modules, "paraview", package)
        monkeypatch.setitem(sys.modules, "paraview.simple", simple)
        path = folder / SCRIPT
        names = {"__file__": str(path), "__name__": "__main__"}
        exec(compile(path.read_text(), str(path), "exec"), names)
        return simple, names

    return run


def test_the_script_asks_only_for_files_and_fields_that_are_there(folder, run_in_paraview):
    simple, _ = run_in_paraview(folder)
    names = {one.path.rsplit("/", 1)[1] for one in simple.made("OpenDataFile")}
    assert names == {
        "heart.vtu", "circuit_1.vtu", "circuit_2.vtu", "circuit_1_film.vtkhdf", "circuit_2_film.vtkhdf",
        "lesions_isthmus.vtu", *(["corridors.vtp"] if (folder / "corridors.vtp").exists() else []),
    }  # fmt: skip
    asked = simple.fields_asked_for()
    assert len(asked) > 10
    for file, where, field in asked:
        data = opened(folder / file.rsplit("/", 1)[1])[1]
        part = data.GetPointData() if where == "POINTS" else data.GetCellData()
        assert part.HasArray(field), f"{file}: {where} {field}"


def test_the_script_lays_out_three_views_with_one_camera_on_the_scar(folder, study, run_in_paraview):
    simple, names = run_in_paraview(folder)
    views = list(names["VIEWS"].values())
    (layout,) = simple.made("CreateLayout")
    assert [call[1] for call in layout.calls if call[0] == "AssignView"] == [1, 5, 6]
    assert [call[2] for call in layout.calls if call[0] == "AssignView"] == views
    assert len(simple.calls("AddCameraLink")) == 2
    eye, middle = np.array(views[0].CameraPosition), np.array(views[0].CameraFocalPoint)
    scar = study.heart.mesh.centroids[study.heart.tissue_class > 1].mean(axis=0)
    towards = (eye - middle) / np.linalg.norm(eye - middle)
    off = scar - middle
    assert off @ towards > 0.7 * np.linalg.norm(off)
    assert np.linalg.norm(eye - middle) > 2 * np.linalg.norm(study.heart.mesh.points - middle, axis=1).max()
    np.testing.assert_allclose(np.dot(views[0].CameraViewUp, towards), 0.0, atol=1e-9)


def test_one_circuit_at_a_time_turns_over_its_own_cycle(folder, study, run_in_paraview):
    simple, names = run_in_paraview(folder)
    for number in (1, 2, 1):
        before = len(simple.called)
        names["show_circuit"](number)
        shown, hidden = ([given[0] for what, given, _ in simple.called[before:] if what == w] for w in ("Show", "Hide"))
        assert set(shown) == set(names["CIRCUITS"][number])
        assert set(hidden) == set(names["CIRCUITS"][3 - number])
        last = frame_times_ms(study.arrhythmias.circuits[number - 1])[-1]
        assert simple.scene.EndTime == pytest.approx(last, rel=1e-5)
        assert (simple.scene.NumberOfFrames, simple.scene.Loop, simple.scene.PlayMode) == (FRAMES, 1, "Sequence")


def test_a_frame_that_is_played_is_that_frame(folder, run_in_paraview):
    """As ParaView asks for it, spreading the frames evenly from the first to the last moment."""
    from vtkmodules.vtkIOHDF import vtkHDFReader

    scene = run_in_paraview(folder)[0].scene
    reader = vtkHDFReader()
    reader.SetFileName(str(folder / "circuit_1_film.vtkhdf"))
    steps = []
    for frame in range(FRAMES):
        reader.UpdateTimeStep(scene.StartTime + (scene.EndTime - scene.StartTime) * frame / (FRAMES - 1))
        steps.append(reader.GetStep())
    assert steps == list(range(FRAMES))


def test_colours_are_by_name_and_from_early_to_late(folder, study, run_in_paraview):
    simple, _ = run_in_paraview(folder)
    assert simple.maps["tissue_class"].Annotations == ["1", "healthy", "2", "border zone", "3", "scar core"]
    assert len(simple.maps["tissue_class"].IndexedColors) == 9
    points = np.reshape(simple.maps["activation_ms"].RGBPoints, (-1, 4))
    time = study.confirmation.activation.activation_ms[0]
    assert points[[0, -1], 0] == pytest.approx([np.nanmin(time), np.nanmax(time)])
    assert points[0, 1] > points[0, 3]
    assert points[-1, 3] > points[-1, 1]
    wave = np.reshape(simple.maps["since_ms"].RGBPoints, (-1, 4))
    assert (np.diff(wave[:, 1:] @ [0.3, 0.6, 0.1]) < 0).all(), "from bright to dark, also without colours"


@pytest.mark.parametrize("bare", [True, False])
def test_without_arrhythmias_the_script_opens_what_there_is(study, tmp_path, run_in_paraview, bare):
    less = Study(study.heart) if bare else replace(study, arrhythmias=None, plans=(), comparison=None)
    write_study(tmp_path, less)
    simple, names = run_in_paraview(tmp_path)
    assert list(names["VIEWS"]) == (["tissue"] if bare else ["tissue", "activation"])
    for file, where, field in simple.fields_asked_for():
        data = opened(tmp_path / file.rsplit("/", 1)[1])[1]
        assert (data.GetPointData() if where == "POINTS" else data.GetCellData()).HasArray(field)


def test_the_ensemble_stands_in_for_a_beat_that_was_not_confirmed(study, tmp_path, run_in_paraview):
    write_study(tmp_path, replace(study, confirmation=None, arrhythmias=None))
    simple, _ = run_in_paraview(tmp_path)
    assert ("ensemble.vtu", "POINTS", "activation_mean_ms") in {
        (file.rsplit("/", 1)[1], where, field) for file, where, field in simple.fields_asked_for()
    }


# ------------------------------------------------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def turning(study):
    return circuit_film(
        study.heart, outside(study.heart), study.arrhythmias.circuits[0], study.preferred_lesions(study.heart)
    )


def test_the_film_for_the_report_loops_over_one_turn_and_is_small(turning):
    from PIL import Image

    with Image.open(io.BytesIO(turning)) as image:
        assert (image.format, image.n_frames, image.size, image.info["loop"]) == ("WEBP", FRAMES, FILM_PX, 0)
    assert len(turning) < 1.5e6


def test_frames_differ_as_much_across_the_seam_as_elsewhere(study):
    circuit = study.arrhythmias.circuits[0]
    frames = [
        one[:460, : 3 * PANEL_PX].astype(float)
        for one in film_frames(study.heart, outside(study.heart), circuit, study.preferred_lesions(study.heart))
    ]
    steps = [np.abs(frames[k] - frames[k - 1]).mean() for k in range(FRAMES)]
    assert min(steps) > 0.1, "it moves"
    assert steps[0] < 1.3 * max(steps[1:])


def test_the_film_is_bright_where_the_wave_is(study):
    """Brightness of the whole heart follows how much of it has just been activated."""
    circuit = study.arrhythmias.circuits[0]
    nowhere = replace(circuit, phase_ms=np.full_like(circuit.phase_ms, np.nan))
    everywhere = replace(circuit, phase_ms=np.where(np.isfinite(circuit.phase_ms), 100.0, np.nan).astype(np.float32))
    skin, lesions = outside(study.heart), np.zeros(len(study.heart.mesh.tets), bool)
    still, flash = (
        [float(frame[:460, : 3 * PANEL_PX].mean()) for frame in film_frames(study.heart, skin, one, lesions)]
        for one in (nowhere, everywhere)
    )
    assert max(still) == min(still)
    came = 100.0 / circuit.cycle_length_ms * FRAMES
    assert np.argmax(flash) == pytest.approx(came, abs=1.0)


def test_the_report_has_a_film_of_each_circuit_and_none_without(study, tmp_path, monkeypatch):
    of_circuits = lambda study: (one for one in pictures(study) if one.name.startswith("circuit"))  # noqa: E731
    monkeypatch.setattr("cardiotwin.pictures.pictures", of_circuits)
    found = study.arrhythmias
    one = replace(found, circuits=found.circuits[:1], inductions=found.inductions[:1])
    page = write_report(tmp_path, Study(study.heart, arrhythmias=one)).read_text()
    data = base64.b64encode((tmp_path / "pictures" / "circuit_1_film.webp").read_bytes()).decode()
    assert page.count(f'src="data:image/webp;base64,{data}"') == 1
    assert page.count('class="film"') == 1
    page = write_report(tmp_path, Study(study.heart)).read_text()
    assert 'class="film"' not in page
    assert not list((tmp_path / "pictures").glob("*.webp")), "of an earlier study"
