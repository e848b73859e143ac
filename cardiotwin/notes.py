"""How notes begin that are looked for among others, for the stage that writes them and whoever reads them."""

DRAWN_HOLES = "The mesh of the drawn heart has"
"""A note of a mesh on its holes: what makes it doubtful in `status` and after a `run`."""
