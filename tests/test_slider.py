"""Two pictures in one frame: what is shown, how it is kept apart from the page around it, what is refused."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

import mindl as md
from mindl.core.errors import InputError, OutputError
from mindl.slider import before_after


class Tags(HTMLParser):
    """Every opening tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def pictures(text: str) -> list[np.ndarray]:
    """The PNG pictures of a page, as arrays, read by a decoder that the writer does not use."""
    import imagecodecs

    found = []
    for image in Tags(text).all("img"):
        kind, data = str(image["src"]).split(",", 1)
        assert kind == "data:image/png;base64"
        found.append(np.asarray(imagecodecs.png_decode(base64.b64decode(data, validate=True))))
    return found


def ramp(channels: int = 1) -> torch.Tensor:
    return torch.linspace(0, 1, 12 * channels).reshape(1, channels, 3, 4)


@pytest.mark.parametrize("channels", [1, 3])
def test_both_pictures_are_there_to_the_last_bit_and_in_order(channels: int) -> None:
    before, after = ramp(channels), ramp(channels).flip(3)
    shown = pictures(before_after(before, after)._repr_html_())
    for found, wanted in zip(shown, (before, after), strict=True):
        assert np.array_equal(found, md.images.to_numpy(wanted, np.uint8))


def test_values_outside_the_range_are_clipped_for_the_eye_only() -> None:
    before = torch.tensor([[[[-0.5, 0.5, 1.5]]]])
    slider = before_after(before, before)
    assert slider.before.tolist() == slider.after.tolist() == [[[[0.0, 0.5, 1.0]]]]
    assert pictures(slider._repr_html_())[0].tolist() == [[0, 128, 255]]
    assert before.tolist() == [[[[-0.5, 0.5, 1.5]]]]


def test_solutions_arrays_and_paths_are_pictures(tmp_path: Path) -> None:
    image = ramp()
    solution = md.minimise(md.models.whittaker_tikhonov(image, weight=0.5))
    path = md.images.write(tmp_path / "ramp.png", image)
    as_array = md.images.to_numpy(image, np.uint8)
    first, second = pictures(before_after(path, as_array)._repr_html_())
    assert np.array_equal(first, second)
    (smoothed, _) = pictures(before_after(solution, image)._repr_html_())
    assert np.array_equal(smoothed, md.images.to_numpy(solution.image, np.uint8))


def test_a_picture_on_the_tape_of_autograd_can_be_shown() -> None:
    image = ramp().requires_grad_()
    assert not before_after(image, image * 0.5).after.requires_grad


def test_grey_beside_colour() -> None:
    shown = pictures(before_after(ramp(1), ramp(3))._repr_html_())
    assert [picture.ndim for picture in shown] == [2, 3]


def test_the_handle_is_an_input_that_keyboards_and_screen_readers_know() -> None:
    tags = Tags(before_after(ramp(), ramp(), labels=("noisy", "clean"))._repr_html_())
    (handle,) = tags.all("input")
    assert handle["type"] == "range"
    assert handle["aria-label"] == "from noisy to clean"
    assert [image["alt"] for image in tags.all("img")] == ["noisy", "clean"]
    assert "tabindex" not in handle and "disabled" not in handle


def test_the_handle_moves_what_the_style_reads() -> None:
    """The script sets one variable of its own frame; the style's clip and bar follow it."""
    text = before_after(ramp(), ramp())._repr_html_()
    (handle,) = Tags(text).all("input")
    (variable,) = re.findall(r"this\.parentNode\.style\.setProperty\('(--\w+)'", str(handle["oninput"]))
    assert f"inset(0 0 0 var({variable}))" in text and f"left: var({variable})" in text
    (frame,) = [d for d in Tags(text).all("div") if d.get("class") == "mindl-slider"]
    assert f"{variable}: {handle['value']}%" in str(frame["style"])


def test_several_on_a_page_do_not_meet() -> None:
    """No identifiers, no global names: nothing that a second slider could take over."""
    tags = Tags(before_after(ramp(), ramp())._repr_html_() * 2)
    assert not any("id" in attributes or "name" in attributes for _, attributes in tags.tags)
    assert not tags.all("script")


def test_nothing_is_fetched() -> None:
    text = before_after(ramp(), ramp())._repr_html_()
    assert "http" not in text and "//" not in re.sub(r"base64,[^\"]*", "", text)
    assert "@import" not in text and "url(" not in text


def test_labels_are_text_and_not_markup(tmp_path: Path) -> None:
    slider = before_after(ramp(), ramp(), labels=('<b onclick="x">', "a & b"))
    text = slider.write(tmp_path / "slider.html").read_text(encoding="utf-8")
    assert "<b onclick" not in text
    assert not any("onclick" in attributes for _, attributes in Tags(text).tags)
    assert Tags(text).all("img")[0]["alt"] == '<b onclick="x">'
    assert "a &amp; b" in text


def test_a_written_page_stands_alone(tmp_path: Path) -> None:
    slider = before_after(ramp(), ramp(), labels=("old", "new"))
    path = slider.write(tmp_path / "slider.html")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "<title>old and new</title>" in text
    assert slider._repr_html_() in text
    with pytest.raises(OutputError, match="exists already"):
        slider.write(path, overwrite=False)
    with pytest.raises(OutputError, match="does not exist"):
        slider.write(tmp_path / "nowhere" / "slider.html")


@pytest.mark.parametrize(("columns", "shown"), [(16, 480), (160, 480), (200, 400), (600, 600), (2000, 2000)])
def test_small_pictures_are_enlarged_by_a_whole_factor(columns: int, shown: int) -> None:
    image = torch.zeros(1, 1, 2, columns)
    slider = before_after(image, image)
    assert slider.width == shown and slider.width % columns == 0
    assert f"width: {shown}px" in slider._repr_html_()
    assert before_after(image, image, width=123).width == 123


def test_different_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"3 x 4 and 4 x 3 pixels: crop or resize one"):
        before_after(ramp(), ramp().transpose(2, 3))


def test_a_batch_is_refused() -> None:
    with pytest.raises(InputError, match=r"before_after\(after\) shows one image, got a batch of 2"):
        before_after(ramp(), ramp().repeat(2, 1, 1, 1))


@pytest.mark.parametrize("labels", ["ab", ("one",), ("a", "b", "c")])
def test_labels_are_two(labels: object) -> None:
    with pytest.raises(InputError, match="needs two labels"):
        before_after(ramp(), ramp(), labels=labels)  # type: ignore[arg-type]


def test_a_width_is_at_least_a_pixel() -> None:
    with pytest.raises(InputError, match="must be at least 1 pixel"):
        before_after(ramp(), ramp(), width=0)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError):
        before_after(torch.zeros(1, 2, 3, 4), ramp())
    with pytest.raises(InputError):
        before_after(ramp() * float("nan"), ramp())


def test_an_evolution_is_a_picture_too() -> None:
    photo = md.images.disc(8, 8, 3)
    after = md.evolve(md.models.linear_diffusion(photo), time=1.0)
    assert before_after(photo, after)._repr_html_() == before_after(photo, after.image)._repr_html_()
    assert len(md.show(photo, after).axes) == 2
