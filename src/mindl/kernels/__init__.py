"""Fused sweeps over images for ordinary processors: arrays in, arrays out, no model and no tensor.

Plain PyTorch walks through memory once for every addition; a sweep here does a whole step of a method while a
row of pixels is in the cache, on all cores, and where a step looks one pixel far several steps in one passage
(temporal blocking). Each file holds one sweep; Numba compiles it at its first call and keeps the result on disk.
Nothing imports this floor but those who dispatch to it, so that Numba is loaded when the first sweep is needed.

Conventions: one image, C-contiguous (channel, height, width) or (channel, component, height, width), float32 or
float64, all of one type, scalars in that type too; results are written in place. No fast-math: images are the same
whatever the number of threads, and proofs count every rounding.
"""
