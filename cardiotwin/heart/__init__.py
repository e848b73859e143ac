"""The heart: its mesh with regions, fibres and coordinates, and the words for a place in it."""
