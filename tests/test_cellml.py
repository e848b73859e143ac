"""A CellML model becomes a cell model of ours: the same beat, readable source, and one line where it cannot be."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_cellml import beeler_reuter, written
from medium_blocks import block, left_end
from scipy.integrate import solve_ivp

from cardiotwin import cli
from cardiotwin.errors import InputRejected, QualityGate, SettingsError
from cardiotwin.kernels.ionic import cell_model
from cardiotwin.monodomain import Protocol, Solver, Stimulus
from cardiotwin.solver.longest_step import longest_dt_ms

pytest.importorskip("myokit", reason="Myokit is not installed: pip install cardiotwin[cellml]")

from cardiotwin.cellml import equations, import_cell_model, source, trial
from cardiotwin.cellml.reading import read_membrane

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cellml")
    return import_cell_model(written(folder / "Beeler-Reuter.cellml", **beeler_reuter()), folder=folder)


def module(path: Path, fastest: float = 0.0):
    """Generated source without a trial, as a module of plain functions; and the text."""
    membrane = read_membrane(path)
    scheme = equations.scheme(membrane, dict.fromkeys(membrane.states, fastest))
    text = source.source(membrane, scheme, source.Constants(-85.0, -70.0, 0.1, 1.0, 5.0, False), "A test.")
    draft = path.with_suffix(".py")
    draft.write_text(text)
    return cell_model(str(draft)), text


def stepped(model, state, mv, dt):
    """Gates and I_ion of one cell at a potential, in the interpreter, after a step."""
    row = np.zeros((len(model.STATE) + len(model.PARAMETERS), 16))
    row[:, 0] = [*{**model.STATE, **state}.values(), *model.PARAMETERS.values()]
    row[0, 0] = mv
    cell = row.ravel()
    model.gates(cell, 0, mv, dt)
    current = model.ionic_current(cell, 0, mv, dt)
    return current, dict(zip(model.STATE, row[:, 0], strict=False))


def printed(t, y, stimulus):
    """Beeler and Reuter's equations a second time."""
    V, Ca, x1, m, h, j, d, f = y
    e = math.exp
    i_K1 = 0.35 * (
        4 * (e(0.04 * (V + 85)) - 1) / (e(0.08 * (V + 53)) + e(0.04 * (V + 53)))
        + 0.2 * (V + 23) / (1 - e(-0.04 * (V + 23)))
    )
    i_x1 = x1 * 0.8 * (e(0.04 * (V + 77)) - 1) / e(0.04 * (V + 35))
    i_s = 0.09 * d * f * (V + 82.3 + 13.0287 * math.log(Ca))
    i = i_K1 + i_x1 + (4 * m**3 * h * j + 0.003) * (V - 50) + i_s
    alpha = (
        0.0005 * e(0.083 * (V + 50)) / (e(0.057 * (V + 50)) + 1), -(V + 47) / (e(-0.1 * (V + 47)) - 1),
        0.126 * e(-0.25 * (V + 77)), 0.055 * e(-0.25 * (V + 78)) / (e(-0.2 * (V + 78)) + 1),
        0.095 * e(-0.01 * (V - 5)) / (e(-0.072 * (V - 5)) + 1), 0.012 * e(-0.008 * (V + 28)) / (e(0.15 * (V + 28)) + 1),
    )  # fmt: skip
    beta = (
        0.0013 * e(-0.06 * (V + 20)) / (e(-0.04 * (V + 20)) + 1), 40 * e(-0.056 * (V + 72)),
        1.7 / (e(-0.082 * (V + 22.5)) + 1), 0.3 / (e(-0.1 * (V + 32)) + 1),
        0.07 * e(-0.017 * (V + 44)) / (e(0.05 * (V + 44)) + 1), 0.0065 * e(-0.02 * (V + 30)) / (e(-0.2 * (V + 30)) + 1),
    )  # fmt: skip
    gates = [a * (1 - x) - b * x for x, a, b in zip((x1, m, h, j, d, f), alpha, beta, strict=True)]
    return [stimulus - i, -1e-7 * i_s + 0.07 * (1e-7 - Ca), *gates]


@pytest.fixture(scope="module")
def truth():
    """A beat of the equations as printed: potential every millisecond."""
    y, pieces = list(beeler_reuter()["initial"].values()), []
    for begin, end, stimulus in ((0.0, 10.0, 0.0), (10.0, 12.0, 20.0), (12.0, 500.0, 0.0)):
        ms = np.arange(begin, end + 0.5)
        run = solve_ivp(printed, (begin, end), y, "LSODA", ms, args=(stimulus,), rtol=1e-9, atol=1e-12, max_step=1.0)
        pieces.append(run.y[0, (1 if begin else 0) :])
        y = run.y[:, -1]
    return np.arange(0.0, 500.5), np.concatenate(pieces)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_a_beat_of_the_import_is_a_beat_of_the_paper(imported, truth, precision):
    medium = block((1.0, 1.0, 1.0), 1.0, str(imported.path), sigma=(1e-9, 1e-9, 1e-9))
    solver = Solver(medium, 0.02, precision=precision, tolerance_mv=0.0)
    beat = Protocol((Stimulus(np.arange(len(medium.points)), 10.0, 2.0, 20.0),), 500.0)
    run = solver.run(beat, snapshot_every_ms=1.0, stop_when_quiet=False)[0]
    ms, mv = truth
    away = np.abs(ms - 12.0) > 3.0  # on the upstroke a hundredth of a millisecond is worth a millivolt
    assert np.abs(run.snapshots[:, 0] - mv)[away].max() < 0.1
    assert run.snapshots[:, 0].max() > 20.0
    rows = {row["name"]: row["value"] for row in imported.rows}
    apd = trial.measured(ms, mv, rows["resting potential"]).apd90_ms
    assert rows["APD90 of the equations"] == pytest.approx(apd, abs=0.3)
    assert rows[f"APD90, {precision} precision"] == pytest.approx(apd, abs=0.3)
    assert rows[f"difference of V, {precision} precision"] < 0.1


def test_what_is_gate_state_parameter_and_stimulus_is_found(imported):
    assert imported.path.name == "beeler_reuter.py"
    assert imported.states == ("V", "Ca_i", "x1", "m", "h", "j", "d", "f")
    assert set(imported.gates) == {"x1", "m", "h", "j", "d", "f"}
    assert imported.stiff == ()
    assert set(imported.parameters) == {"g_Na", "g_NaC", "g_s"}
    assert imported.stimulus == ("membrane.i_stim",)
    model = cell_model(str(imported.path))
    assert beeler_reuter()["initial"] == model.STATE  # to the last digit
    assert pytest.approx(-84.5, abs=0.5) == model.REST_MV
    assert model.LONGEST_STEP_MS >= 0.1
    assert model.LONGEST_DT_MS == imported.longest_dt_ms == longest_dt_ms(str(imported.path))
    assert model.NEEDS_DOUBLE is imported.needs_double is False


def test_a_wave_crosses_a_block_of_it_and_a_parameter_of_a_node_matters(imported):
    arrivals = {}
    for g_na in (4.0, 8.0):
        medium = block((8.0, 1.0, 1.0), 0.25, str(imported.path), g_Na=g_na)
        solver = Solver(medium, 0.02)
        activation = solver.run(Protocol((Stimulus(left_end(medium, 1.5), 0.0),), 60.0))[0].activation_ms[0]
        x = medium.points[:, 0]
        assert np.isfinite(activation).all()
        along = [activation[np.isclose(x, at)].mean() for at in (2.0, 4.0, 6.0, 7.5)]
        assert (np.diff(along) > 1.0).all()
        arrivals[g_na] = along[-1]
    assert arrivals[4.0] > 1.2 * arrivals[8.0]


def test_what_the_page_on_cell_models_shows_is_run(imported):
    shown = (
        (ROOT / "docs" / "cell_models.md")
        .read_text()
        .split("## Your own cell model")[1]
        .split("```python")[1]
        .split("```")[0]
    )
    shown = shown.replace("models/grandi_2010.py", str(imported.path)).replace("GNa", "g_Na").replace("18.0", "20.0")
    scope: dict = {}
    exec(shown, scope)
    assert np.isfinite(scope["activation"].activation_ms[0]).all()


@pytest.mark.slow
def test_importing_again_gives_the_same_bytes_and_overwrites_nothing_else(imported):
    folder, before = imported.path.parent, imported.path.read_bytes()
    again = import_cell_model(folder / "Beeler-Reuter.cellml", folder=folder)
    assert again.path.read_bytes() == before
    mine = folder / "mine.py"
    mine.write_text("# edited by hand\n")
    with pytest.raises(SettingsError, match="another file of that name"):
        import_cell_model(folder / "Beeler-Reuter.cellml", "mine", folder)
    assert mine.read_text() == "# edited by hand\n"


def test_the_source_is_as_ruff_wants_it(imported, tmp_path):
    names = beeler_reuter(
        l="0.1 * (O - l)", O="0.2 * (sqrt(abs(V)) + 9.5 - O)", i_K1=" + ".join(["0.01 * (V + 84.57)"] * 20)
    )
    names["initial"] |= {"l": 0.0, "O": 0.0}
    _, text = module(written(tmp_path / "odd.cellml", **names), fastest=99.0)
    assert "linearly implicit" in text
    for path in (imported.path, tmp_path / "odd.py"):
        for command in (["check"], ["format", "--check"]):
            ruff = [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), str(path)]
            done = subprocess.run(ruff, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_volts_and_seconds_are_the_same_membrane(tmp_path, version):
    """V in volts and time in seconds; -dV/dt in mV/ms stays, for a current per capacitance is just that."""
    plain, _ = module(written(tmp_path / "plain.cellml", **beeler_reuter()))
    model = beeler_reuter()
    model["equations"]["mv"] = "V * 1000"
    model["equations"] = {
        name: text if name in ("mv", "i_stim") else re.sub(r"\bV\b", "mv", text)
        for name, text in model["equations"].items()
    }
    model["rates"] = {name: text if name == "V" else f"1000 * ({text})" for name, text in model["rates"].items()}
    model["initial"]["V"] /= 1000.0
    model["equations"]["i_stim"] = "-30 if time < 0.002 else 0"
    model["units"] |= {"V": "volt", "time": "second"}
    converted, text = module(written(tmp_path / "si.cellml", **model, version=version))
    assert "rush_larsen(m," in text
    assert converted.STATE["V"] == pytest.approx(-84.57, abs=1e-12)
    for mv in (-80.0, -40.0, 20.0):
        current, state = stepped(plain, {"m": 0.3, "d": 0.4, "x1": 0.2}, mv, 0.05)
        other, state_2 = stepped(converted, {"m": 0.3, "d": 0.4, "x1": 0.2}, mv, 0.05)
        assert other == pytest.approx(current, rel=1e-10)
        assert state_2 == pytest.approx(state, rel=1e-10)


ZOO = (
    "abs(V) ** 1.7 + w ** 2 - w ** -3 + sqrt(w) + w ** 0.5",
    "log10(w) + log(w) + floor(V / 7) + (tanh(V / 30) if V > -40 else 0.5)",
    "-(-(V - -3)) / (2 - -w) * -w ** 2",
    "1 if V < -60 else 2 if V <= -30 or w == 0.4 else 3",
    "1 if -40 < V else 2 if -60 >= V or 0.4 == w else 3 if -50 <= V and 0.3 > w else k",
    "(V if not (V >= 0 and w != 0.1) else w) / (1 + V ** 2) - (1 - (2 - w))",
    "w / (V / (w / 3)) - 2 ** (w * 3) + k ** 3 * (5 if k > 1 else w)",
    "w ** n + (w + 1) ** (k - 0.75) + exp(-(V ** 2) / 800)",
)


@pytest.mark.parametrize("text", ZOO)
def test_every_supported_expression_means_what_it_says(tmp_path, text):
    """Against Python's own reading of the same text, at potentials on all sides of the conditions."""
    model = {
        "initial": {"V": -80.0, "w": 0.3}, "constants": {"k": 1.5, "n": 4.0}, "equations": {"i": text},
        "rates": {"V": "-i", "w": "0 * w"}, "units": {"V": "mV", "time": "ms"},
    }  # fmt: skip
    made, _ = module(written(tmp_path / "zoo.cellml", **model))
    named = {name: getattr(math, name) for name in ("exp", "log", "log10", "sqrt", "floor", "tanh")}
    for mv in (-80.0, -45.0, -31.7, 0.01, 25.0):
        for w in (0.3, 0.4, 1.9):
            expected = eval(text, {**named, "V": mv, "w": w, "k": 1.5, "n": 4.0})
            assert stepped(made, {"w": w}, mv, 0.1)[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("rate", "gate"),
    [
        ("(x_inf - x) / tau", True),
        ("0.001 * ((x_inf - x) / tau) * 1000", True),
        ("x_inf / tau - x / tau", True),  # linear, in another form
        ("x_inf * (1 - x) / 3 - tau * x / 3", True),
        ("(1 - x) * x_inf - x * tau", True),
        ("-(x - x_inf) / tau", True),
        ("(c - x) / tau", True),  # towards another variable
        ("x_inf * (1 - x) ** 2 - tau * x", False),
        ("x_inf * (1 - x - y) - tau * x", False),  # of a Markov chain
        ("(x - x_inf) / tau", False),  # it grows
    ],
)
def test_gates_are_what_relaxes_in_one_way_or_another(tmp_path, rate, gate):
    """And the step is the exact solution of a linear equation; forward Euler for the others."""
    model = {
        "initial": {"V": -80.0, "x": 0.3, "y": 0.2, "c": 0.9}, "constants": {},
        "equations": {"x_inf": "1 / (1 + exp(-V / 10))", "tau": "2 + exp(-V / 50)"},
        "rates": {"V": "-0.1 * V * x * y * c", "x": rate, "y": "0.1 * V * y", "c": "-0.1 * c * c"},
        "units": {"V": "mV", "time": "ms"},
    }  # fmt: skip
    made, text = module(written(tmp_path / "gate.cellml", **model))
    assert bool(re.search(r"rush_larsen\(\s*x,", text)) == gate
    mv, dt = -20.0, 0.7
    names = {"x_inf": 1 / (1 + math.exp(2)), "tau": 2 + math.exp(0.4), "y": 0.2, "c": 0.9}
    exact = solve_ivp(lambda t, x: [eval(rate, {**names, "x": x[0]})], (0, dt), [0.3], rtol=1e-11, atol=1e-13).y[0, -1]
    euler = 0.3 + dt * eval(rate, {**names, "x": 0.3})
    assert stepped(made, {}, mv, dt)[1]["x"] == pytest.approx(exact if gate else euler, rel=1e-8)


def test_where_an_equation_is_0_over_0_the_current_is_its_neighbours(tmp_path):
    made, text = module(written(tmp_path / "br.cellml", **beeler_reuter()))
    assert text.count("apart(V, -47.0)") == text.count("apart(V, -23.0)") == 1
    for mv in (-47.0, -23.0):
        here, beside = (stepped(made, {"m": 0.3}, at, 0.02) for at in (mv, mv + 0.01))
        assert here[0] == pytest.approx(beside[0], abs=0.05)
        assert here[1]["m"] == pytest.approx(beside[1]["m"], abs=1e-3)


STIFF = {"B": "k_on * Ca_i * (70 - B) - 150 * B", "V": "-(i_K1 + i_x1 + i_Na + i_s + i_stim + 0 * B + 0.001 * B) / C_m"}


def stiff(path):
    """A buffer that binds and lets go at up to 220 per ms: forward Euler bears 2/220 = 0.009 ms."""
    model = beeler_reuter(**STIFF)
    model["initial"]["B"] = 1.0
    model["constants"]["k_on"] = 1e7
    return written(path, **model)


@pytest.mark.slow
def test_a_stiff_variable_takes_linearly_implicit_steps(tmp_path):
    made = import_cell_model(stiff(tmp_path / "stiff.cellml"), folder=tmp_path)
    assert made.stiff == ("B",)
    rows = {row["name"]: row["value"] for row in made.rows}
    assert rows["longest time step"] == made.longest_dt_ms >= 0.1
    assert rows["difference of V, single precision"] < 0.2


def test_a_model_that_bears_no_step_of_0_02_ms_is_refused_with_the_step_it_bears(tmp_path, monkeypatch):
    monkeypatch.setattr(equations, "STIFF_PER_MS", math.inf)
    with pytest.raises(QualityGate, match=r"^stiff.cellml: cannot be stepped at 0.02 ms; .* works is 0.005 ms"):
        import_cell_model(stiff(tmp_path / "stiff.cellml"), folder=tmp_path)
    assert not (tmp_path / "stiff.py").exists()


POTENTIAL, CAPACITANCE = 'name="V" units="mV"', 'name="C_m" units="dimensionless"'
NO_CELLML = "not readable as a CellML model"
BAD = {
    "no potential": (POTENTIAL, POTENTIAL.replace("mV", "dimensionless"), "no membrane potential.*membrane.V is in"),
    "no unit": (POTENTIAL, POTENTIAL.replace("mV", "nonsense"), NO_CELLML),
    "time in mV": ('name="time" units="ms"', 'name="time" units="mV"', "time is in .mV., expected a unit like ms"),
    "cos": ("<ln/>", "<cos/>", "E_s: `cos` is not computed"),
    "drifts": ("<ci>C_m</ci>", "<apply><plus/><ci>C_m</ci><ci>time</ci></apply>", "never 0, so it is no stimulus"),
    "no value": (f'{CAPACITANCE} initial_value="1.0"', CAPACITANCE, "does not have a value"),
    "unknown name": ("<ci>C_m</ci>", "<ci>C_n</ci>", NO_CELLML),
}


@pytest.mark.parametrize("content", ["no XML at all", "", "<svg/>", "half"])
def test_what_is_no_cellml_is_refused_in_one_line_with_the_name_of_the_file(tmp_path, content):
    path = written(tmp_path / "bad.cellml", **beeler_reuter())
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2] if content == "half" else content)
    refused_in_one_line(path, NO_CELLML)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_membrane_is_refused_in_one_line_with_the_name_of_the_file(tmp_path, kind):
    path = written(tmp_path / "bad.cellml", **beeler_reuter())
    right, wrong, reason = BAD[kind]
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong))
    refused_in_one_line(path, reason)


def refused_in_one_line(path, reason):
    with pytest.raises(InputRejected, match=f"^bad.cellml: .*{reason}") as refused:
        import_cell_model(path, folder=path.parent)
    assert "\n" not in str(refused.value)
    assert [left.name for left in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"i_Na": "g_NaC * (V - 50)", "i_s": "g_s * d * (V - E_s) * 0"}, "no action potential"),
        ({"V": "-0.2 * (V + 50) - i_stim"}, "no action potential"),  # it crosses 0 mV, but only as far as pushed
        ({"i_x1": "-0.5 * (x1 + 1)"}, "does not return"),
        ({"V": "-(i_K1 + i_x1 + i_Na + i_s + i_stim) * exp(1e4 * (V + 84) ** 2)"}, "cannot be integrated"),
    ],
)
def test_what_has_no_action_potential_is_refused(tmp_path, changed, reason):
    path = written(tmp_path / "flat.cellml", **beeler_reuter(**changed))
    with pytest.raises(QualityGate, match=f"^flat.cellml: .*{reason}"):
        import_cell_model(path, folder=tmp_path)


def test_two_potentials_without_a_usual_name_are_asked_for(tmp_path):
    text = written(tmp_path / "two.cellml", **beeler_reuter()).read_text()
    text = re.sub(r"(?<=[>\"])V(?=[<\"])", "Vs", text).replace('name="h" units="dimensionless"', 'name="h" units="mV"')
    path = tmp_path / "two.cellml"
    path.write_text(text)
    with pytest.raises(InputRejected, match=r"membrane.Vs, membrane.h.*--potential"):
        read_membrane(path)
    assert read_membrane(path, "membrane.Vs").potential.name() == "Vs"
    with pytest.raises(InputRejected, match="no state variable"):
        read_membrane(path, "m.x")


def test_a_constant_stimulus_is_left_out_too(tmp_path):
    model = beeler_reuter()
    del model["equations"]["i_stim"]
    model["constants"]["i_stim"] = -30.0
    membrane = read_membrane(written(tmp_path / "constant.cellml", **model))
    assert membrane.stimulus == ("membrane.i_stim",)
    assert (
        "i_stim"
        not in source.source(
            membrane,
            equations.scheme(membrane, dict.fromkeys(membrane.states, 0.0)),
            source.Constants(0, 0, 0, 0, 0, False),
            "",
        ).split('"""', 2)[2]
    )


def test_nothing_in_a_file_becomes_code(tmp_path):
    """Documentation and names are a stranger's text."""
    model = beeler_reuter(i_K1="0.01 * (V + 84.57) * lambda_ * cell * exp")
    model["constants"] |= {"lambda_": 1.0, "cell": 1.0, "exp": 1.0, "lane": 1.0}
    model["equations"]["import_"] = "lane + dt"
    model["equations"]["dt"] = "lane * 2"
    model["rates"]["V"] = "-(i_K1 + i_x1 + i_Na + i_s + i_stim + 0.001 * import_) / C_m"
    danger = 'x\\""" + __import__("os").abort() #\nimport os; os.abort() \\'
    made, text = module(written(tmp_path / "danger.cellml", **model, documentation=danger))
    assert math.isfinite(stepped(made, {}, -80.0, 0.02)[0])
    assert text.count('"""') == 6
    assert "abort" in made.__doc__


def test_without_myokit_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "myokit", None)
    assert cli.execute(["cell", "import", str(tmp_path / "x.cellml")]) == 2
    assert "pip install cardiotwin[cellml]" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_tells_machines_and_people_the_same(imported, tmp_path, capsys):
    given = ["cell", "import", str(imported.path.parent / "Beeler-Reuter.cellml"), "--output", str(tmp_path), "--name"]
    assert cli.execute([*given, "br", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(tmp_path / "br.py")
    rows = {row["name"]: row for row in told["rows"]}
    assert rows["APD90, single precision"]["unit"] == "ms"
    assert rows["APD90, single precision"]["ok"] is rows["longest time step"]["ok"] is True
    assert told["needs_double"] is False
    assert cli.execute([*given, "br"]) == 0
    shown = capsys.readouterr().out
    assert f"cell_model='{tmp_path / 'br.py'}'" in shown
    printed = re.search(r"APD90 of the equations +([\d.]+) +ms", shown)
    assert printed
    assert float(printed[1]) == pytest.approx(rows["APD90 of the equations"]["value"], rel=1e-3)
    assert cli.execute(["cell", "import", str(tmp_path / "nothing.cellml"), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "expected a Python identifier of small letters") for name in ("Big", "1st", "a/b", "x.py", "lambda")),
        ("ten_tusscher_2006", "a built-in cell model; give another --name, say my_ten_tusscher_2006"),
        ("pathmanathan_gray", "a built-in cell model"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_in_one_line(tmp_path, capsys, name, reason):
    path = written(tmp_path / "lambda.cellml", **beeler_reuter())
    assert cli.execute(["cell", "import", str(path), "--output", str(tmp_path), "--name", name]) == 2
    said = capsys.readouterr().err
    assert f"--name: found {name!r}" in said
    assert reason in said
    assert said.count("\n") == 1
    with pytest.raises(SettingsError, match=r"^lambda.cellml: makes the name 'lambda'"):
        import_cell_model(path, folder=tmp_path)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_model_that_works_in_double_precision_only_says_so_and_is_refused_in_single(tmp_path, capsys):
    """A large pool that takes up what is let go, of which single precision loses the change."""
    model = beeler_reuter(i_K1="0.35 * 0.2 * (V + 23) / (1 - exp(-0.04 * (V + 23))) + 0.05 * (pool - 1e9 + 84.6)")
    model["initial"]["pool"] = 1e9 - 84.6
    model["rates"]["pool"] = "1e9 + V - pool"
    path = written(tmp_path / "pool.cellml", **model)
    assert cli.execute(["cell", "import", str(path), "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"APD90, single precision .* needs double precision: this beat fails in single", shown)
    assert 'in Solver(..., precision="double") only' in shown
    medium = block((1.0, 1.0, 1.0), 1.0, str(tmp_path / "pool.py"))
    with pytest.raises(SettingsError, match=r'^precision: .*pool.py .* use Solver\(..., precision="double"\)$'):
        Solver(medium, 0.02)
    Solver(medium, 0.02, precision="double")
