"""TorchCor on a slab, in its own environment: reads a task as JSON, prints what it took as JSON.

TorchCor 1.0.6, P1 tetrahedra, lumped mass, double precision (its own default), conjugate gradients preconditioned by
the diagonal with the tolerances of its examples, ten Tusscher-Panfilov 2006, one thread, on the processor.
"""

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchcor as tc
from torchcor.ionic import TenTusscherPanfilov
from torchcor.simulator.monodomain import Monodomain

task = json.load(sys.stdin)
mesh = np.load(task["mesh"])
torch.set_num_threads(1)
tc.set_device("cpu")
with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):
    folder = Path(name)
    n_tets = len(mesh["tets"])
    np.savetxt(folder / "slab.pts", mesh["points"] * 1000.0, header=str(len(mesh["points"])), comments="", fmt="%.3f")
    lines = "\n".join("Tt " + " ".join(map(str, tet)) + " 1" for tet in mesh["tets"].tolist())
    (folder / "slab.elem").write_text(f"{n_tets}\n{lines}\n")
    (folder / "slab.lon").write_text("1\n" + "1 0 0\n" * n_tets)
    stimulated = folder / "stimulus.vtx"
    stimulated.write_text(f"{len(mesh['stimulated'])}\nextra\n" + "\n".join(map(str, mesh["stimulated"].tolist())))
    model = TenTusscherPanfilov(dt=task["dt_ms"], cell_type="EPI")
    run = Monodomain([model], T=task["duration_ms"], dt=task["dt_ms"], mass_lumping=True)
    run.load_mesh(folder)
    run.add_conductivity([1], il=task["sigma"][0], it=task["sigma"][1])
    run.add_stimulus(stimulated, start=0.0, duration=2.0, intensity=task["strength"])
    run.assemble()
    taken, whole_step = [0.0], run.step

    def timed(*values, **named):
        """Only the steps: not assembly, not what is kept of them."""
        start = time.thread_time()
        result = whole_step(*values, **named)
        taken[0] += time.thread_time() - start
        return result

    run.step = timed
    potential = run.solve(
        a_tol=1e-5, r_tol=1e-5, max_iter=100, snapshot_interval=task["snapshot_ms"], verbose=False, result_path=folder
    )
    activation = run.compute_activation_map(potential, task["snapshot_ms"], interpolate=True)
print("\n" + json.dumps({"seconds": taken[0], "activation_ms": activation[mesh["watched"]].tolist()}))
