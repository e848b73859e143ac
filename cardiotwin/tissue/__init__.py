"""What conducts, how fast, and with which cells.

Conductivities tuned to velocities on the mesh in use (`velocity`, `lattice`), the cells of each class (`cells`), how
they recover (`restitution`).
"""
