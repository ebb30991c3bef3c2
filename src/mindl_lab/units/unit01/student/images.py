"""Images as arrays: values, noise, masks, and differences."""

import numpy as np


def to_unit(grey):
    """Return whole grey levels from 0 to 255 (an array of the type uint8) as floats of [0, 1].

    Raises ValueError for an array of another type.
    """
    raise NotImplementedError("to_unit is yours to write")


def add_noise(u, sigma, seed):
    """Return u plus sigma times standard normal noise, drawn by ``np.random.default_rng(seed)`` in one call.

    The values are not clipped, and u stays as it is.
    """
    raise NotImplementedError("add_noise is yours to write")


def psnr(u, reference):
    """Return the peak signal-to-noise ratio in dB for values of [0, 1]; infinity for equal images."""
    raise NotImplementedError("psnr is yours to write")


def random_mask(shape, share, seed):
    """Return a mask of the given shape in which ``round(share * pixels)`` pixels are True, all choices alike.

    The choice comes from ``np.random.default_rng(seed)``: the same seed gives the same mask.
    """
    raise NotImplementedError("random_mask is yours to write")


def fill_with_mean(f, mask):
    """Return f at the known pixels, and the mean of the known pixels everywhere else.

    Unknown pixels of f may hold anything. Raises ValueError where no pixel is known.
    """
    raise NotImplementedError("fill_with_mean is yours to write")


def forward_differences(u, h=1.0):
    """Return the pair (px, py) of forward differences: px along a row, py down a column, 0 at the end of each."""
    raise NotImplementedError("forward_differences is yours to write")


def divergence(px, py, h=1.0):
    """Return the divergence of (px, py): the negative adjoint of ``forward_differences`` with the same h."""
    raise NotImplementedError("divergence is yours to write")


def second_difference(values, h):
    """Return the second differences of samples with the distance h, at all samples but the first and the last."""
    raise NotImplementedError("second_difference is yours to write")


def observed_order(errors, spacings):
    """Return the slope of the least-squares line through the points (log spacing, log error)."""
    raise NotImplementedError("observed_order is yours to write")
