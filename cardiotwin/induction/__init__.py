"""Which tachycardias pacing induces.

The stimulator, the screen with fronts, re-entry found in activation times and in phase, its circuit and its ECG.
"""
