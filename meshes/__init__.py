"""The geometry: tetrahedra, quality, fibres, coordinates, file formats, small reference shapes."""
