"""Open this folder in ParaView 5.12 or newer: tissue, activation and the circuits' films, side by side.

``paraview --script=open_in_paraview.py`` in this folder; or File > Load State and this file; or Tools > Python Shell >
Run Script. Where ParaView does not tell a script its place, open ``heart.vtu`` from this folder first. Then Play turns
the first circuit; in the Python Shell ``show_circuit(2)`` turns the second.
"""

import json
import os
import sys

from paraview import simple

WHITE, GREY, BLACK = [1.0, 1.0, 1.0], [0.62, 0.62, 0.62], [0.0, 0.0, 0.0]
ISTHMUS_COLOUR, EXIT_COLOUR = [0.0, 0.75, 0.85], [0.05, 0.05, 0.05]
NEVER = -0.5
"""Times below it stand for what never comes; see README.txt."""


def this_folder():
    """Where scene.json lies: beside this script, in the working folder, or beside a file that is open."""
    opened = [getattr(one, "FileName", "") for one in simple.GetSources().values()]
    names = [globals().get("__file__", ""), sys._getframe().f_code.co_filename]
    names += [one if isinstance(one, str) else "".join(one[:1]) for one in opened if one]
    for folder in [os.path.dirname(os.path.abspath(name)) for name in names if name] + [os.getcwd()]:
        if os.path.exists(os.path.join(folder, "scene.json")):
            return folder
    raise RuntimeError("open_in_paraview.py: scene.json not found; open heart.vtu from its folder and run this again")


FOLDER = this_folder()
with open(os.path.join(FOLDER, "scene.json"), encoding="utf-8") as file:
    SCENE = json.load(file)


def opened(name):
    """A file of this folder, under its own name in the pipeline browser."""
    if name not in READERS:
        READERS[name] = simple.OpenDataFile(os.path.join(FOLDER, name))
        simple.RenameSource(name, READERS[name])
    return READERS[name]


def part(source, name, field, low, high, invert=0):
    """The cells whose field, such as ("POINTS", "isthmus"), lies between two values, at every corner."""
    cells = simple.Threshold(registrationName=name, Input=source)
    cells.Scalars = list(field)
    cells.ThresholdMethod = "Between"
    cells.LowerThreshold, cells.UpperThreshold = low, high
    cells.AllScalars, cells.Invert = 1, invert
    return cells


def show(source, view, colour=None, field=None, opacity=1.0):
    """A source in a view, in one colour or by a field, with the key of that field."""
    shown = simple.Show(source, view)
    shown.SetRepresentationType("Surface")
    simple.ColorBy(shown, field)
    if colour is not None:
        shown.AmbientColor = shown.DiffuseColor = colour
    shown.Opacity = opacity
    if field is not None:
        shown.SetScalarBarVisibility(view, True)
    return shown


def title(text, view):
    words = simple.Text(registrationName="title: " + text)
    words.Text = text
    shown = simple.Show(words, view)
    shown.WindowLocation = "Upper Center"
    shown.Color, shown.FontSize = BLACK, 18


def colour_maps():
    """Tissue by its names; times by the colours of the report, early first."""
    tissue = simple.GetColorTransferFunction("tissue_class")
    tissue.InterpretValuesAsCategories = 1
    tissue.AnnotationsInitialized = 1
    tissue.Annotations = SCENE["tissue"]["annotations"]
    tissue.IndexedColors = SCENE["tissue"]["colours"]
    for field, points in SCENE["colour_maps"].items():
        times = simple.GetColorTransferFunction(field)
        times.RGBPoints = points
        times.ColorSpace = "RGB"


def key(field, view, text):
    bar = simple.GetScalarBar(simple.GetColorTransferFunction(field), view)
    bar.Title, bar.ComponentTitle = text, ""
    bar.TitleColor = bar.LabelColor = BLACK


def new_view(name):
    view = simple.CreateView("RenderView", registrationName=name)
    view.UseColorPaletteForBackground = 0
    view.Background = WHITE
    view.OrientationAxesLabelColor = BLACK
    return view


def tissue_view():
    """The heart, seen through, by tissue class; core, corridors and the preferred plan's lesions in it."""
    view, heart = new_view("tissue"), SOURCES["heart"]
    field = ("CELLS", "tissue_class")
    show(heart, view, field=field, opacity=0.3)
    if SCENE["tissue"]["core"]:
        show(part(heart, "scar core", field, 3, 3), view, field=field, opacity=0.6)
    if "corridors" in SOURCES:
        ways = simple.Tube(registrationName="corridors, as tubes", Input=SOURCES["corridors"])
        ways.Radius = 1.0
        show(ways, view, colour=ISTHMUS_COLOUR)
    show_lesions(view)
    key("tissue_class", view, "tissue")
    title(SCENE["titles"]["tissue"], view)
    return view


def show_lesions(view, opacity=0.9):
    if "lesions" in SOURCES:
        show(SOURCES["lesions"], view, colour=SCENE["ablated_colour"], opacity=opacity)


def activation_view():
    """When the beat arrives; grey where it never does."""
    view, field = new_view("activation"), SCENE["activation"]["field"]
    source = SOURCES["activation"]
    by_time = ("POINTS", field)
    show(part(source, "activated", by_time, NEVER, 1e6), view, field=by_time)
    show(part(source, "never activated", by_time, NEVER, 1e6, invert=1), view, colour=GREY)
    key(field, view, "activation, ms")
    title(SCENE["titles"]["activation"], view)
    return view


def circuit_parts(circuit, view):
    """The film of one circuit, its isthmus and its exit; all of them hidden."""
    name = f"circuit {circuit['number']}"
    film, tissue = opened(circuit["film"]), ("CELLS", "tissue_class")
    moving, core = (
        part(film, f"{name}: {what}", tissue, *bounds) for what, bounds in (("film", (1, 2)), ("core", (3, 3)))
    )
    show(moving, view, field=("POINTS", "since_ms"), opacity=0.85)
    show(core, view, colour=GREY)
    isthmus = part(opened(circuit["map"]), f"{name}: isthmus", ("POINTS", "isthmus"), 1, 1)
    show(isthmus, view, colour=ISTHMUS_COLOUR, opacity=0.4)
    leaving = simple.Sphere(registrationName=f"{name}: exit", Center=circuit["exit_mm"], Radius=2.5)
    show(leaving, view, colour=EXIT_COLOUR)
    clock = simple.AnnotateTimeFilter(registrationName=f"{name}: time", Input=film)
    clock.Format = name + ": {time:.0f} ms of " + f"{circuit['cycle_length_ms']:.0f} ms"
    simple.Show(clock, view).Color = BLACK
    shown = (moving, core, isthmus, leaving, clock)
    for one in shown:
        simple.Hide(one, view)
    return shown


def show_circuit(number):
    """Turn to one circuit, counted from 1: its film alone, looping over its own cycle."""
    view = VIEWS["circuit"]
    for each, parts in CIRCUITS.items():
        for one in parts:
            (simple.Show if each == number else simple.Hide)(one, view)
    circuit = SCENE["circuits"][number - 1]
    scene = simple.GetAnimationScene()
    scene.PlayMode = "Sequence"
    scene.NumberOfFrames = circuit["frames"]
    # A reader shows the last step at or before the time asked for: a little more, lest rounding shows the one before.
    scene.StartTime, scene.EndTime = 0.0, circuit["last_frame_ms"] * (1 + 1e-6)
    scene.Loop = 1
    scene.AnimationTime = 0.0
    simple.RenderAllViews()


def circuit_view():
    view = new_view("circuit")
    for circuit in SCENE["circuits"]:
        CIRCUITS[circuit["number"]] = circuit_parts(circuit, view)
    show_lesions(view, opacity=0.5)
    key("since_ms", view, "since the wave passed, ms")
    title(SCENE["titles"]["circuit"], view)
    return view


def lay_out(views):
    """Side by side in one layout, looking at the scar with one camera."""
    layout = simple.CreateLayout(name="CardioTwin")
    cell = 0
    for left, view in enumerate(views[:-1]):
        layout.SplitHorizontal(cell, 1.0 / (len(views) - left))
        layout.AssignView(2 * cell + 1, view)
        cell = 2 * cell + 2
    layout.AssignView(cell, views[-1])
    simple.RenderAllViews()  # the first rendering sets a camera of its own
    for view in views:
        view.CameraPosition = SCENE["camera"]["position"]
        view.CameraFocalPoint = SCENE["camera"]["focal_point"]
        view.CameraViewUp = SCENE["camera"]["up"]
        view.CenterOfRotation = SCENE["camera"]["focal_point"]
    for number, view in enumerate(views[1:], start=1):
        simple.AddCameraLink(views[0], view, f"camera {number}")
    simple.SetActiveView(views[0])
    simple.RenderAllViews()


READERS: dict = {}
VIEWS: dict = {}
CIRCUITS: dict = {}
SOURCES = {name: opened(file) for name, file in SCENE["files"].items()}
colour_maps()
VIEWS["tissue"] = tissue_view()
if SCENE["activation"]:
    VIEWS["activation"] = activation_view()
if SCENE["circuits"]:
    VIEWS["circuit"] = circuit_view()
lay_out(list(VIEWS.values()))
if SCENE["circuits"]:
    show_circuit(1)
