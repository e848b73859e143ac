"""Arguments of the Python interface, refused by name before anything is computed with them."""

from __future__ import annotations

import numbers
from collections.abc import Collection

import numpy as np

from cardiotwin.errors import InputRejected, SettingsError


def number(name: str, value: object, expected: str, least: float, most: float = np.inf) -> float:
    """`value`, if it is a finite number from `least` to `most`; `expected` says so in words.

    Raises
    ------
    SettingsError
    """
    found = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else np.nan
    if least <= found <= most and np.isfinite(found):
        return found
    raise SettingsError(f"{name}: found {value!r}, expected {expected}")


def whole(name: str, value: object, expected: str, least: int, most: float = np.inf) -> int:
    """`value`, if it is a whole number from `least` to `most`; `expected` says so in words.

    Raises
    ------
    SettingsError
    """
    if isinstance(value, numbers.Integral):
        return int(number(name, value, expected, least, most))
    raise SettingsError(f"{name}: found {value!r}, expected {expected}")


def one_of(name: str, value: object, known: Collection[object]) -> None:
    """Refuse what is not among them.

    Raises
    ------
    SettingsError
    """
    if not any(value is one or (isinstance(value, str | int) and value == one) for one in known):
        raise SettingsError(f"{name}: found {value!r}, expected one of {', '.join(map(str, known))}")


def finite_array(name: str, value: object, shape: tuple[int | None, ...]) -> np.ndarray:
    """`value` as float64, if it has that shape (None: any length) and is finite.

    Raises
    ------
    InputRejected
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise InputRejected(f"{name}: {error}; expected numbers") from error
    wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        raise InputRejected(f"{name}: found shape {array.shape}, expected {wanted}")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        raise InputRejected(f"{name}: {len(wrong)} values are not finite, the first at {tuple(map(int, wrong[0]))}")
    return array
