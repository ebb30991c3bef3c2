"""Networks on the command line: train, weights, --net."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_cli import mask, photo, run

import mindl as md
from mindl.app import train as verb
from mindl.learning import Cosine, Run, Training
from mindl.recipes.unet_harmonic import UNET_HARMONIC
from mindl.recipes.unet_rof import UNET_ROF

__all__ = ["mask", "photo"]  # fixtures


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe, made small enough for a test."""
    settings = Training(steps=6, batch=2, crop=16, schedule=Cosine(warmup=2), check_every=3)
    monkeypatch.setitem(verb.RECIPES, "unet-rof", replace(UNET_ROF, training=settings, leaves=2))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        md.images.write(folder / f"{i}.png", md.images.dead_leaves(40, 44, seed=i, channels=3))
    return folder


def test_train_store_and_use(capsys, tmp_path: Path, tiny: None, photos: Path, photo: Path) -> None:
    place = tmp_path / "run"
    status, out, err = run(capsys, "train", "unet-rof", "--images", photos, "-o", place)
    assert status == 0 and out == ""
    assert "step 3 of 6: loss" in err and "energy excess" in err and "grey levels rms" in err
    assert {p.name for p in place.iterdir()} == {"config.json", "record.jsonl", "checkpoint", "images", "model"}
    card = (place / "model/README.md").read_text()
    assert "2 photographs of" in card and "6 steps" in card
    status, out, _ = run(capsys, "denoise", photo, "-o", tmp_path / "out.png", "--net", place / "model")
    assert status == 0 and "All certified" in out
    status, out, _ = run(capsys, "denoise", photo, "-o", tmp_path / "o.png", "--net", place / "model", "--json")
    assert json.loads(out)[0]["method"] == f"rof, {place / 'model'} then PrimalDual"  # not the name of what ships

    status, out, err = run(capsys, "train", "unet-rof", "--images", photos, "-o", place)
    assert status == 2 and "--resume" in err
    status, out, err = run(capsys, "train", "unet-rof", "--images", photos, "-o", place, "--resume")
    assert status == 0 and "holds the finished run already" in err
    status, out, err = run(capsys, "train", "unet-rof", "--images", photos, "-o", place, "--resume", "--steps", 9)
    assert status == 2 and "training.steps was 6, is 9" in err


def test_train_as_json(capsys, tmp_path: Path, tiny: None, photos: Path) -> None:
    (photos / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    status, out, _ = run(capsys, "train", "unet-rof", "--images", photos, "-o", tmp_path / "run", "--json", "-q")
    result = json.loads(out)
    assert status == 0 and result["steps"] == 6 and result["last"]["excess"] > 0
    assert [Path(name).name for name in result["skipped"]] == ["torn.png"]


def test_a_folder_whose_held_out_photographs_are_damaged_or_tiny(capsys, tmp_path: Path, tiny: None) -> None:
    """One is damaged and trained on, that is: named there; those that are too small to say anything are too."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(21):
        size = 4 if i == 10 else 40
        md.images.write(folder / f"{i:02}.png", md.images.dead_leaves(size, size, seed=i))
    (folder / "00.png").write_bytes(b"no image")
    status, _, err = run(capsys, "train", "unet-rof", "--images", folder, "-o", tmp_path / "run")
    assert status == 0 and "energy excess" in err
    card = (tmp_path / "run/model/README.md").read_text()
    examined = int(re.search(r"(\d) photographs? of photos; 3 dead leaves", card)[1])
    assert 1 <= examined <= 2 and f"{21 - examined} photographs of photos" in card
    assert f"{examined + 3} unseen crops of 40 x 40" in card


def test_train_harmonic_as_json(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    """Nothing is proved without a dual field: null, which JSON knows, and not Infinity."""
    settings = Training(steps=2, batch=1, crop=16, check_every=2)
    monkeypatch.setitem(verb.RECIPES, "unet-harmonic", replace(UNET_HARMONIC, training=settings, leaves=1))
    words = ["train", "unet-harmonic", "--images", photos, "-o", tmp_path / "run", "--json", "-q"]
    for more in ([], ["--resume"]):
        status, out, _ = run(capsys, *words, *more)
        assert status == 0 and json.loads(out)["last"]["rms"] is None


def test_train_begins_with_stored_weights(capsys, tmp_path: Path, tiny: None, photos: Path) -> None:
    words = ["train", "unet-rof", "--images", photos, "--steps", 0]
    status, _, _ = run(capsys, *words, "-o", tmp_path / "tuned", "--start", "unet-rof")
    assert status == 0
    tuned, stored = md.load(tmp_path / "tuned/model"), md.load("unet-rof")
    assert all(torch.equal(a, b) for a, b in zip(tuned.parameters(), stored.parameters(), strict=True))
    assert "It began with the weights of unet-rof." in (tmp_path / "tuned/model/README.md").read_text()
    status, _, err = run(capsys, *words, "-o", tmp_path / "other", "--start", "unet-harmonic")
    assert status == 2 and "without a place in the network: network.ascent.0.0.first.bias" in err
    assert not (tmp_path / "other").exists()


def test_train_sweeps_learning_rates(capsys, tmp_path: Path, tiny: None, photos: Path) -> None:
    status, out, _ = run(capsys, "train", "unet-rof", "--images", photos, "--rates")
    assert status == 0 and "The loss falls fastest at" in out and "The recipe has 4.0e-03 (Adam)" in out
    status, out, _ = run(capsys, "train", "unet-rof", "--images", photos, "--rates", "--json")
    found = json.loads(out)
    assert status == 0 and found["steepest"] in found["rates"] and len(found["rates"]) == len(found["losses"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photos"]


def test_solutions_are_made_before_they_are_learned_from(
    capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = md.recipes.RECIPES["denoise-solution"]
    settings = replace(recipe.training, steps=2, batch=2, crop=16, check_every=2)
    monkeypatch.setitem(verb.RECIPES, recipe.name, replace(recipe, training=settings, leaves=2, solved=5))
    status, _, _ = run(capsys, "train", recipe.name, "-o", tmp_path / "run")
    assert status == 0 and (tmp_path / "run/solved/problems-00000.safetensors").exists()
    card = (tmp_path / "run/model/README.md").read_text()
    assert "Solutions of the model were shown to it" in card and "5 problems of 2 dead leaves" in card


def test_train_interrupted(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = Run(UNET_ROF.make(), 3, False, [], {}, tmp_path, {})
    monkeypatch.setattr(verb, "run_recipe", lambda *_, **__: unfinished)
    status, _, err = run(capsys, "train", "unet-rof", "-o", tmp_path / "run")
    assert status == 130 and "after 3 steps" in err and "--resume" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unet-rov", "-o", "x"], "There is no recipe 'unet-rov'. Did you mean 'unet-rof'"),
        (["unet-rof"], "Name a folder for the run: mindl train unet-rof -o RUN"),
        (["unet-rof", "-o", "x", "--images", "nowhere"], "There is no folder or file of images nowhere"),
        (["unet-rof", "-o", "x", "--images", "."], "holds no image"),
    ],
)
def test_train_what_cannot_be(
    capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "train", *words)
    assert status == 2 and message in err and not list(tmp_path.iterdir())


def test_train_lists_its_recipes(capsys) -> None:
    status, out, _ = run(capsys, "train")
    assert status == 0 and "unet-rof" in out and "unet-harmonic" in out
    status, out, _ = run(capsys, "train", "--json")
    assert {row["name"] for row in json.loads(out)} == set(md.recipes.RECIPES)


def test_weights(capsys, tmp_path: Path) -> None:
    status, out, _ = run(capsys, "weights", "list")
    assert status == 0 and "unet-rof" in out and "575 kB" in out
    assert "any" in out and "None" not in out
    status, out, _ = run(capsys, "weights", "list", "--json")
    trained = {row["name"]: row["trained"] for row in json.loads(out)}
    assert trained["unet-rof"].startswith("rof, noise 5/255 to 50/255")
    status, out, _ = run(capsys, "weights", "show", "unet-rof")
    assert status == 0 and out.startswith("# unet-rof") and "## Limits" in out
    status, out, _ = run(capsys, "weights", "check")
    assert status == 0 and out.count("complete and unaltered") == len(md.store.shipped())
    shutil.copytree(md.store.shipped()["unet-rof"], tmp_path / "bent")
    with (tmp_path / "bent/model.safetensors").open("ab") as file:
        file.write(b"x")
    status, out, err = run(capsys, "weights", "check", tmp_path / "bent", "unet-rof", "nobody")
    assert (
        status == 1
        and "was altered" in err
        and "no stored network" in err
        and out.startswith("unet-rof: complete")
    )
    status, _, err = run(capsys, "denoise", "x.png", "-o", "y.png", "--net", tmp_path / "bent")
    assert status == 2 and "was altered" in err


def test_denoise_by_a_network_alone(capsys, tmp_path: Path, photo: Path) -> None:
    words = ["denoise", photo, "-o", tmp_path / "out.png", "--net", "unet-rof", "--no-finish", "--answer"]
    status, out, err = run(capsys, *words)
    assert status == 3 and "†" in out and "each channel on its own (the network knows grey)" in err
    status, out, _ = run(capsys, "verify", tmp_path / "out.png.answer.npz")
    assert status == 0 and "proved" in out  # a network's answer carries its proof


def test_a_network_asked_beyond_its_range_says_so_in_one_line(capsys, tmp_path: Path, photo: Path) -> None:
    words = ["denoise", photo, "-o", tmp_path / "out.png", "--net", "unet-rof", "--weight", "0.5"]
    status, _, err = run(capsys, *words)
    assert status == 0
    said = [line for line in err.splitlines() if "was not trained for a weight of 0.5" in line]
    assert len(said) == 1 and said[0].startswith("mindl: unet-rof")


def test_inpaint_by_a_network(capsys, tmp_path: Path, photo: Path, mask: Path) -> None:
    words = ["inpaint", photo, "--mask", mask, "-o", tmp_path / "out.png", "--net", "unet-harmonic"]
    status, out, err = run(capsys, *words)
    assert status == 0 and "unet-harmonic" in out and "All certified" in out
    assert "a share of known pixels of 0.3 (trained: 0.02 to 0.2)" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-finish"], "name one by --net"),
        (["--net", "unet-rof", "--no-finish", "--solver", "primal-dual"], "nothing for --solver to do"),
        (["--net", "unet-harmonic"], "unet-harmonic cannot answer rof: it has no mask of known pixels"),
        (["--net", "unet-rof", "--model", "whittaker_tikhonov"], "no half squared data term with total variation"),
        (["--net", "unet-rov"], "Did you mean 'unet-rof'"),
    ],
)
def test_networks_that_cannot_serve(capsys, tmp_path: Path, photo: Path, words: list[str], message: str) -> None:
    status, _, err = run(capsys, "denoise", photo, "-o", tmp_path / "out.png", *words)
    assert status == 2 and message in err and not (tmp_path / "out.png").exists()


def test_compare_shows_networks_beside_solvers(capsys, tmp_path: Path) -> None:
    grey = md.images.write(tmp_path / "grey.png", md.images.grey(md.images.coffee())[..., :40, :50])
    status, out, _ = run(capsys, "compare", grey, "--json", "-o", tmp_path / "plot.png")
    rows = {row["method"]: row for row in json.loads(out)}
    assert status == 0
    assert rows["rof, unet-rof"]["excess"] < 0.1 and not rows["rof, unet-rof"]["certified"]
    assert rows["rof, unet-rof then PrimalDual"]["certified"]
    assert (tmp_path / "plot.png").exists()
    status, out, _ = run(capsys, "compare", grey, "--known", "0.1", "--net", "unet-harmonic")
    assert status == 0 and "unet-harmonic" in out and "excess" in out
    status, out, err = run(capsys, "compare", grey, "--net", "unet-harmonic", "--json")
    assert "unet-harmonic serves none of the models compared here" in err and "unet-harmonic" not in out
    status, _, err = run(capsys, "compare", grey, "--net", "nobody")
    assert status == 2 and "no stored network" in err


def test_the_verb_nets_describes_every_architecture(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "nets", "--size", "16", "--json")
    told = json.loads(out)
    assert status == 0 and err == ""
    assert set(told) == set(md.nets.NETWORKS)
    assert told["PlainCNN"]["parameters"] == sum(p.numel() for p in md.nets.PlainCNN(1, 1).parameters())
    assert told["UNet"]["lipschitz"] is None  # infinite: JSON has no such number
    status, out, _ = run(capsys, "nets", "dncnn", "--size", "16")
    assert status == 0 and out.startswith("DnCNN\n") and "receptive field" in out
    status, _, err = run(capsys, "nets", "DnCN")
    assert status == 2 and "Did you mean 'DnCNN'" in err


@pytest.mark.slow
def test_the_comparison_of_architectures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them, for a moment: trained, examined, and in a table; the names of all are those of the package."""
    from mindl.app import nets

    assert {contender.name.split(",")[0] for contender in nets.CONTENDERS} == set(md.nets.NETWORKS)
    monkeypatch.setattr(nets, "CONTENDERS", [c for c in nets.CONTENDERS if c.name in ("PlainCNN", "VCycle")])
    status, out, _ = run(capsys, "bench", "nets", "--steps", "3", "-o", str(tmp_path / "nets.md"))
    assert status == 0
    rows = [line for line in out.splitlines() if line.startswith(("| PlainCNN", "| VCycle"))]
    assert len(rows) == 2 and (tmp_path / "nets.md").read_text() == out
    assert 0 < float(rows[0].split(" | ")[5].split("%")[0]) < 200
