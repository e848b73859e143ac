"""Triangles to pixels: against a rewrite that asks every pixel about every triangle."""

import numpy as np

from cardiotwin.kernels.raster import draw_triangles


def drawn(corners, values, beyond=None, shape=(40, 50)):
    corners, values = np.asarray(corners, float), np.asarray(values, float)
    depth, value, shade = np.full(shape, np.inf), np.full(shape, np.nan), np.full(shape, np.nan)
    beyond = np.full(values.shape, -1.0) if beyond is None else np.asarray(beyond, float)
    draw_triangles(corners, values, np.ones(values.shape), beyond, depth, value, shade)
    return depth, value


def by_hand(corners, values, shape=(40, 50)):
    """Barycentric coordinates by a linear solve at each pixel."""
    depth, value = np.full(shape, np.inf), np.full(shape, np.nan)
    for triangle, at_corners in zip(corners, values, strict=True):
        system = np.vstack([triangle[:, :2].T, np.ones(3)])
        for row in range(shape[0]):
            for column in range(shape[1]):
                share = np.linalg.solve(system, [column, row, 1.0])
                if share.min() >= 0 and share @ triangle[:, 2] < depth[row, column]:
                    depth[row, column] = share @ triangle[:, 2]
                    value[row, column] = share @ at_corners
    return depth, value


def test_every_pixel_is_what_a_linear_solve_says():
    rng = np.random.default_rng(3)
    corners = rng.uniform((-5, -5, 0), (55, 45, 30), (12, 3, 3))
    values = rng.uniform(0, 1, (12, 3))
    depth, value = drawn(corners, values)
    expected_depth, expected_value = by_hand(corners, values)
    np.testing.assert_allclose(depth, expected_depth, rtol=1e-9)
    np.testing.assert_allclose(value, expected_value, rtol=1e-9)


def test_the_nearer_triangle_hides_the_farther_in_any_order():
    near = [[5, 5, 1], [45, 5, 1], [5, 35, 1]]
    far = [[5, 5, 9], [45, 5, 9], [5, 35, 9]]
    for corners, values in (([near, far], [[1] * 3, [2] * 3]), ([far, near], [[2] * 3, [1] * 3])):
        _, value = drawn(corners, values)
        np.testing.assert_allclose(value[np.isfinite(value)], 1.0)


def test_what_lies_beyond_the_cut_is_not_drawn():
    square = [[0, 0, 0], [49, 0, 0], [0, 39, 0]]
    column = np.arange(50)
    _, value = drawn([square], [[1, 1, 1]], beyond=[[0 - 20.5, 49 - 20.5, 0 - 20.5]])
    assert np.isfinite(value[0, column < 20.5]).all()
    assert not np.isfinite(value[0, column > 20.5]).any()


def test_triangles_that_share_an_edge_leave_no_gap():
    rng = np.random.default_rng(5)
    for _ in range(20):
        inner = rng.uniform((10, 10), (40, 30))
        ring = np.array([[0, 0], [49, 0], [49, 39], [0, 39]], float)
        fan = [np.column_stack([[inner, ring[k], ring[(k + 1) % 4]], np.zeros(3)]) for k in range(4)]
        _, value = drawn(np.array(fan), np.ones((4, 3)))
        assert np.isfinite(value).all()
