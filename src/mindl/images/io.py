"""Image files and arrays in and out. The only file of mindl that touches image files.

What is read, and what is refused:

    =========================  ====================================================================
    8-bit grey, colour         divided by 255
    16-bit grey, colour        divided by 65535 (PNG by imagecodecs: Pillow cuts colour to 8 bit)
    float TIFF                 as it is; values far outside [0, 1] are refused, NaN and infinity too
    palette, bilevel           converted to colour or grey
    alpha                      dropped if opaque; carried along by ``load``; refused by ``read``
    EXIF orientation           applied, so that pixels are upright; the tag is not written again
    ICC profile, gamma         pixels untouched (sRGB assumed); ``load`` and ``save`` carry the profile
    CMYK, Lab, HSV             refused
    several pages or frames    refused
    truncated, empty, other    refused, with the reason
    =========================  ====================================================================
"""

from __future__ import annotations

import io
import logging
import os
import warnings
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import PIL
import tifffile
import torch
from PIL import Image as pillow
from torch import Tensor

from mindl.core.arrays import Image, check_image
from mindl.core.errors import ImageFileError, InputError, OutputError
from mindl.core.files import write_whole

PathLike = str | os.PathLike[str]
Array = npt.NDArray[Any]

FULL_SCALE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
READABLE = (*SUFFIXES, ".bmp", ".gif", ".webp", ".ppm", ".pgm")
FAR_OUTSIDE = 16.0
"""Float values beyond this are taken for another scale: noise of sigma 1 stays below 7."""

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # errors say it; no second voice

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_EXIF_ORIENTATION = 274
_TURNS: dict[int, tuple[int, bool]] = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}
"""EXIF orientation: quarter turns to the left, then whether to mirror left and right."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image file's content: pixels and what else must survive a restoration.

    Attributes:
        pixels: (1, channel, height, width), float32 in [0, 1].
        alpha: (1, 1, height, width) where the file has real transparency, else None.
        dtype: the file's number type: uint8, uint16 or float32.
        profile: the ICC profile's bytes, if any.
    """

    pixels: Image
    alpha: Image | None
    dtype: np.dtype[Any]
    profile: bytes | None

    def with_pixels(self, pixels: Image) -> Picture:
        """The same picture with other pixels."""
        return replace(self, pixels=pixels)


def from_numpy(array: Array) -> Image:
    """A tensor (1, channel, height, width) from an array (height, width) or (height, width, 3).

    uint8 is divided by 255, uint16 by 65535, booleans become 0 and 1; float32 and float64 are kept and must
    be in [0, 1] (noise may leave it).

    Raises:
        InputError: another shape or type, empty, NaN or infinite, or floats on another scale.

    >>> from_numpy(np.full((2, 3), 255, dtype=np.uint8)).shape
    torch.Size([1, 1, 2, 3])
    """
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        extra = " (an alpha channel? pass array[..., :3])" if array.ndim == 3 and array.shape[2] in (2, 4) else ""
        raise InputError(
            f"from_numpy needs (height, width) or (height, width, 3), got the shape {array.shape}{extra}."
        )
    if array.size == 0:
        raise InputError(f"from_numpy needs at least one pixel, got the shape {array.shape}.")
    if array.dtype in FULL_SCALE:
        values = array.astype(np.float32) / np.float32(FULL_SCALE[array.dtype])
    elif array.dtype == np.bool_:
        values = array.astype(np.float32)
    elif array.dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        values = array
        _check_floats(values, "from_numpy")
    else:
        raise InputError(f"from_numpy reads uint8, uint16, bool, float32 and float64, got {array.dtype}.")
    return torch.from_numpy(np.array(values.transpose(2, 0, 1)[None], order="C", copy=True))


def to_numpy(image: Image, dtype: npt.DTypeLike | None = None) -> Array:
    """An array (height, width) or (height, width, 3) from a tensor of one image.

    Integer types are reached by clipping to [0, 1], scaling and rounding.

    Raises:
        InputError: more than one image, or an integer type other than uint8 and uint16.

    >>> to_numpy(torch.tensor([[[[1.5, 0.5]]]]), np.uint8)
    array([[255, 128]], dtype=uint8)
    """
    if not isinstance(image, Tensor) or image.ndim != 4 or image.shape[0] != 1 or image.shape[1] not in (1, 3):
        got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise InputError(f"to_numpy needs one image (1, 1 or 3 channels, height, width), got {got}.")
    check_image(image, "to_numpy(image)")
    array: Array = image.detach().cpu().numpy()[0].transpose(1, 2, 0)
    if array.shape[2] == 1:
        array = array[:, :, 0]
    if dtype is None:
        return np.ascontiguousarray(array)
    kind = np.dtype(dtype)
    if kind in FULL_SCALE:
        return np.rint(np.clip(array, 0, 1).astype(np.float64) * FULL_SCALE[kind]).astype(kind)
    if kind.kind != "f":
        raise InputError(f"to_numpy writes uint8, uint16 and floats, got {kind}.")
    return np.ascontiguousarray(array.astype(kind))


def read(path: PathLike) -> Image:
    """The pixels of an image file, (1, channel, height, width), float32 in [0, 1].

    Raises:
        ImageFileError: missing, damaged, or refused (see the table of ``mindl.images.io``); also where the
            file has real transparency, which a tensor of pixels would lose: ``load`` keeps it.
    """
    return decode(content_of(path), path)


def decode(content: bytes, name: PathLike) -> Image:
    """The pixels of an image file whose bytes are there already, as ``read`` gives them.

    Args:
        content: the bytes of the whole file.
        name: what messages call it.

    Raises:
        ImageFileError: as for ``read``.

    >>> from mindl.images.photographs import COFFEE
    >>> decode(COFFEE.read_bytes(), "coffee").shape
    torch.Size([1, 3, 400, 600])
    """
    return opaque(decode_picture(content, name), name)


def opaque(picture: Picture, name: PathLike) -> Image:
    """The pixels of a picture without real transparency.

    Raises:
        ImageFileError: it has some.
    """
    if picture.alpha is not None:
        raise ImageFileError(
            f"{name} has transparent pixels, whose colour is hidden: flatten it onto a background first, or use "
            "mindl.images.load, which keeps the alpha channel beside the pixels."
        )
    return picture.pixels


def load(path: PathLike) -> Picture:
    """An image file with its transparency, number type and colour profile.

    Raises:
        ImageFileError: missing, damaged, or refused (see the table of ``mindl.images.io``).
    """
    return decode_picture(content_of(path), path)


def decode_picture(content: bytes, path: PathLike) -> Picture:
    """What ``load`` gives, of an image file whose bytes are there already; ``path`` is what messages call it.

    Raises:
        ImageFileError: as for ``load``.
    """
    if not content:
        raise ImageFileError(f"{path} is empty.")
    try:
        array, profile, orientation = _decode(content, path)
    except ImageFileError:
        raise
    except PIL.UnidentifiedImageError:
        raise ImageFileError(f"{path} is not an image that mindl can read.") from None
    except pillow.DecompressionBombError as error:
        raise ImageFileError(f"{path} is too large: {error}.") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever three decoders throw at damage, it is damage
        raise ImageFileError(f"{path} is damaged or truncated: {error}.") from error
    turns, mirrored = _TURNS.get(orientation, (0, False))
    array = np.rot90(array, turns)
    if mirrored:
        array = array[:, ::-1]
    if array.dtype.kind == "f":
        _check_floats(array, str(path), ImageFileError)
    channels = array.shape[2] if array.ndim == 3 else 1
    array = array.reshape(*array.shape[:2], channels)
    alpha: Image | None = None
    if channels in (2, 4):
        transparency = array[:, :, -1]
        full = FULL_SCALE.get(array.dtype, 1)
        if bool((transparency != full).any()):
            alpha = from_numpy(transparency)
        array = array[:, :, :-1]
    dtype = array.dtype if array.dtype in FULL_SCALE else np.dtype(np.float32)
    pixels = from_numpy(array.astype(np.float32) if array.dtype.kind == "f" else array)
    return Picture(pixels, alpha, dtype, profile)


def write(path: PathLike, image: Image, *, bits: int = 8, overwrite: bool = True) -> Path:
    """Write one image as PNG, JPEG or TIFF, by the file name's ending; whole or not at all.

    Args:
        path: where to.
        image: (1, channel, height, width), clipped to [0, 1] for integer formats.
        bits: 8, 16 (PNG, TIFF) or 32 (float TIFF, not clipped).
        overwrite: whether an existing file is replaced.

    Raises:
        OutputError: the folder does not exist, the system cannot write, or the ending is unknown.
        InputError: more than one image, or bits that the format cannot hold.
    """
    dtypes: dict[int, type[Any]] = {8: np.uint8, 16: np.uint16, 32: np.float32}
    if bits not in dtypes:
        raise InputError(f"write(bits={bits}) must be 8, 16 or 32.")
    return save(path, Picture(image, None, np.dtype(dtypes[bits]), None), overwrite=overwrite)


def save(path: PathLike, picture: Picture, *, overwrite: bool = True) -> Path:
    """Write a picture with its transparency, number type and profile; errors as for ``write``."""
    suffix = check_suffix(path)
    array = to_numpy(picture.pixels, picture.dtype)
    if suffix in (".jpg", ".jpeg"):
        if max(array.shape[:2]) > 65500:
            raise OutputError(f"Cannot write {path}: JPEG holds at most 65500 pixels a side; write a PNG or TIFF.")
        if picture.dtype != np.uint8:
            raise InputError(f"JPEG holds 8 bits per channel, not {picture.dtype}: write a PNG or TIFF.")
        if picture.alpha is not None:
            raise InputError("JPEG has no transparency: write a PNG or TIFF.")
    if suffix == ".png" and picture.dtype.kind == "f":
        raise InputError("PNG holds 8 or 16 bits per channel, not floats: write a TIFF.")
    if picture.alpha is not None:
        colour = array if array.ndim == 3 else array[:, :, None]
        array = np.concatenate([colour, to_numpy(picture.alpha, picture.dtype)[:, :, None]], axis=2)
    try:
        content = _encode(array, suffix, picture.profile)
    except (OSError, ValueError, MemoryError) as error:
        size = f"{array.shape[1]} x {array.shape[0]}"
        raise OutputError(f"Cannot write {path}: the format cannot hold this image ({size}): {error}.") from error
    return write_whole(path, content, overwrite=overwrite)


def check_suffix(path: PathLike) -> str:
    """The ending of a file name that mindl can write.

    Raises:
        OutputError: an unknown one.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(
            f"Cannot write {path}: the ending {suffix or '(none)'} is not one of {', '.join(SUFFIXES)}."
        )
    return suffix


def content_of(path: PathLike) -> bytes:
    """All bytes of a regular file.

    Raises:
        ImageFileError: it is missing, a folder or a device, or cannot be read.
    """
    try:
        file = Path(path)
        missing = not file.exists()
    except (TypeError, OSError, ValueError) as error:
        raise ImageFileError(f"{path!r} is no path of a file: {error}.") from error
    if missing:
        raise ImageFileError(f"There is no file {path}.")
    if file.is_dir():
        raise ImageFileError(f"{path} is a folder, not an image.")
    if not file.is_file():
        raise ImageFileError(f"{path} is not a regular file.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise ImageFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _decode(content: bytes, path: PathLike) -> tuple[Array, bytes | None, int]:
    """Pixels as the file has them (height, width[, channel]), profile, EXIF orientation."""
    if content[:4] in _TIFF:
        return _decode_tiff(content, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pillow.DecompressionBombWarning)  # large photographs are welcome
        opened = pillow.open(io.BytesIO(content))
    with opened as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1 and picture.format != "MPO":  # a phone's JPEG: the first is the photograph
            raise ImageFileError(f"{path} holds {frames} frames: save the one that is meant.")
        profile = picture.info.get("icc_profile")
        orientation = int(picture.getexif().get(_EXIF_ORIENTATION, 1))
        if picture.format == "PNG" and content[24] == 16:  # the header's bit depth
            picture.load()  # Pillow notices truncation where the other decoder fills with zeros
            return imagecodecs.png_decode(content), profile, orientation
        if picture.mode in ("CMYK", "LAB", "HSV"):
            raise ImageFileError(f"{path} has the colour space {picture.mode}: convert it to RGB first.")
        if picture.mode == "1":
            return np.asarray(picture.convert("L")), profile, orientation
        if picture.mode in ("P", "PA", "RGBX", "RGBa", "YCbCr", "La"):
            transparent = picture.mode in ("PA", "RGBa", "La") or "transparency" in picture.info
            return np.asarray(picture.convert("RGBA" if transparent else "RGB")), profile, orientation
        if picture.mode in ("L", "RGB") and "transparency" in picture.info:
            return np.asarray(picture.convert("RGBA")), profile, orientation
        if picture.mode in ("L", "LA", "RGB", "RGBA"):
            return np.asarray(picture), profile, orientation
        if picture.mode.startswith("I;16"):
            return np.asarray(picture).astype(np.uint16), profile, orientation
        raise ImageFileError(f"{path} has pixels of the mode {picture.mode}, which mindl does not read.")


def _decode_tiff(content: bytes, path: PathLike) -> tuple[Array, bytes | None, int]:
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        if not tiff.pages:
            raise ImageFileError(f"{path} is damaged: it holds no image.")
        pages: list[Any] = list(tiff.pages)
        full = [each for each in pages if not each.is_reduced]  # a thumbnail may come along
        if len(full) > 1:
            raise ImageFileError(f"{path} holds {len(full)} pages: save the one that is meant.")
        page = full[0] if full else pages[0]
        photometric = page.photometric.name
        array: Array = page.asarray()
        tags = page.tags
        orientation = int(tags[_EXIF_ORIENTATION].value) if _EXIF_ORIENTATION in tags else 1
        profile = bytes(tags[34675].value) if 34675 in tags else None
        if photometric not in ("MINISBLACK", "MINISWHITE", "RGB", "PALETTE", "YCBCR"):
            raise ImageFileError(f"{path} has the colour space {photometric}: convert it to RGB first.")
        if tifffile.EXTRASAMPLE.ASSOCALPHA in tuple(page.extrasamples):
            raise ImageFileError(f"{path} has premultiplied transparency: save it with plain alpha first.")
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and array.ndim == 3:
            array = array.transpose(1, 2, 0)
        if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
            raise ImageFileError(f"{path} has pixels of the shape {array.shape}, which is no image.")
        if photometric == "PALETTE":
            table = np.asarray(page.colormap)  # (3, entries), 16 bit
            array = (table[:, array].transpose(1, 2, 0) >> 8).astype(np.uint8)
        if array.dtype == np.bool_:
            array = array.astype(np.uint8) * 255
        if array.dtype == np.float64 or array.dtype == np.float16:
            array = array.astype(np.float32)
        if array.dtype not in FULL_SCALE and array.dtype != np.float32:
            raise ImageFileError(f"{path} has pixels of the type {array.dtype}; mindl reads uint8, uint16, float.")
        if photometric == "MINISWHITE":
            array = FULL_SCALE.get(array.dtype, 1) - array
        return array, profile, orientation


def _check_floats(values: Array, name: str, kind: type[InputError] = InputError) -> None:
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise kind(f"{name}: {broken} pixel values are NaN or infinite.")
    check_scale(values, name, kind)


def check_scale(values: Array, name: str, kind: type[InputError] = InputError) -> None:
    """See that floats are in [0, 1], give or take noise.

    Raises:
        InputError: they look like 0..255 or 0..65535.
    """
    largest = float(np.abs(values).max(initial=0))
    if largest > FAR_OUTSIDE:
        raise kind(
            f"{name}: float values up to {largest:g} look like another scale; mindl works in [0, 1], so divide "
            "by the full scale (255 or 65535) first."
        )


def _encode(array: Array, suffix: str, profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    if suffix in (".tif", ".tiff"):
        colour = array.ndim == 3 and array.shape[2] >= 3
        alpha = array.ndim == 3 and array.shape[2] in (2, 4)
        tifffile.imwrite(
            buffer,
            array,
            photometric="rgb" if colour else "minisblack",
            extrasamples=["unassalpha"] if alpha else None,
            planarconfig="contig" if array.ndim == 3 else None,
            compression="zlib",
            iccprofile=profile,
            metadata=None,
        )
        return buffer.getvalue()
    array = np.ascontiguousarray(array)
    if array.dtype == np.uint16:
        if profile is None:
            return bytes(imagecodecs.png_encode(array))
        return _png_with_profile(bytes(imagecodecs.png_encode(array)), profile)
    options: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if suffix == ".png":
        pillow.fromarray(array).save(buffer, "PNG", **options)
    else:
        pillow.fromarray(array).save(buffer, "JPEG", quality=95, subsampling=0, **options)
    return buffer.getvalue()


def _png_with_profile(content: bytes, profile: bytes) -> bytes:
    """Insert an iCCP chunk after the header (8 bytes signature + 25 bytes IHDR)."""
    body = b"iCCP" + b"icc\0\0" + zlib.compress(profile)
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return content[:33] + chunk + content[33:]


def as_tensor(value: Image | Array | PathLike) -> Image:
    """An image from a tensor, an array or a path."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (str, os.PathLike)):
        return read(value)
    return from_numpy(value)
