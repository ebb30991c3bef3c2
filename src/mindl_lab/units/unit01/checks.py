"""Checks of unit 1."""

import numpy as np

from mindl_lab.calls import Call
from mindl_lab.checks import Checks, Tier, at_most, close, documented, own_work, without_loops

checks = Checks("unit01", module="images")


@checks.add("1.1", points=1, title="Grey levels become values of [0, 1]")
def _(draw):
    grey = draw.grey_levels(*draw.size())
    u, _ = yield [
        Call("to_unit", grey, returns=grey.shape),
        Call("to_unit", np.ones((2, 3)), refuses="ValueError"),
    ]
    close(u, grey / 255, 1e-12, "grey level 0 is the value 0, grey level 255 is the value 1")


@checks.add("1.2", points=1, title="Noise has the standard deviation asked for, and is not clipped")
def _(draw):
    u, sigma, seed = draw.smooth_image(*draw.size()), draw.number(0.1, 0.5), draw.seed()
    (noisy,) = yield [Call("add_noise", u, sigma, seed, returns=u.shape)]
    noise = np.random.default_rng(seed).standard_normal(u.shape)
    close(noisy, u + sigma * noise, 1e-12, "the image plus sigma times the generator's first draw")


@checks.add("1.3", points=1, title="PSNR of two images")
def _(draw):
    u, sigma = draw.image(*draw.size()), draw.number(0.01, 0.2)
    shifted, same = yield [Call("psnr", u + sigma, u, returns=()), Call("psnr", u, u, returns=())]
    close(shifted, -20 * np.log10(sigma), 1e-9, f"an image that is {sigma} too bright everywhere")
    close(same, np.inf, 0, "equal images")


@checks.add("1.4", points=1.5, title="PSNR of images you have not seen", tier=Tier.HIDDEN)
def _(draw):
    u, r = draw.image(*draw.size()), draw.image(1, 1) * 2 - 0.5
    r = np.broadcast_to(r, u.shape).copy()
    (value,) = yield [Call("psnr", u, r, returns=())]
    close(value, -10 * np.log10(np.square(u - r).sum() / u.size), 1e-9, "the formula of the task")


@checks.add("1.5", points=0.5, title="Task 1 in whole arrays", tier=Tier.QUALITY)
def _(source):
    documented(source, "to_unit", "add_noise", "psnr")
    without_loops(source, "to_unit", "add_noise", "psnr")
    own_work(source, "numpy", "math")


@checks.add("2.1", points=1, title="A random mask has exactly so many known pixels")
def _(draw):
    shape, share, seed = draw.size(), draw.number(0.1, 0.9), draw.seed()
    mask, again = yield [Call("random_mask", shape, share, seed, returns=shape)] * 2
    close(mask.sum(), round(share * mask.size), 0, f"the number of known pixels of {mask.size}")
    close(np.unique(mask), [0, 1], 0, "a mask holds nothing but True and False")
    close(mask, again, 0, "the same seed gives the same mask")


@checks.add("2.2", points=1, title="All pixels are equally likely to be known", tier=Tier.HIDDEN)
def _(draw):
    seeds = [draw.seed() for _ in range(200)]
    masks = yield [Call("random_mask", (4, 6), 0.25, seed, returns=(4, 6)) for seed in seeds]
    often = np.mean(masks, axis=0)
    at_most(abs(often - 0.25).max(), 0.15, "how often a pixel is known in 200 masks, against the share 0.25")


@checks.add("2.3", points=1, title="Unknown pixels become the mean of the known ones")
def _(draw):
    height, width = draw.size()
    f, mask = draw.image(height, width), draw.mask(height, width, 0.3)
    spoilt = np.where(mask, f, np.nan)
    u, _ = yield [
        Call("fill_with_mean", spoilt, mask, returns=f.shape),
        Call("fill_with_mean", f, np.zeros_like(mask), refuses="ValueError"),
    ]
    close(u[mask], f[mask], 0, "known pixels stay")
    close(u[~mask], np.full((~mask).sum(), f[mask].sum() / mask.sum()), 1e-12, "the mean of the known pixels")


@checks.add("2.4", points=1, title="Task 2 in whole arrays", tier=Tier.QUALITY)
def _(source):
    documented(source, "random_mask", "fill_with_mean")
    without_loops(source, "random_mask", "fill_with_mean")


@checks.add("3.1", points=1, title="Forward differences of a plane and at the border")
def _(draw):
    height, width = draw.size()
    a, b, h = draw.number(-2, 2), draw.number(-2, 2), draw.number(0.2, 0.9)
    y, x = np.mgrid[:height, :width] * h
    ((px, py),) = yield [Call("forward_differences", a * x + b * y, h, returns=[(height, width)] * 2)]
    close(px[:, :-1], np.full((height, width - 1), a), 1e-9, "the slope along a row")
    close(py[:-1], np.full((height - 1, width), b), 1e-9, "the slope down a column")
    close(px[:, -1], np.zeros(height), 0, "the last column of px")
    close(py[-1], np.zeros(width), 0, "the last row of py")


@checks.add("3.2", points=1.5, title="Summation by parts")
def _(draw):
    u, px, py = (draw.image(6, 9) - 0.5 for _ in range(3))
    (qx, qy), div = yield [
        Call("forward_differences", u, returns=[u.shape] * 2),
        Call("divergence", px, py, returns=u.shape),
    ]
    close(np.sum(px * qx + py * qy), -np.sum(u * div), 1e-9, "the sum of p times grad u, and minus that of u times div p")


@checks.add("3.3", points=1.5, title="Gradient and divergence of images you have not seen", tier=Tier.HIDDEN)
def _(draw):
    h, shapes = draw.number(0.2, 3), [draw.size(), (1, 7), (7, 1), (1, 1)]
    triples = [[draw.image(*shape) - 0.5 for _ in range(3)] for shape in shapes]
    wanted = []
    for u, px, py in triples:
        wanted.append(Call("forward_differences", u, h, returns=[u.shape] * 2))
        wanted.append(Call("divergence", px, py, h, returns=u.shape))
    values = yield wanted
    for (u, px, py), (qx, qy), div in zip(triples, values[::2], values[1::2], strict=True):
        close(qx[:, :-1], np.diff(u, axis=1) / h, 1e-9, f"differences along the rows of {u.shape}, h = {h}")
        close(qy[:-1], np.diff(u, axis=0) / h, 1e-9, f"differences down the columns of {u.shape}, h = {h}")
        close(np.sum(px * qx + py * qy), -np.sum(u * div), 1e-9, f"summation by parts for {u.shape}, h = {h}")


@checks.add("3.4", points=1, title="Task 3 in whole arrays", tier=Tier.QUALITY)
def _(source):
    documented(source, "forward_differences", "divergence")
    without_loops(source, "forward_differences", "divergence")


@checks.add("4.1", points=1, title="The second difference is exact for parabolas")
def _(draw):
    a, b, c, h = draw.number(1, 3), draw.number(-1, 1), draw.number(-1, 1), draw.number(0.1, 0.5)
    x = h * np.arange(9)
    (second,) = yield [Call("second_difference", a * x**2 + b * x + c, h, returns=(7,))]
    close(second, np.full(7, 2 * a), 1e-9, f"the second derivative of {a} x^2 + {b} x + {c}")


@checks.add("4.2", points=1, title="The observed order of exact powers")
def _(draw):
    order, factor = draw.number(0.5, 4), draw.number(0.5, 2)
    spacings = 2.0 ** -np.arange(6)
    (found,) = yield [Call("observed_order", factor * spacings**order, spacings, returns=())]
    close(found, order, 1e-9, f"errors of {factor} h^{order}")


@checks.add("4.3", points=1, title="The observed order of measured errors", tier=Tier.HIDDEN)
def _(draw):
    spacings = np.sort(draw.image(1, 9)[0] + 0.05)
    errors = spacings**2 * (0.5 + draw.image(1, 9)[0])
    (found,) = yield [Call("observed_order", errors, spacings, returns=())]
    close(found, np.polyfit(np.log(spacings), np.log(errors), 1)[0], 1e-8, "the slope of the least-squares line")
