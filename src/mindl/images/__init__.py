"""Images in and out, noise, masks, phantoms, and how similar two images are."""

from mindl.images.colour import grey
from mindl.images.io import Picture, from_numpy, load, read, save, to_numpy, write
from mindl.images.masks import mask_from_numpy, random_mask, read_mask
from mindl.images.noise import GaussianNoise, estimate_noise
from mindl.images.phantoms import dead_leaves, disc, ramp, step
from mindl.images.photographs import coffee
from mindl.images.quality import psnr, ssim

__all__ = [
    "GaussianNoise",
    "Picture",
    "coffee",
    "dead_leaves",
    "disc",
    "estimate_noise",
    "from_numpy",
    "grey",
    "load",
    "mask_from_numpy",
    "psnr",
    "ramp",
    "random_mask",
    "read",
    "read_mask",
    "save",
    "ssim",
    "step",
    "to_numpy",
    "write",
]
