# %% [raw] tags=["unit"]
# number = 1
# title = "Images as functions and arrays"
# module = "images"
# hours = 4
# seconds = 10
# past = "mindl_lab.past.images"
# tested = ["psnr", "divergence"]
#
# [tasks]
# 1 = "Values, noise, and how far two images are apart"
# 2 = "Known and unknown pixels"
# 3 = "Gradient and divergence"
# 4 = "The order of a difference"
# 5 = "Tests of your own"

# %% [markdown]
# An image is a function of two variables, and an array of its samples. This assignment builds the few tools that
# every later week uses: values and noise, masks, and differences that fit together so that sums by parts hold
# exactly. All images are NumPy arrays of the shape (height, width) with 64-bit floats; `u[i, j]` is row `i`, counted
# downwards, and column `j`, counted to the right.
#
# You write `images.py`, and your own tests in `test_images.py`. This notebook is the guide: it says what to write,
# and lets you look at what you have written. Only the two Python files are graded.

# %%
# %load_ext autoreload
# %autoreload 2
import images
import matplotlib.pyplot as plt
import numpy as np

import mindl as md

photo = md.images.to_numpy(md.images.grey(md.images.coffee()))[::2, ::2].astype(np.float64)
print(photo.shape, photo.min(), photo.max())

# %% tags=["module"]
"""Images as arrays: values, noise, masks, and differences."""

import numpy as np

# %% [markdown]
# ## Task 1: values, noise, and how far two images are apart
#
# A file stores whole grey levels from 0 to 255, a model works with real values of $[0, 1]$. Noise is drawn from the
# normal distribution with the standard deviation $\sigma$ (in the units of $[0, 1]$); what leaves $[0, 1]$ stays
# where it is, since clipping would shift the mean. The *peak signal-to-noise ratio* of an image $u$ against a
# reference $r$ with $N$ pixels is
#
# $$\mathrm{PSNR}(u, r) = -10 \log_{10} \Big(\frac1N \sum_{i,j} (u_{i,j} - r_{i,j})^2\Big)\ \mathrm{dB},$$
#
# and infinite for equal images.

# %% tags=["module"]


def to_unit(grey):
    """Return whole grey levels from 0 to 255 (an array of the type uint8) as floats of [0, 1].

    Raises ValueError for an array of another type.
    """
    ### BEGIN SOLUTION
    if grey.dtype != np.uint8:
        raise ValueError(f"grey levels are of the type uint8, not {grey.dtype}")
    return grey / 255.0
    ### END SOLUTION


def add_noise(u, sigma, seed):
    """Return u plus sigma times standard normal noise, drawn by ``np.random.default_rng(seed)`` in one call.

    The values are not clipped, and u stays as it is.
    """
    ### BEGIN SOLUTION
    return u + sigma * np.random.default_rng(seed).standard_normal(u.shape)
    ### END SOLUTION


def psnr(u, reference):
    """Return the peak signal-to-noise ratio in dB for values of [0, 1]; infinity for equal images."""
    ### BEGIN SOLUTION
    error = np.mean((u - reference) ** 2)
    return float("inf") if error == 0 else float(-10 * np.log10(error))
    ### END SOLUTION


# %%
noisy = images.add_noise(photo, 25 / 255, seed=1)
print(f"{images.psnr(noisy, photo):.2f} dB; {(noisy < 0).mean():.1%} of the values are below 0")
plt.imshow(np.hstack([photo, noisy]), cmap="gray", vmin=0, vmax=1)
plt.axis("off")

# %% [markdown] tags=["discussion"]
# `grey / 255` divides in floating point because the divisor of an integer array is converted; `grey / 256`, a
# frequent slip, would never reach 1. `to_unit` refuses floats on purpose: an image that is divided twice is black,
# and nothing else would say so.
#
# The noise needs one call of the generator. Clipping to $[0, 1]$ looks harmless and is not: in dark regions it
# removes the negative half of the noise, so the mean of many noisy images is no longer the image.
#
# In `psnr` the mean runs over all pixels before the logarithm. For $\sigma = 25/255$ the expected value is
# $-20 \log_{10}(25/255) = 20.17$ dB, whatever the image shows: a good first test.

# %% tags=["checks"]
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


# %% tags=["wrong"] name="levels-by-256" fails=["1.1"]
def to_unit(grey):
    if grey.dtype != np.uint8:
        raise ValueError
    return grey / 256.0


# %% tags=["wrong"] name="noise-clipped" fails=["1.2"]
def add_noise(u, sigma, seed):
    return np.clip(u + sigma * np.random.default_rng(seed).standard_normal(u.shape), 0, 1)


# %% tags=["wrong"] name="noise-in-place" fails=["1.2"]
def add_noise(u, sigma, seed):
    u += sigma * np.random.default_rng(seed).standard_normal(u.shape)
    return u


# %% tags=["wrong"] name="psnr-of-grey-levels" fails=["1.3", "1.4"]
def psnr(u, reference):
    error = np.mean((u - reference) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


# %% tags=["mutant"] check="5.1" points=0.5 title="a PSNR that is half as large as it should be"
def psnr(u, reference):
    return past.psnr(u, reference) / 2


# %% tags=["mutant"] check="5.2" points=0.5 title="a PSNR that is not infinite for equal images"
def psnr(u, reference):
    return min(past.psnr(u, reference), 100.0)


# %% tags=["mutant"] check="5.3" points=0.5 title="a PSNR with the wrong sign"
def psnr(u, reference):
    return -past.psnr(u, reference)


# %% [markdown]
# ## Task 2: known and unknown pixels
#
# A mask is an array of the type bool: `True` where a pixel is known. A random mask with the share $s$ of an image
# with $N$ pixels has exactly `round(s * N)` known pixels, and each choice of so many pixels is equally likely. The
# simplest way to fill in the others is the mean of the known ones. It is a poor picture and a good start: no
# unknown pixel is far off.

# %% tags=["module"]


def random_mask(shape, share, seed):
    """Return a mask of the given shape in which ``round(share * pixels)`` pixels are True, all choices alike.

    The choice comes from ``np.random.default_rng(seed)``: the same seed gives the same mask.
    """
    ### BEGIN SOLUTION
    pixels = shape[0] * shape[1]
    mask = np.zeros(pixels, dtype=bool)
    mask[np.random.default_rng(seed).permutation(pixels)[: round(share * pixels)]] = True
    return mask.reshape(shape)
    ### END SOLUTION


def fill_with_mean(f, mask):
    """Return f at the known pixels, and the mean of the known pixels everywhere else.

    Unknown pixels of f may hold anything. Raises ValueError where no pixel is known.
    """
    ### BEGIN SOLUTION
    if not mask.any():
        raise ValueError("no pixel is known")
    return np.where(mask, f, f[mask].mean())
    ### END SOLUTION


# %%
mask = images.random_mask(photo.shape, 0.05, seed=1)
filled = images.fill_with_mean(photo, mask)
print(f"{mask.mean():.2%} known, {images.psnr(filled, photo):.2f} dB")
plt.imshow(np.hstack([photo * mask, filled]), cmap="gray", vmin=0, vmax=1)
plt.axis("off")

# %% [markdown] tags=["discussion"]
# Comparing a random number at each pixel with the share, `generator.random(shape) < share`, gives the right number
# of pixels only on average; for a comparison of methods each should see equally many. A random permutation of all
# indices, cut off after `round(share * pixels)`, has exactly that many and prefers none.
#
# `np.where` chooses per pixel and never adds, so a NaN at an unknown pixel does no harm. With `mask * f` it would:
# `0 * nan` is `nan`.

# %% tags=["checks"]
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


# %% tags=["wrong"] name="mask-on-average" fails=["2.1"]
def random_mask(shape, share, seed):
    return np.random.default_rng(seed).random(shape) < share


# %% tags=["wrong"] name="mask-from-the-top" fails=["2.2"]
def random_mask(shape, share, seed):
    pixels = shape[0] * shape[1]
    mask = np.arange(pixels) < round(share * pixels)
    return mask.reshape(shape)


# %% tags=["wrong"] name="mean-of-everything" fails=["2.3"]
def fill_with_mean(f, mask):
    if not mask.any():
        raise ValueError
    return np.where(mask, f, f.mean())


# %% tags=["wrong"] name="mask-by-loops" fails=["2.4"]
def fill_with_mean(f, mask):
    if not mask.any():
        raise ValueError
    mean, u = f[mask].mean(), f.copy()
    for i in range(f.shape[0]):
        for j in range(f.shape[1]):
            if not mask[i, j]:
                u[i, j] = mean
    return u


# %% [markdown]
# ## Task 3: gradient and divergence
#
# With the grid size $h$, the forward differences are
#
# $$p^x_{i,j} = \frac{u_{i,j+1} - u_{i,j}}{h}, \qquad p^y_{i,j} = \frac{u_{i+1,j} - u_{i,j}}{h},$$
#
# and 0 in the last column of $p^x$ and the last row of $p^y$: the image is continued by reflection. The divergence
# is *defined* as the map that makes summation by parts exact,
#
# $$\sum_{i,j} \big(p^x\,(\nabla u)^x + p^y\,(\nabla u)^y\big)_{i,j} = -\sum_{i,j} u_{i,j}\,(\operatorname{div} p)_{i,j}
# \qquad\text{for all } u \text{ and all } p.$$
#
# Work out on paper what that gives in the first and the last column before you write it. Note that it holds for
# *all* $p$, also for one that is not 0 in its last column.

# %% tags=["module"]


def forward_differences(u, h=1.0):
    """Return the pair (px, py) of forward differences: px along a row, py down a column, 0 at the end of each."""
    ### BEGIN SOLUTION
    px, py = np.zeros_like(u), np.zeros_like(u)
    px[:, :-1] = (u[:, 1:] - u[:, :-1]) / h
    py[:-1, :] = (u[1:, :] - u[:-1, :]) / h
    return px, py
    ### END SOLUTION


def divergence(px, py, h=1.0):
    """Return the divergence of (px, py): the negative adjoint of ``forward_differences`` with the same h."""
    ### BEGIN SOLUTION
    result = np.zeros_like(px)
    result[:, :-1] += px[:, :-1]
    result[:, 1:] -= px[:, :-1]
    result[:-1, :] += py[:-1, :]
    result[1:, :] -= py[:-1, :]
    return result / h
    ### END SOLUTION


# %%
px, py = images.forward_differences(photo)
length = np.sqrt(px**2 + py**2)
plt.imshow(np.hstack([photo, length / length.max() * 2]), cmap="gray", vmin=0, vmax=1)
plt.axis("off")
p = np.random.default_rng(1).standard_normal((2, *photo.shape))
print("by parts:", np.sum(p[0] * px + p[1] * py), -np.sum(photo * images.divergence(*p)))

# %% [markdown] tags=["discussion"]
# In the sum on the left, $u_{i,j}$ occurs with the factor $(p^x_{i,j-1} - p^x_{i,j})/h$ in the middle of a row. In
# the first column there is no left neighbour, and in the last column the difference is 0 by definition, so that
# $p^x$ there does not occur at all. Hence $(\operatorname{div} p)_{i,j} = (p^x_{i,j} - p^x_{i,j-1})/h$ inside,
# $p^x_{i,0}/h$ in the first column and $-p^x_{i,W-2}/h$ in the last one; the same down the columns.
#
# The code says it as "each difference gives to one pixel what it takes from its neighbour". That form also works
# for an image of one column, and shows why a diffusion that is written with this divergence keeps the mean: the sum
# of all entries is 0.

# %% tags=["checks"]
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


# %% tags=["wrong"] name="axes-swapped" fails=["3.1", "3.2", "3.3", "3.4"]
def forward_differences(u, h=1.0):
    px, py = np.zeros_like(u), np.zeros_like(u)
    px[:, :-1] = (u[:, 1:] - u[:, :-1]) / h
    py[:-1, :] = (u[1:, :] - u[:-1, :]) / h
    return py, px


# %% tags=["wrong"] name="periodic-boundary" fails=["3.1", "3.2", "3.3", "3.4"]
def forward_differences(u, h=1.0):
    return (np.roll(u, -1, axis=1) - u) / h, (np.roll(u, -1, axis=0) - u) / h


# %% tags=["wrong"] name="divergence-without-grid-size" fails=["3.3"]
def divergence(px, py, h=1.0):
    result = np.zeros_like(px)
    result[:, :-1] += px[:, :-1]
    result[:, 1:] -= px[:, :-1]
    result[:-1, :] += py[:-1, :]
    result[1:, :] -= py[:-1, :]
    return result


# %% tags=["wrong"] name="divergence-of-the-last-column" fails=["3.2", "3.3"]
def divergence(px, py, h=1.0):
    return (np.diff(px, axis=1, prepend=0) + np.diff(py, axis=0, prepend=0)) / h


# %% tags=["mutant"] check="5.4" points=0.5 title="a divergence with the wrong sign"
def divergence(px, py, h=1.0):
    return -past.divergence(px, py, h)


# %% tags=["mutant"] check="5.5" points=0.5 title="a divergence that ignores the grid size"
def divergence(px, py, h=1.0):
    return past.divergence(px, py, 1.0)


# %% tags=["mutant"] check="5.6" points=0.5 tier="hidden" title="a divergence that is wrong in the last column only"
def divergence(px, py, h=1.0):
    result = past.divergence(px, py, h)
    result[:, -1] += px[:, -1] / h
    return result


# %% [markdown]
# ## Task 4: the order of a difference
#
# Taylor's formula says that $(u(x-h) - 2u(x) + u(x+h))/h^2 = u''(x) + \mathcal O(h^2)$: halve $h$, and the error
# falls to a quarter. If an error behaves as $e(h) \approx C h^p$, then $\log e$ is a straight line in $\log h$, and
# its slope $p$ is the *observed order*. Fit the line by least squares through all points $(\log h, \log e)$.

# %% tags=["module"]


def second_difference(values, h):
    """Return the second differences of samples with the distance h, at all samples but the first and the last."""
    ### BEGIN SOLUTION
    return (values[:-2] - 2 * values[1:-1] + values[2:]) / h**2
    ### END SOLUTION


def observed_order(errors, spacings):
    """Return the slope of the least-squares line through the points (log spacing, log error)."""
    ### BEGIN SOLUTION
    x, y = np.log(spacings), np.log(errors)
    x = x - x.mean()
    return float(x @ y / (x @ x))
    ### END SOLUTION


# %%
spacings = 2.0 ** -np.arange(1, 20)
errors = []
for h in spacings:
    x = 1 + h * np.arange(-1, 2)
    errors.append(abs(images.second_difference(np.sin(x), h)[0] + np.sin(1)))
plt.loglog(spacings, errors, "o-")
plt.xlabel("grid size h")
plt.ylabel("error of the second difference")
print("observed order, first eight:", images.observed_order(np.array(errors[:8]), spacings[:8]))

# %% [markdown] tags=["discussion"]
# For a line only deviations from the mean count, so the slope is $\sum \hat x_k y_k / \sum \hat x_k^2$ with
# $\hat x = x - \bar x$. Taking just the first and the last point gives the same for exact powers and is at the mercy
# of two points for measured errors.
#
# The plot falls with slope 2, and rises again for small $h$: the sampled values carry a rounding error of about
# $10^{-16}$, and dividing by $h^2$ makes it $10^{-16}/h^2$. The best $h$ balances the two, near $h = 10^{-4}$.

# %% tags=["checks"]
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


# %% tags=["wrong"] name="second-difference-over-h" fails=["4.1"]
def second_difference(values, h):
    return (values[:-2] - 2 * values[1:-1] + values[2:]) / h


# %% tags=["wrong"] name="order-of-two-points" fails=["4.3"]
def observed_order(errors, spacings):
    return float(np.log(errors[0] / errors[-1]) / np.log(spacings[0] / spacings[-1]))


# %% [markdown]
# ## Task 5: tests of your own
#
# Write tests in `test_images.py` that a right `psnr` and a right `divergence` pass, and wrong ones fail. They are
# graded by the wrong implementations that they catch, so test *properties*: known values, special cases, what holds
# for every image. `mindl lab check 1` names the wrong implementations that slip through. Your tests may import
# NumPy, pytest and `images`, and nothing else; they run against right and wrong versions of `images`, so test only
# `psnr`, `divergence` and what they need to be called.

# %% tags=["tests"]
"""Tests of psnr and divergence. Run them with: python -m pytest test_images.py"""

import numpy as np
from images import divergence, psnr


def test_psnr_of_a_shift():
    u = np.zeros((3, 4))
    assert abs(psnr(u + 0.1, u) - 20) < 1e-9


### BEGIN SOLUTION
def test_equal_images_are_infinitely_alike():
    u = np.full((2, 2), 0.3)
    assert psnr(u, u) == np.inf


def forward(u, h):
    """Differences, written once more: a test must not lean on what it tests."""
    px, py = np.zeros_like(u), np.zeros_like(u)
    px[:, :-1] = np.diff(u, axis=1) / h
    py[:-1] = np.diff(u, axis=0) / h
    return px, py


def test_divergence_is_the_negative_adjoint():
    u, px, py = np.random.default_rng(1).random((3, 5, 7))
    for h in (1.0, 0.5):
        qx, qy = forward(u, h)
        assert abs(np.sum(px * qx + py * qy) + np.sum(u * divergence(px, py, h))) < 1e-9
### END SOLUTION

# %% [markdown] tags=["discussion"]
# Three tests catch all six. A shift by 0.1 has the PSNR 20 dB exactly; equal images are the special case; and
# summation by parts with a random $p$ is the *definition* of the divergence, so no wrong one passes it, if $p$ is
# not 0 in the last column and $h$ is not 1 only. Testing `divergence` with `images.forward_differences` would be
# shorter, but two errors that fit together would then pass.
