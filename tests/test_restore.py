"""denoise, inpaint and show: one line, the same kind comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_image

import mindl as md
from mindl.core.errors import InputError, MaskError, NotSolvedError, UnknownNameError, ViewError
from mindl.models.denoising import weight_for_noise
from mindl.restore import plan_denoising, plan_inpainting

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(12, 15), (12, 15, 3), (12, 15, 1), (1, 1), (1, 9, 3)])
def test_the_same_kind_comes_back(dtype, shape) -> None:
    array = RNG.random(shape)
    array = (
        (array * np.iinfo(dtype).max).astype(dtype) if np.issubdtype(dtype, np.integer) else array.astype(dtype)
    )
    for result in (md.denoise(array), md.inpaint(array, mask=np.ones(shape[:2], bool))):
        assert result.dtype == array.dtype and result.shape == array.shape
    assert np.array_equal(md.inpaint(array, mask=np.ones(shape[:2], bool)), array)


def test_tensors_and_paths(tmp_path: Path) -> None:
    tensor = random_image(2, 3, 9, 8, dtype=torch.float64)
    assert md.denoise(tensor).shape == tensor.shape and md.denoise(tensor).dtype == torch.float64
    md.images.write(tmp_path / "a.png", tensor[:1], bits=16)
    result = md.denoise(tmp_path / "a.png", noise=0.05)
    assert result.shape == (9, 8, 3) and result.dtype == np.uint16
    assert np.array_equal(md.denoise(str(tmp_path / "a.png"), noise=0.05), result)


def test_denoising_denoises() -> None:
    photo = md.images.coffee()[..., :200, :200]
    noisy = md.images.GaussianNoise(25 / 255)(photo, seed=1)
    for model in md.models.denoising.WITH_RULE:
        tolerance = 1e-2 if model == "tgv" else 1e-3
        gain = md.images.psnr(md.denoise(noisy, model=model, tolerance=tolerance), photo) - md.images.psnr(
            noisy, photo
        )
        assert gain.item() > 6


@pytest.mark.parametrize("name", md.models.denoising.WITH_RULE)
@pytest.mark.parametrize("sigma", [10, 25])
@pytest.mark.parametrize("grey", [True, False])
def test_the_rule_for_the_weight_is_near_the_best(name: str, sigma: int, grey: bool) -> None:
    """On the photograph that ships, at most 0.25 dB below the best of a grid of weights."""
    photo = md.images.coffee()[..., 100:300, 150:350]
    photo = photo.mean(dim=1, keepdim=True) if grey else photo
    noisy = md.images.GaussianNoise(sigma / 255)(photo, seed=3)
    weight = weight_for_noise(name, sigma / 255, photo.shape[1])

    def quality(w: float) -> float:
        model = md.models.DENOISING[name](noisy, w)
        return md.images.psnr(md.minimise(model, stop=md.Stop(1e-2)).image, photo).item()

    best = max(quality(weight * factor) for factor in (0.6, 0.8, 1.25, 1.6))
    assert quality(weight) >= best - 0.25


def test_what_was_estimated_is_said() -> None:
    noisy = md.images.GaussianNoise(0.1)(torch.full((1, 1, 64, 64), 0.5), seed=1)
    assert "/255 (estimated), weight 0.0" in plan_denoising(noisy).why
    assert "noise 25.5/255 (given)" in plan_denoising(noisy, noise=0.1).why
    assert plan_denoising(noisy, weight=0.3).why == "weight 0.3 (given)"
    assert plan_denoising(torch.zeros(1, 1, 1, 1)).model.weight > 0


def test_masks_of_every_kind(tmp_path: Path) -> None:
    array = RNG.random((8, 9, 3))
    known = RNG.random((8, 9)) < 0.5
    expected = md.inpaint(array, mask=known)
    md.images.write(tmp_path / "mask.png", torch.from_numpy(known).float()[None, None])
    tensor = torch.from_numpy(known)[None, None]
    for mask in (
        known.astype(np.uint8),
        known.astype(np.uint8) * 255,
        tensor,
        tensor.float(),
        tmp_path / "mask.png",
    ):
        assert np.array_equal(md.inpaint(array, mask=mask), expected)
    for damage in (~known, ~tensor, 1 - tensor.float()):
        assert np.array_equal(md.inpaint(array, damage=damage), expected)
    holes = np.where(known[:, :, None], array, np.nan)
    assert np.array_equal(md.inpaint(holes, mask=known), expected)


def test_what_is_refused() -> None:
    array = RNG.random((8, 9))
    with pytest.raises(UnknownNameError, match="Did you mean 'rof'"):
        md.denoise(array, model="roff")
    with pytest.raises(UnknownNameError, match="Did you mean 'primal-dual'"):
        md.denoise(array, solver="primal")
    with pytest.raises(UnknownNameError, match="is named by a string"):
        md.denoise(array, model=5)
    with pytest.raises(InputError, match="not both"):
        md.denoise(array, weight=0.1, noise=0.1)
    with pytest.raises(InputError, match="got None"):
        md.denoise(None)
    with pytest.raises(InputError, match="another scale"):
        md.denoise(torch.full((1, 1, 4, 4), 255.0))
    with pytest.raises(ViewError, match="PrimalDual, DualFISTA, ADMM and GradientDescent accept it"):
        md.denoise(array, solver="conjugate-gradient")
    with pytest.raises(InputError, match="25/255"):
        md.denoise(array, noise=25)
    with pytest.raises(InputError, match="units of the pixels"):
        md.denoise(array, noise=-0.1)
    with pytest.raises(InputError, match="weight above 0"):
        md.denoise(array, weight=0)
    with pytest.raises(MaskError, match="either mask="):
        md.inpaint(array)
    with pytest.raises(MaskError, match="either mask="):
        md.inpaint(array, mask=array > 0, damage=array > 0)
    with pytest.raises(MaskError, match="one size"):
        md.inpaint(array, mask=np.ones((3, 3), bool))
    with pytest.raises(NotSolvedError):
        md.denoise(RNG.random((1, 300)), model="whittaker_tikhonov", weight=1e6, solver="gradient-descent")
    with pytest.raises(InputError, match="no rule"):
        weight_for_noise("tv_l1", 0.1, 1)


def test_show() -> None:
    photo = md.images.coffee()[..., :50, :60]
    solution = md.minimise(md.models.rof(photo, 0.1))
    figure = md.show(photo, solution, photo[0].permute(1, 2, 0).numpy(), titles=["a", "b"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b", ""]
    assert len(md.show(photo.expand(3, -1, -1, -1)).axes) == 3
    with pytest.raises(InputError, match="at least one picture"):
        md.show()


@pytest.mark.parametrize("model, name", [("huber_rof", "unet-huber"), ("rof", "unet-rof")])
def test_a_network_for_grey_images_serves_colour_channel_by_channel(model: str, name: str) -> None:
    image = random_image(1, 3, 13, 11, seed=3).float()
    noise = {"model": model, "noise": 25 / 255, "tolerance": 1e-6}
    found = md.denoise(image, net=name, **noise)
    for c in range(3):
        torch.testing.assert_close(
            found[:, c : c + 1], md.denoise(image[:, c : c + 1], **noise), atol=2e-3, rtol=0
        )


def test_inpainting_leaves_channels_apart_for_a_grey_network() -> None:
    net = md.neural.Direct(md.nets.UNet(2, 1, widths=(4,)), md.neural.Filled())
    image, known = random_image(1, 3, 8, 9, seed=4).float(), md.images.random_mask(8, 9, density=0.4, seed=0)
    plan = plan_inpainting(image, known, model="tv_inpainting", net=net)
    assert plan.model.separable and "each channel on its own" in plan.why
    assert not plan_inpainting(image, known, model="tv_inpainting").model.separable
    assert "channel" not in plan_inpainting(image, known, net=net).why  # harmonic: nothing is coupled anyway
    assert not bool(md.inpaint(image, mask=known, model="tv_inpainting", net=net).isnan().any())
