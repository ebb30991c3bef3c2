"""Numbers and times as a person reads them."""

from __future__ import annotations

import math

NONE = "\N{EN DASH}"
"""Where there is no number."""

_HIGH = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(value: float | None, digits: int = 3) -> str:
    """A number by its leading digits; powers of ten where it is very large or very small.

    >>> short(0.020679), short(12000.0), short(4e-5), short(None), short(1234567)
    ('0.0207', '12,000', '4·10⁻⁵', '–', '1.23·10⁶')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    exponent = int(power)
    if exponent < -3 or exponent > 5:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        high = f"10{str(exponent).translate(_HIGH)}"
        return {"1": high, "-1": f"-{high}"}.get(mantissa, f"{mantissa}·{high}")
    if exponent >= digits - 1:
        return f"{value:,.0f}"
    told = f"{value:.{digits - 1 - exponent}f}"
    return told.rstrip("0").rstrip(".")


def duration(seconds: float | None) -> str:
    """A time in its two largest units.

    >>> duration(0.0512), duration(75), duration(7500), duration(200000), duration(None)
    ('51.2 ms', '1 min 15 s', '2 h 5 min', '2 d 7 h', '–')
    """
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    first = next(i for i, (_, length) in enumerate(units) if whole >= length)
    (name, length), (finer, part) = units[first], units[first + 1]
    rest = whole % length // part
    return f"{whole // length} {name}" + (f" {rest} {finer}" if rest else "")


def counted(count: int, name: str) -> str:
    """So many of them.

    >>> counted(1, "step"), counted(2000, "step")
    ('1 step', '2,000 steps')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"
