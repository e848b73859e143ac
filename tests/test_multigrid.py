"""Multigrid conjugate gradients: the solution of elimination, in steps that do not grow with the mesh."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cube_heart import block_mesh
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

from cardiotwin.meshes.laplace import Laplace
from cardiotwin.meshes.multigrid import Multigrid

SOLVED = """
import sys
import numpy as np
from test_multigrid import Multigrid, system
matrix = system((6, 7, 7))  # just small enough to be factorised
x = np.zeros(matrix.shape[0])
Multigrid(matrix).solve(np.sin(np.arange(x.size)), x, 1e-8, 200)
sys.stdout.buffer.write(x.tobytes())
"""


def system(cells, edge_mm=1.0):
    """Free rows of Laplace's equation on a block held at one face: the slow kind."""
    mesh = block_mesh(cells, edge_mm)
    free = mesh.points[:, 2] > 1e-9
    return Laplace(mesh).stiffness[free][:, free].tocsr()


@pytest.mark.parametrize("cells", [(3, 3, 3), (12, 10, 14)])
def test_it_solves_what_elimination_solves(cells):
    matrix = system(cells)
    b = np.random.default_rng(0).standard_normal(matrix.shape[0])
    x = np.zeros_like(b)
    Multigrid(matrix).solve(b, x, 1e-12, 200)
    np.testing.assert_allclose(x, spsolve(matrix.tocsc(), b), rtol=0, atol=1e-9 * np.abs(x).max())


def test_the_number_of_steps_hardly_grows():
    """Eight times the nodes; conjugate gradients with the diagonal alone would need twice the steps."""
    steps = []
    for cells in ((14, 14, 14), (28, 28, 28)):
        matrix = system(cells)
        b = np.ones(matrix.shape[0])
        steps.append(Multigrid(matrix).solve(b, np.zeros_like(b), 1e-8, 200))
    assert steps[1] <= 1.3 * steps[0]
    assert steps[1] < 30


def test_a_good_guess_is_taken():
    matrix = system((10, 10, 10))
    exact = np.random.default_rng(1).standard_normal(matrix.shape[0])
    x = exact.copy()
    assert Multigrid(matrix).solve(matrix @ exact, x, 1e-8, 50) == 0
    np.testing.assert_array_equal(x, exact)


def test_rows_that_bind_to_nothing_are_solved_too():
    """A diagonal matrix has no neighbours to aggregate."""
    diagonal = np.linspace(1.0, 3.0, 5000)
    b = np.random.default_rng(2).standard_normal(5000)
    x = np.zeros(5000)
    Multigrid(csr_matrix(diags(diagonal))).solve(b, x, 1e-12, 50)
    np.testing.assert_allclose(x, b / diagonal, rtol=1e-9)


def test_the_threads_of_blas_change_nothing():
    """To the last bit: a heart built on a larger machine is the same heart."""
    found = [
        subprocess.run(
            [sys.executable, "-c", SOLVED],
            env=os.environ | {"OPENBLAS_NUM_THREADS": count},
            cwd=Path(__file__).parent,
            check=True,
            capture_output=True,
        ).stdout
        for count in ("1", "2")
    ]
    assert len(found[0]) > 0
    assert found[0] == found[1]
