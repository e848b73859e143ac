"""Rooms import one way: no package or module of the house needs, by any detour, one that needs it."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import cardiotwin

HOUSE = Path(cardiotwin.__file__).parent


def room(file: Path) -> str:
    """A package, or a module that stands by itself."""
    return file.relative_to(HOUSE).with_suffix("").parts[0]


def needed(source: str) -> set[str]:
    """Rooms that a source imports, also inside functions and for types only."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found.update(name.split(".")[1] for name in names if name.startswith("cardiotwin."))
    return {name for name in found if (HOUSE / name).is_dir() or (HOUSE / f"{name}.py").is_file()}


def rooms() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for file in HOUSE.rglob("*.py"):
        if file.parent != HOUSE or file.stem != "__init__":
            graph.setdefault(room(file), set()).update(needed(file.read_text(encoding="utf-8")) - {room(file)})
    return graph


def test_no_room_needs_one_that_needs_it():
    order = list(TopologicalSorter(rooms()).static_order())
    assert order.index("kernels") < order.index("heart") < order.index("tissue") < order.index("calibration")
    assert order.index("induction") < order.index("comparison") < order.index("twin") < order.index("cli")


def test_imports_inside_functions_and_for_types_count():
    source = (
        "def f():\n    from cardiotwin.twin.twin import Twin\nif X:\n    from cardiotwin import study, __version__\n"
    )
    assert needed(source) == {"twin", "study"}
