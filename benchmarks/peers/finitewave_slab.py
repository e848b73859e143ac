"""Finitewave on a slab, in its own environment: reads a task as JSON, prints what it took as JSON.

Finitewave 0.9.3, voxels and finite differences of 19 points, explicit, double precision, compiled by Numba, one thread.
Compilation is not counted.
"""

import json
import sys
import time

import finitewave as fw
import numba
import numpy as np
from finitewave.cpuwave.stencil.sten3D.asymmetric_stencil_3d import AsymmetricStencil3D

task = json.load(sys.stdin)
numba.set_num_threads(1)
spacing = task["edge_mm"]
shape = [round(size / spacing) + 1 + 2 for size in task["size_mm"]]  # one voxel of nothing all around
along, across = (sigma / task["capacity"] for sigma in task["sigma"])

tissue = fw.CardiacTissue(shape)
tissue.fibers = np.zeros((*shape, 3))
tissue.fibers[..., 0] = 1.0
stimulated = np.zeros(shape)
corner = round(1.5 / spacing) + 2
stimulated[1:corner, 1:corner, 1:corner] = 1
stimuli = fw.StimSequence()
stimuli.add_stim(fw.StimCurrentMatrix(0.0, task["strength"], 2.0, stimulated))

model = fw.TenTusscherPanfilov2006()
model.stencil = AsymmetricStencil3D()
model.stencil.D_al, model.stencil.D_ac = 1.0, across / along
model.D_model = along
model.dt, model.dr, model.prog_bar = task["dt_ms"], spacing, False
model.cardiac_tissue, model.stim_sequence = tissue, stimuli
model.t_max = 5 * model.dt
model.run(num_of_threads=1)

watched = tuple(1 + np.round(np.array(task["watched_mm"]) / spacing).astype(int).T)
taken, activation = 0.0, np.full(len(watched[0]), np.nan)
model.t_max = task["snapshot_ms"]
model.initialize()
before = model.u[watched].copy()
while model.t < task["duration_ms"] - 1e-6:
    start, since = time.thread_time(), model.t
    model.run(initialize=False, num_of_threads=1)
    taken += time.thread_time() - start
    now = model.u[watched]
    crossed = (before < 0.0) & (now >= 0.0) & np.isnan(activation)
    activation[crossed] = since + (model.t - since) * (before / (before - now))[crossed]
    before = now.copy()
    model.t_max = model.t + task["snapshot_ms"]
print("\n" + json.dumps({"seconds": taken, "activation_ms": activation.tolist()}))
