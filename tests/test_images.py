"""Every row of the decoding table, arrays in and out, noise, masks, phantoms and quality."""

from __future__ import annotations

import io
import math
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from conftest import random_image
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pillow
from PIL import ImageCms
from skimage.metrics import structural_similarity

import mindl as md
from mindl.core.errors import ImageFileError, InputError, MaskError, OutputError
from mindl.images import io as mio

RNG = np.random.default_rng(0)
GREY8 = RNG.integers(0, 256, (7, 5), dtype=np.uint8)
RGB8 = RNG.integers(0, 256, (7, 5, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (7, 5), dtype=np.uint16)
RGB16 = RNG.integers(0, 65536, (7, 5, 3), dtype=np.uint16)


def pil(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = pillow.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def as_array(image: torch.Tensor, dtype: type = np.uint8) -> np.ndarray:
    return md.images.to_numpy(image, dtype)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("array", [GREY8, RGB8], ids=["grey", "colour"])
def test_8_bit_is_exact(tmp_path: Path, suffix: str, array: np.ndarray) -> None:
    image = md.images.read(pil(tmp_path / f"a{suffix}", array))
    assert image.dtype == torch.float32 and image.shape[1] == (1 if array.ndim == 2 else 3)
    assert np.array_equal(as_array(image), array)


@pytest.mark.parametrize("array", [GREY16, RGB16], ids=["grey", "colour"])
def test_16_bit_is_exact(tmp_path: Path, array: np.ndarray) -> None:
    png, tif = tmp_path / "a.png", tmp_path / "a.tif"
    png.write_bytes(imagecodecs.png_encode(array))
    tifffile.imwrite(tif, array, photometric="rgb" if array.ndim == 3 else "minisblack")
    for path in (png, tif):
        picture = md.images.load(path)
        assert picture.dtype == np.uint16
        assert np.array_equal(as_array(picture.pixels, np.uint16), array)


def test_16_bit_grey_of_pillow_is_not_clipped(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pillow.fromarray(GREY16).save(path)
    assert np.array_equal(as_array(md.images.read(path), np.uint16), GREY16)


@pytest.mark.parametrize("channels", [2, 4])
def test_16_bit_alpha_is_kept(tmp_path: Path, channels: int) -> None:
    array = RNG.integers(0, 65536, (6, 4, channels), dtype=np.uint16)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(array))
    picture = md.images.load(path)
    assert picture.pixels.shape[1] == channels - 1 and picture.alpha is not None
    assert np.array_equal(as_array(picture.alpha, np.uint16), array[:, :, -1])
    md.images.save(tmp_path / "b.png", picture)
    assert np.array_equal(imagecodecs.png_decode((tmp_path / "b.png").read_bytes()), array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_float_tiff_is_read_as_it_is(tmp_path: Path, dtype: type) -> None:
    array = (RNG.random((6, 5, 3)) * 1.4 - 0.2).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb")
    picture = md.images.load(tmp_path / "a.tif")
    assert picture.dtype == np.float32
    assert np.array_equal(as_array(picture.pixels, np.float32), array.astype(np.float32))
    md.images.save(tmp_path / "b.tif", picture)
    assert torch.equal(md.images.read(tmp_path / "b.tif"), picture.pixels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_float_tiff_with_nan_is_refused(tmp_path: Path, value: float) -> None:
    array = np.zeros((4, 4), np.float32)
    array[1, 2] = value
    tifffile.imwrite(tmp_path / "a.tif", array)
    with pytest.raises(ImageFileError, match="1 pixel values are NaN or infinite"):
        md.images.read(tmp_path / "a.tif")


def test_float_on_another_scale_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY8.astype(np.float32))
    with pytest.raises(ImageFileError, match="divide by the full scale"):
        md.images.read(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp"])
def test_palette_gives_colours_not_indices(tmp_path: Path, suffix: str) -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    array[:2] = (200, 30, 90)
    image = pillow.fromarray(array).quantize(4)
    image.save(tmp_path / f"a{suffix}")
    expected = np.asarray(image.convert("RGB"))
    assert image.mode == "P" and np.abs(expected.astype(int) - array).max() <= 4
    assert np.array_equal(as_array(md.images.read(tmp_path / f"a{suffix}")), expected)


def test_transparent_palette_keeps_its_alpha(tmp_path: Path) -> None:
    image = pillow.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    picture = md.images.load(tmp_path / "a.png")
    assert picture.alpha is not None and picture.alpha.flatten().tolist() == [0, 1]


def test_bilevel(tmp_path: Path) -> None:
    array = (GREY8 > 127).astype(np.uint8) * 255
    for suffix in (".png", ".tif"):
        path = pil(tmp_path / f"a{suffix}", array, "1")
        assert np.array_equal(as_array(md.images.read(path)), array)


def test_white_is_zero_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY8, photometric="miniswhite")
    assert np.array_equal(as_array(md.images.read(tmp_path / "a.tif")), 255 - GREY8)


def test_planar_tiff(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(RGB8.transpose(2, 0, 1))
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    assert np.array_equal(as_array(md.images.read(tmp_path / "a.tif")), RGB8)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opaque_alpha_is_dropped_and_real_alpha_carried(tmp_path: Path, mode: str) -> None:
    bands = 1 if mode == "LA" else 3
    colour = RNG.integers(0, 256, (5, 6, bands), dtype=np.uint8)
    opaque = np.concatenate([colour, np.full((5, 6, 1), 255, np.uint8)], axis=2)
    picture = md.images.load(pil(tmp_path / "a.png", opaque))
    assert picture.alpha is None and picture.pixels.shape[1] == bands
    real = opaque.copy()
    real[2, 3, -1] = 7
    path = pil(tmp_path / "b.png", real)
    with pytest.raises(ImageFileError, match="transparent"):
        md.images.read(path)
    for name in ("c.png", "c.tif"):
        md.images.save(tmp_path / name, md.images.load(path))
        again = md.images.load(tmp_path / name)
        assert torch.equal(again.alpha, md.images.load(path).alpha)
        assert torch.equal(again.pixels, md.images.load(path).pixels)
    with pytest.raises(InputError, match="JPEG has no transparency"):
        md.images.save(tmp_path / "c.jpg", md.images.load(path))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    from PIL import ImageOps

    array = np.zeros((16, 24), np.uint8)
    array[:8, :8], array[8:, 16:] = 255, 128
    path = tmp_path / f"a{suffix}"
    image = pillow.fromarray(array)
    exif = pillow.Exif()
    exif[274] = orientation
    if suffix == ".tif":
        tifffile.imwrite(path, array, extratags=[(274, "H", 1, orientation, True)])
    else:
        image.save(path, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(_with_orientation(image, orientation)))
    found = as_array(md.images.read(path))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() <= 3
    md.images.save(tmp_path / "b.png", md.images.load(path))
    assert pillow.open(tmp_path / "b.png").getexif().get(274, 1) == 1


def _with_orientation(image: pillow.Image, orientation: int) -> pillow.Image:
    buffer, exif = io.BytesIO(), pillow.Exif()
    exif[274] = orientation
    image.save(buffer, "PNG", exif=exif)
    return pillow.open(buffer)


def test_colour_profile_is_carried(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = pil(tmp_path / "a.png", RGB8, icc_profile=profile)
    picture = md.images.load(path)
    assert picture.profile == profile and np.array_equal(as_array(picture.pixels), RGB8)
    for name in ("b.png", "b.jpg", "b.tif"):
        md.images.save(tmp_path / name, picture)
        assert md.images.load(tmp_path / name).profile == profile
    deep = mio.Picture(picture.pixels, None, np.dtype(np.uint16), profile)
    md.images.save(tmp_path / "c.png", deep)
    again = md.images.load(tmp_path / "c.png")
    assert again.profile == profile and again.dtype == np.uint16
    assert np.array_equal(as_array(again.pixels), RGB8)


def test_cmyk_and_lab_are_refused(tmp_path: Path) -> None:
    for name, mode in (("a.jpg", "CMYK"), ("a.tif", "CMYK"), ("b.tif", "LAB")):
        image = pillow.new(mode, (4, 4))
        image.save(tmp_path / name)
        with pytest.raises(ImageFileError, match="colour space"):
            md.images.read(tmp_path / name)


def test_several_pages_and_frames_are_refused(tmp_path: Path) -> None:
    frames = [pillow.fromarray(GREY8), pillow.fromarray(255 - GREY8)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY8, GREY8, GREY8, GREY8, GREY8]), photometric="minisblack")
    with pytest.raises(ImageFileError, match="2 frames"):
        md.images.read(tmp_path / "a.gif")
    with pytest.raises(ImageFileError, match="5 pages"):
        md.images.read(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.png"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    big = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if name == "deep.png":
        path.write_bytes(imagecodecs.png_encode(big.astype(np.uint16) * 257))
    else:
        pil(path, big)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageFileError, match=r"damaged or truncated|not an image"):
        md.images.read(path)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "text.tif").write_bytes(b"II*\x00nonsense")
    with pytest.raises(ImageFileError, match="There is no file"):
        md.images.read(tmp_path / "none.png")
    with pytest.raises(ImageFileError, match="is empty"):
        md.images.read(tmp_path / "empty.png")
    with pytest.raises(ImageFileError, match="not an image"):
        md.images.read(tmp_path / "text.png")
    with pytest.raises(ImageFileError, match="damaged"):
        md.images.read(tmp_path / "text.tif")
    with pytest.raises(ImageFileError, match="is a folder"):
        md.images.read(tmp_path)


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"\xff\xd8\xff", b"GIF89a"])
)
def test_random_bytes_never_crash(tmp_path_factory: pytest.TempPathFactory, noise: bytes, magic: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "a.png"
    path.write_bytes(magic + noise)
    with pytest.raises(ImageFileError):
        md.images.read(path)


def test_arrays_in_and_out() -> None:
    for array in (GREY8, RGB8, GREY16, RGB16):
        assert np.array_equal(md.images.to_numpy(md.images.from_numpy(array), array.dtype), array)
    assert md.images.from_numpy(np.zeros((2, 3))).dtype == torch.float64
    assert md.images.from_numpy(np.ones((2, 3), bool)).max() == 1
    clipped = md.images.to_numpy(torch.tensor([[[[300 / 255, -5 / 255]]]]), np.uint8)
    assert clipped.tolist() == [[255, 0]]
    source = np.zeros((2, 2), np.float32)
    md.images.from_numpy(source)[...] = 1
    assert source.max() == 0


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2, 4), np.uint8), "alpha channel"),
        (np.zeros((2, 2, 5), np.uint8), "got the shape"),
        (np.zeros(3), "got the shape"),
        (np.zeros((0, 3)), "at least one pixel"),
        (np.zeros((2, 2), np.int64), "int64"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), 255.0), "another scale"),
    ],
)
def test_arrays_that_are_refused(array: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        md.images.from_numpy(array)


def test_writing(tmp_path: Path) -> None:
    image = random_image(1, 3, 6, 5)
    with pytest.raises(OutputError, match=r"ending .gif"):
        md.images.write(tmp_path / "a.gif", image)
    with pytest.raises(OutputError, match="does not exist"):
        md.images.write(tmp_path / "none" / "a.png", image)
    with pytest.raises(InputError, match="JPEG holds 8 bits"):
        md.images.write(tmp_path / "a.jpg", image, bits=16)
    with pytest.raises(InputError, match="PNG holds 8 or 16"):
        md.images.write(tmp_path / "a.png", image, bits=32)
    with pytest.raises(InputError, match="must be 8, 16 or 32"):
        md.images.write(tmp_path / "a.png", image, bits=12)
    with pytest.raises(InputError, match="one image"):
        md.images.write(tmp_path / "a.png", random_image(2, 3, 4, 4))
    for bits, bound in ((8, 0.5 / 255), (16, 0.5 / 65535), (32, 0)):
        md.images.write(tmp_path / "a.tif", image, bits=bits)
        assert (md.images.read(tmp_path / "a.tif") - image).abs().max() <= bound + 1e-7


def test_noise_has_the_law_it_says() -> None:
    clean = torch.full((1, 1, 400, 400), 0.5)
    noisy = md.images.GaussianNoise(0.1)(clean, seed=3)
    noise = ((noisy - clean) / 0.1).double().flatten()
    assert abs(noise.mean().item()) < 4 / 400
    assert noise.std().item() == pytest.approx(1, abs=0.01)
    assert (noise**4).mean().item() == pytest.approx(3, abs=0.1)
    assert noisy.max() > 0.9 and md.images.GaussianNoise(0.9)(clean, seed=1).min() < 0
    assert torch.equal(md.images.GaussianNoise(0)(clean, seed=0), clean)
    both = md.images.GaussianNoise(0.1)(clean.expand(2, -1, -1, -1), seed=3)
    assert torch.equal(both[1:], md.images.GaussianNoise(0.1)(clean, seed=4))
    for sigma in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="sigma"):
            md.images.GaussianNoise(sigma)


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_noise_is_estimated(sigma: float) -> None:
    photo = md.images.coffee()
    estimate = md.images.estimate_noise(md.images.GaussianNoise(sigma / 255)(photo, seed=2)).item() * 255
    assert sigma - 0.2 <= estimate < sigma + 1.4  # the finest Haar details: 1.8 too much at 5
    assert md.images.estimate_noise(torch.zeros(2, 1, 1, 9)).tolist() == [0, 0]


@pytest.mark.parametrize(("height", "width"), [(2, 900), (4, 450), (7, 300), (60, 50)])
def test_the_estimate_of_pure_noise_needs_no_many_rows(height: int, width: int) -> None:
    noisy = md.images.GaussianNoise(0.1)(torch.zeros(20, 1, height, width), seed=1)
    assert float(md.images.estimate_noise(noisy).mean()) == pytest.approx(0.1, rel=0.06)


def test_polynomials_along_an_axis_are_no_noise() -> None:
    x = torch.linspace(-1, 1, 40, dtype=torch.float64)
    smooth = (x**5 - x**2)[:, None] * torch.cos(9 * x) + torch.cos(5 * x)[:, None] * (1 - x**4)
    assert float(md.images.estimate_noise(smooth[None, None])) < 1e-12


def test_random_masks_are_exact_and_alone_as_in_a_batch() -> None:
    mask = md.images.random_mask(37, 41, 0.05, seed=7, batch=3)
    assert mask.sum(dim=(1, 2, 3)).tolist() == [round(0.05 * 37 * 41)] * 3
    assert torch.equal(mask[2:], md.images.random_mask(37, 41, 0.05, seed=9))
    assert md.images.random_mask(2, 2, 0.001, seed=0).sum() == 1
    assert md.images.random_mask(2, 2, 1, seed=0).all()
    for density in (0, -1, 1.5, math.nan):
        with pytest.raises(InputError, match="density"):
            md.images.random_mask(4, 4, density, seed=0)


def test_masks_from_files_and_arrays(tmp_path: Path) -> None:
    marks = (GREY8 > 127).astype(np.uint8) * 255
    path = pil(tmp_path / "mask.png", marks)
    known = md.images.read_mask(path)
    assert np.array_equal(known[0, 0].numpy(), marks > 0)
    assert torch.equal(md.images.read_mask(path, damage=True), ~known)
    for array in (marks > 0, marks // 255, marks.astype(float) / 255, marks.astype(np.uint16) * 257):
        assert torch.equal(md.images.mask_from_numpy(array), known)
    assert md.images.mask_from_numpy(np.zeros((2, 2), np.uint8)).sum() == 0
    with pytest.raises(MaskError, match="pixels are between"):
        md.images.mask_from_numpy(GREY8)
    with pytest.raises(MaskError, match=r"mask\.jpg"):
        md.images.read_mask(pil(tmp_path / "mask.jpg", GREY8))
    with pytest.raises(MaskError, match="has colours"):
        md.images.mask_from_numpy(RGB8)


def test_phantoms() -> None:
    disc = md.images.disc(41, 61, 12.5)
    assert disc.sum().item() == pytest.approx(math.pi * 12.5**2, rel=0.02)
    assert torch.equal(disc, disc.flip(2)) and torch.equal(disc, disc.flip(3))
    assert md.images.step(2, 5, at=1, left=0.25, right=0.5).tolist()[0][0][0] == [0.25, 0.5, 0.5, 0.5, 0.5]
    assert md.images.ramp(1, 1).item() == 0
    with pytest.raises(InputError, match="at least one pixel"):
        md.images.disc(0, 4, 1)


def test_dead_leaves() -> None:
    leaves = md.images.dead_leaves(64, 80, seed=5, channels=3, batch=2)
    assert leaves.shape == (2, 3, 64, 80) and leaves.min() >= 0 and leaves.max() <= 1
    assert torch.equal(leaves[1:], md.images.dead_leaves(64, 80, seed=6, channels=3))
    grey = md.images.dead_leaves(128, 128, seed=1, supersample=1)
    flat = (grey[..., 1:] == grey[..., :-1]).float().mean()
    assert 0.5 < flat < 0.98  # occlusion leaves flat regions and edges
    assert md.images.dead_leaves(1, 1, seed=0).shape == (1, 1, 1, 1)
    with pytest.raises(InputError, match="channels"):
        md.images.dead_leaves(8, 8, seed=0, channels=2)


def test_psnr() -> None:
    image = random_image(2, 3, 9, 8)
    assert md.images.psnr(image, image).tolist() == [math.inf, math.inf]
    assert md.images.psnr(image + 0.01, image)[0].item() == pytest.approx(40, abs=1e-3)
    with pytest.raises(InputError, match="one shape"):
        md.images.psnr(image, image[:1])


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_equals_scikit_image(channels: int) -> None:
    one, other = random_image(1, channels, 30, 27), random_image(1, channels, 30, 27, seed=1)
    blend = 0.7 * one + 0.3 * other
    expected = structural_similarity(
        one[0].permute(1, 2, 0).double().numpy(),
        blend[0].permute(1, 2, 0).double().numpy(),
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert md.images.ssim(one, blend).item() == pytest.approx(expected, abs=1e-7)
    with pytest.raises(InputError, match="11 x 11"):
        md.images.ssim(one[..., :10], one[..., :10])


def test_the_photograph_ships_with_its_licence() -> None:
    photo = md.images.coffee()
    assert photo.shape == (1, 3, 400, 600) and 0 <= photo.min() < 0.05 and photo.max() == 1
    licences = Path(mio.__file__).parent / "data" / "LICENSES.md"
    shipped = [p.name for p in licences.parent.iterdir() if p.name != licences.name]
    assert all(name in licences.read_text(encoding="utf-8") for name in shipped)


def test_a_phones_jpeg_with_a_second_frame_is_read(tmp_path: Path) -> None:
    frames = [pillow.fromarray(RGB8), pillow.fromarray(RGB8[:3, :2])]
    frames[0].save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert md.images.read(tmp_path / "a.jpg").shape == (1, 3, 7, 5)


def test_a_tiff_with_a_thumbnail_is_read_and_premultiplied_alpha_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(RGB8, photometric="rgb")
        tiff.write(RGB8[:3, :2], photometric="rgb", subfiletype=1)
    assert np.array_equal(as_array(md.images.read(tmp_path / "a.tif")), RGB8)
    alpha = np.concatenate([RGB8, GREY8[:, :, None]], axis=2)
    tifffile.imwrite(tmp_path / "b.tif", alpha, photometric="rgb", extrasamples=["assocalpha"])
    with pytest.raises(ImageFileError, match="premultiplied"):
        md.images.load(tmp_path / "b.tif")


def test_a_pipe_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageFileError, match="not a regular file"):
        md.images.read(tmp_path / "pipe.png")
    with pytest.raises(OutputError, match="not a regular file"):
        md.images.write(tmp_path / "pipe.png", random_image(1, 1, 3, 3))


def test_what_is_no_float_image_is_not_written(tmp_path: Path) -> None:
    for wrong in (
        torch.zeros(1, 1, 2, 2, dtype=torch.uint8),
        torch.full((1, 1, 2, 2), math.nan),
        np.zeros((2, 2)),
    ):
        with pytest.raises(InputError, match=r"float32|NaN|to_numpy needs"):
            md.images.write(tmp_path / "a.png", wrong)
    with pytest.raises(OutputError, match="65500"):
        md.images.write(tmp_path / "a.jpg", torch.zeros(1, 1, 1, 65501))
    assert list(tmp_path.iterdir()) == []


def test_masks_of_zero_and_one_in_8_bit(tmp_path: Path) -> None:
    pillow.fromarray((GREY8 > 127).astype(np.uint8)).save(tmp_path / "m.png")
    assert np.array_equal(md.images.read_mask(tmp_path / "m.png")[0, 0].numpy(), GREY8 > 127)
    pillow.fromarray(np.dstack([GREY8 * 0, GREY8])).save(tmp_path / "alpha.png")
    with pytest.raises(MaskError, match="no transparency"):
        md.images.read_mask(tmp_path / "alpha.png")
