"""The compiled physics: arrays in, arrays out; knows NumPy and Numba only."""
