"""The 12-lead ECG.

Recorded (`recording`), cleaned and delineated (`noise`, `qrs`, `beats`), and as a heart would make it at its electrodes
(`electrodes`, `forward`, `torso_conductor`).
"""
