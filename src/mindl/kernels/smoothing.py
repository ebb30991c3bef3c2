r"""Rows of an image smoothed with a symmetric kernel, mirrored at the border: parts of sweeps."""

from __future__ import annotations

from mindl.kernels.compiled import Array, part


@part
def mirror(i: int, n: int) -> int:
    """The pixel in [0, n) that a position shows, mirrored at the border between pixels, as often as needed."""
    around = i % (2 * n)
    return around if around < n else 2 * n - 1 - around


@part
def add_pairs(
    total: Array, left: Array, right: Array, far_left: Array, far_right: Array, weight: float, far: float
) -> None:
    """total += weight (left + right) + far (far_left + far_right)."""
    for j in range(total.size):
        total[j] += weight * (left[j] + right[j]) + far * (far_left[j] + far_right[j])


@part
def convolved(line: Array, taps: Array, out: Array) -> None:
    """``line``, which is 2 R longer than ``out``, with a symmetric kernel."""
    radius = taps.size - 1
    middle = line[radius:]
    for j in range(out.size):
        out[j] = taps[0] * middle[j]
    for k in range(1, radius, 2):
        add_pairs(
            out, line[radius - k :], line[radius + k :], line[radius - k - 1 :], line[radius + k + 1 :], taps[k],
            taps[k + 1],
        )  # fmt: skip


@part
def smoothed_row(u: Array, i: int, taps: Array, line: Array, out: Array) -> None:
    """Row i of one channel, smoothed down and across.

    Args:
        u: (height, width).
        i: in [0, height).
        taps: the kernel's middle and one of its halves: R + 1 numbers, R even.
        line: scratch of at least width + 2 R.
        out: width + 2 entries: a mirrored pixel on both sides.
    """
    height, width = u.shape
    radius = taps.size - 1
    middle, row = line[radius : radius + width], u[i]
    for j in range(width):
        middle[j] = taps[0] * row[j]
    for k in range(1, radius, 2):
        add_pairs(
            middle, u[mirror(i - k, height)], u[mirror(i + k, height)], u[mirror(i - k - 1, height)],
            u[mirror(i + k + 1, height)], taps[k], taps[k + 1],
        )  # fmt: skip
    for k in range(radius):
        line[k] = middle[mirror(k - radius, width)]
        line[radius + width + k] = middle[mirror(width + k, width)]
    convolved(line, taps, out[1 : width + 1])
    out[0], out[width + 1] = out[1], out[width]
