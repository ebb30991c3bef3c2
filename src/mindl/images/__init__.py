"""Images in and out, noise, blur, masks, phantoms, and how similar two images are."""

from mindl.images.colour import grey
from mindl.images.degrade import Blur, Degradation, Downsample, GaussianBlur
from mindl.images.io import Picture, from_numpy, load, read, save, to_numpy, write
from mindl.images.masks import (
    block_mask,
    grid_mask,
    mask_from_numpy,
    random_mask,
    read_mask,
    scratch_mask,
    text_mask,
)
from mindl.images.noise import (
    GaussianNoise,
    MultiplicativeNoise,
    Noise,
    PoissonNoise,
    SaltAndPepper,
    UniformImpulse,
    estimate_noise,
)
from mindl.images.phantoms import dead_leaves, disc, ramp, step
from mindl.images.photographs import coffee
from mindl.images.quality import psnr, ssim

__all__ = [
    "Blur",
    "Degradation",
    "Downsample",
    "GaussianBlur",
    "GaussianNoise",
    "MultiplicativeNoise",
    "Noise",
    "Picture",
    "PoissonNoise",
    "SaltAndPepper",
    "UniformImpulse",
    "block_mask",
    "coffee",
    "dead_leaves",
    "disc",
    "estimate_noise",
    "from_numpy",
    "grey",
    "grid_mask",
    "load",
    "mask_from_numpy",
    "psnr",
    "ramp",
    "random_mask",
    "read",
    "read_mask",
    "save",
    "scratch_mask",
    "ssim",
    "step",
    "text_mask",
    "to_numpy",
    "write",
]
