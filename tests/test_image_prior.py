"""A fresh network fitted to one model."""

from __future__ import annotations

import inspect

import pytest
import torch
from conftest import random_image
from torch import nn

import mindl as md
from mindl.core.errors import InputError, NonFiniteError, ViewError
from mindl.core.randomness import generator_for
from mindl.nets.architecture import Architecture
from mindl.neural.image_prior import ImagePrior


def tiny(outputs: int = 1, inputs: int = 4) -> md.nets.PlainCNN:
    return md.nets.PlainCNN(inputs, outputs, width=6, depth=2)


def noisy(*shape: int, seed: int = 0) -> torch.Tensor:
    height, width = shape[2:]
    return md.images.disc(height, width, min(height, width) / 3) + 0.2 * random_image(*shape, seed=seed)


def known(data: torch.Tensor) -> torch.Tensor:
    return md.images.random_mask(*data.shape[2:], 0.4, seed=1)


MODELS = {
    "rof": (1, lambda f: md.models.rof(f, 0.1)),
    "colour": (3, lambda f: md.models.rof(f, 0.1)),
    "tgv": (3, lambda f: md.models.tgv(f[:, :1], 0.1)),
    "harmonic": (1, lambda f: md.models.harmonic_inpainting(f, known(f))),
    "elastica": (1, lambda f: md.models.elastica_inpainting(f, known(f))),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_energy_of_any_model_falls(name: str) -> None:
    """Below that of the untrained network; in use as any other solver, where no derivatives are kept."""
    outputs, model_of = MODELS[name]
    model = model_of(noisy(1, outputs, 9, 12))
    first, fitted = (
        md.answer(model, ImagePrior(tiny(outputs), steps=steps, rate=1e-2)).unknown for steps in (0, 40)
    )
    assert model.energy(fitted) < 0.8 * model.energy(first)
    assert model.admissible(fitted).all()
    assert not fitted.requires_grad


@pytest.mark.slow
def test_a_network_that_can_show_everything_finds_the_minimiser() -> None:
    model = md.models.rof(noisy(1, 1, 8, 8), 0.1)
    exact = md.minimise(model, stop=md.Stop(1e-5, steps=20000)).image
    fitted = ImagePrior(md.nets.PlainCNN(8, 1, width=48, depth=3), steps=400)(model).image
    least, first = float(model.energy(exact)), float(model.energy(model.start()))
    assert 0 <= float(model.energy(fitted)) - least < 0.02 * (first - least)


@pytest.mark.parametrize("regularised", [True, False])
@pytest.mark.parametrize("name", ["rof", "harmonic"])
def test_a_step_by_hand(name: str, regularised: bool) -> None:
    """The first step of Adam is the rate times the sign of each derivative, of the loss as it is defined."""
    data = noisy(1, 1, 6, 7).double()
    model = MODELS[name][1](data)
    start, network = model.start(), tiny().double()
    z = 0.1 * torch.rand(1, 4, 6, 7, generator=generator_for(3, 0), dtype=torch.float64)

    def image() -> torch.Tensor:
        return start.mean() + start.std(correction=0) * network(z)

    if regularised:
        loss = model.energy(model.project(image()))
    else:
        asked = torch.ones_like(data) if name == "rof" else model.data_term.mask.to(data)
        loss = 0.5 * (asked * (image() - data).square()).sum()
    loss.sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= 0.02 * parameter.grad.sign()
    net = ImagePrior(tiny(), steps=1, rate=0.02, average=0.0, regularised=regularised, seed=3)
    assert torch.allclose(net(model).image, model.project(image()), atol=1e-5)


def test_with_the_data_alone_time_is_what_regularises() -> None:
    """Few steps do not show the noise yet; many show it all."""
    model = md.models.rof(random_image(1, 1, 8, 8), 0.1)

    def misfit(steps: int) -> float:
        net = ImagePrior(md.nets.PlainCNN(8, 1, width=32, depth=3), steps=steps, rate=5e-3, regularised=False)
        return float((net(model).image - model.data_term.data).square().sum())

    spread = float((model.data_term.data - model.data_term.data.mean()).square().sum())
    assert misfit(5) > 0.5 * spread
    assert misfit(250) < 0.01 * spread


def test_known_pixels_alone_are_fitted_where_nothing_regularises() -> None:
    data = noisy(1, 1, 8, 8)
    model = md.models.harmonic_inpainting(data, known(data))
    mask = model.data_term.mask.expand_as(data)
    other = md.models.harmonic_inpainting(torch.where(mask, data, 7.0), known(data))
    found = []
    for each in (model, other):
        net = ImagePrior(tiny(), steps=10, rate=1e-2, regularised=False)
        found.append(net(each).image)
    start = ImagePrior(tiny(), steps=0, regularised=False)(model).image
    assert torch.equal(found[0], found[1])  # what is behind the mask is not looked at
    assert torch.equal(found[0][mask], data[mask])
    assert not torch.allclose(found[0][~mask], start[~mask], atol=1e-3)


def test_an_image_is_answered_alone_as_in_a_batch() -> None:
    data = torch.cat([noisy(1, 1, 9, 7), 3 * noisy(1, 1, 9, 7, seed=1)])
    weights = torch.tensor([0.1, 0.3]).reshape(2, 1, 1, 1)
    net = ImagePrior(tiny(), steps=30, rate=1e-2, jitter=0.03)
    both = net(md.models.rof(data, weights)).image
    alone = [net(md.models.rof(data[b : b + 1], float(weights[b]))).image for b in range(2)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-6)


class Dropping(Architecture):
    """Draws from the global generator whenever it is run."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.layers = nn.Sequential(tiny(4, inputs), nn.Dropout(0.5), tiny(outputs, 4))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(image)
        return result


def test_the_same_seed_gives_the_same_answer_whatever_is_drawn_elsewhere() -> None:
    model = md.models.rof(noisy(2, 1, 8, 8), 0.1)
    answers = []
    for seed, elsewhere in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(elsewhere)
        before = torch.random.get_rng_state()
        answers.append(ImagePrior(Dropping(4, 1), steps=5, jitter=0.03, seed=seed)(model).image)
        assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(answers[0], answers[1]) and not torch.equal(answers[0], answers[2])
    alone = ImagePrior(Dropping(4, 1), steps=5, jitter=0.03, seed=1)(md.models.rof(noisy(2, 1, 8, 8)[1:], 0.1))
    assert torch.allclose(alone.image, answers[0][1:], atol=1e-6)


def test_noise_on_what_the_network_sees() -> None:
    model = md.models.rof(noisy(1, 1, 8, 8), 0.1)
    still, moved = (ImagePrior(tiny(), steps=5, jitter=jitter)(model).image for jitter in (0.0, 0.1))
    assert not torch.allclose(still, moved, atol=1e-5)


def test_the_answer_is_the_mean_of_the_images_of_all_steps() -> None:
    """Weighted by powers of ``average``; the last image by ``average=0``."""
    model = md.models.rof(noisy(1, 1, 8, 8), 0.1)

    def fitted(steps: int, average: float) -> torch.Tensor:
        net = ImagePrior(tiny(), steps=steps, average=average, rate=1e-2, regularised=False)
        return net(model).image

    images = [fitted(steps, 0.0) for steps in range(4)]
    weights = [0.125, 0.25, 0.5, 1.0]
    wanted = sum(w * image for w, image in zip(weights, images, strict=True)) / sum(weights)
    assert torch.allclose(fitted(3, 0.5), wanted, atol=1e-6)
    assert not torch.allclose(images[3], wanted, atol=1e-4)


class Length(md.Energy):
    """The squared distance to 0."""

    def start(self) -> torch.Tensor:
        return noisy(1, 1, 8, 8) - noisy(1, 1, 8, 8).mean()

    def energy(self, u: torch.Tensor) -> torch.Tensor:
        return u.double().square().sum(dim=(1, 2, 3))


def test_with_the_energy_the_best_image_of_all() -> None:
    """Steps that are too long lead up and down; and the mean counts where it is better still."""
    model = md.models.rof(noisy(2, 1, 8, 8), 0.1)
    course = torch.stack(
        [
            model.energy(ImagePrior(tiny(), steps=steps, average=0.0, rate=0.2)(model).image)
            for steps in range(0, 24, 2)
        ]
    )
    assert (course.diff(dim=0) <= 0).all() and (course.diff(dim=0) == 0).any()
    # Almost no step, much noise: the mean of what differs is shorter than each.
    best, mean = (
        Length().energy(ImagePrior(tiny(), steps=20, average=average, rate=1e-9, jitter=1.0)(Length()).image)
        for average in (0.0, 0.99)
    )
    assert mean < 0.9 * best


def test_grey_values_of_any_scale() -> None:
    """(c f + b, c w) has the answer c u + b."""
    data = noisy(1, 1, 8, 8).double()
    net = ImagePrior(tiny(), steps=20)
    plain, scaled = net(md.models.rof(data, 0.1)).image, net(md.models.rof(255 * data + 9, 25.5)).image
    assert torch.allclose(scaled, 255 * plain + 9, atol=0.05)
    constant = torch.full((1, 1, 4, 4), 0.25)
    assert torch.isfinite(net(md.models.rof(constant, 0.1)).image).all()


def test_the_weights_of_the_network_are_no_part_of_it() -> None:
    network, model = tiny(), md.models.rof(noisy(1, 1, 8, 8), 0.1)
    net = ImagePrior(network, steps=3)
    first = net(model).image
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert torch.equal(net(model).image, first)
    assert not list(net.parameters()) and not net.state_dict()
    with pytest.raises(InputError, match="has nothing to learn"):
        md.fit(net, md.learning.Denoising(), md.data.DeadLeaves(), training=md.learning.Training(steps=1))


def test_nothing_of_the_model_is_changed() -> None:
    data = noisy(1, 1, 6, 6).requires_grad_()
    found = ImagePrior(tiny(), steps=2)(md.models.rof(data, 0.1)).image
    assert data.grad is None and not found.requires_grad


def test_it_keeps_its_arguments() -> None:
    numbers = {"steps": 3, "rate": 0.1, "jitter": 0.2, "average": 0.3, "regularised": False, "seed": 4}
    net = ImagePrior(tiny(), **numbers, title="mine")
    kept = {name: getattr(net, name) for name in inspect.signature(ImagePrior).parameters}
    network = kept.pop("network")
    assert kept == {**numbers, "title": "mine"}
    assert type(network) is md.nets.PlainCNN and network.config == tiny().config
    assert repr(net) == "mine (PlainCNN fitted to the data, 3 steps, 0 parameters)"


@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        (nn.Conv2d(1, 1, 3), {}, "makes fresh copies of an architecture such as UNet"),
        (tiny(), {"steps": -1}, r"ImagePrior\(steps=-1\) needs a whole number of at least 0"),
        (tiny(), {"seed": 0.5}, r"ImagePrior\(seed=0.5\) needs a whole number"),
        (tiny(), {"rate": 0.0}, r"ImagePrior\(rate=0.0\) needs a finite number above 0"),
        (tiny(), {"rate": "fast"}, r"ImagePrior\(rate='fast'\) needs a finite number above 0"),
        (tiny(), {"rate": None}, r"ImagePrior\(rate=None\) needs a finite number above 0"),
        (tiny(), {"rate": True}, r"ImagePrior\(rate=True\) needs a finite number above 0"),
        (tiny(), {"rate": float("inf")}, r"ImagePrior\(rate=inf\) needs a finite number above 0"),
        (tiny(), {"jitter": -0.1}, r"ImagePrior\(jitter=-0.1\) needs a finite number of at least 0"),
        (tiny(), {"average": 1.0}, r"ImagePrior\(average=1.0\) needs a finite number from 0 to below 1"),
        (tiny(), {"regularised": 1}, r"ImagePrior\(regularised=1\) is True"),
    ],
)
def test_arguments_that_it_refuses(network: nn.Module, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImagePrior(network, **arguments)


def test_models_that_it_refuses() -> None:
    grey = random_image(1, 1, 6, 6)
    with pytest.raises(InputError, match=r"has 3 channels.*outputs=1: make it PlainCNN\(4, 3\)"):
        md.answer(md.models.rof(random_image(1, 3, 6, 6), 0.1), ImagePrior(tiny()))
    with pytest.raises(InputError, match=r"has 3 channels.*outputs=1"):
        ImagePrior(tiny())(md.models.tgv(grey, 0.1))
    with pytest.raises(ViewError, match="elastica_inpainting: regularised=False fits a data term alone"):
        ImagePrior(tiny(), regularised=False)(md.models.elastica_inpainting(grey, known(grey)))
    with pytest.raises(ViewError, match="needs a Energy"):
        ImagePrior(tiny())(md.models.mean_curvature_motion(grey))


def test_an_energy_that_is_not_finite() -> None:
    class Broken(md.Energy):
        def start(self) -> torch.Tensor:
            return torch.zeros(1, 1, 4, 4)

        def energy(self, u: torch.Tensor) -> torch.Tensor:
            return u.sum(dim=(1, 2, 3)) / 0

    with pytest.raises(NonFiniteError, match="after 0 steps the energy of Broken is NaN or infinite: take a rate"):
        ImagePrior(tiny(), steps=3)(Broken())
