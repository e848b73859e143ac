"""The monodomain equations, on a heart or a cable.

What they need (`medium`, `protocol`), the steps of diffusion and the longest that may be taken (`diffusion`,
`longest_step`), the time loop (`solver`, `simulation`).
"""
