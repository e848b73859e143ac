"""Work on two threads: the results of one, bit for bit, and nothing lost when a piece fails."""

import threading

import numba
import numpy as np
import pytest

from cardiotwin.heart.heart import build_heart
from cardiotwin.meshes.reference.ellipsoid import drawn_ventricles
from cardiotwin.meshes.side_by_side import side_by_side
from cardiotwin.segmentation import Segmentation
from cardiotwin.settings import MeshSettings

TWO = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core")


@pytest.fixture
def on_threads():
    """Set how many Numba may use; as before afterwards."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@TWO
def test_two_pieces_run_at_the_same_time(on_threads):
    """Each waits for the other, which one after the other they would do for ever."""
    on_threads(2)
    met = threading.Barrier(2, timeout=90)
    assert sorted(side_by_side(met.wait, met.wait)) == [0, 1]


def test_where_numba_may_use_one_thread_there_is_one(on_threads):
    on_threads(1)
    assert side_by_side(threading.get_ident, threading.get_ident) == (threading.get_ident(),) * 2


@pytest.mark.parametrize("count", [1, pytest.param(2, marks=TWO)])
def test_what_either_raises_is_raised(on_threads, count):
    on_threads(count)
    for pieces in ((lambda: 1, lambda: 1 // 0), (lambda: 1 // 0, lambda: 1)):
        with pytest.raises(ZeroDivisionError):
            side_by_side(*pieces)


@TWO
def test_a_heart_does_not_depend_on_the_number_of_threads(on_threads):
    """Mesh, fibres and all coordinates, to the last bit."""
    drawn = drawn_ventricles()
    codes = (drawn.left_blood + 2 * drawn.myocardium + 3 * drawn.right_blood).astype(np.uint8)
    segmentation = Segmentation(codes, np.diag([*drawn.spacing_mm[::-1], 1.0]), None, False, {})
    hearts = []
    for count in (1, 2):
        on_threads(count)
        hearts.append(build_heart(segmentation, MeshSettings(edge_mm=2.5)))
    for name, found in arrays(hearts[0]).items():
        np.testing.assert_array_equal(found, arrays(hearts[1])[name], err_msg=name)


def arrays(heart):
    """Everything of a heart that is an array, by name."""
    parts = vars(heart) | vars(heart.mesh) | {f"its {name}": a for name, a in vars(heart.coordinates).items()}
    return {name: part for name, part in parts.items() if isinstance(part, np.ndarray)}
