"""The command line as a person uses it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from conftest import random_image
from PIL import Image as pillow

import mindl as md
from mindl.app import cli, race
from mindl.app.bench import LADDER


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error, in this process (fast)."""
    before = sys.argv
    sys.argv = ["mindl", *(str(word) for word in words)]
    try:
        cli.main()
    except SystemExit as stop:
        out, err = capsys.readouterr()
        return int(stop.code or 0), out, err
    finally:
        sys.argv = before
    raise AssertionError("main() always exits")


def external(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mindl", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    clean = md.images.coffee()[..., :40, :50]
    return md.images.write(tmp_path / "photo.png", md.images.GaussianNoise(0.1)(clean, seed=1))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    known = md.images.random_mask(40, 50, 0.3, seed=1).float()
    return md.images.write(tmp_path / "mask.png", known)


def test_denoise(capsys, tmp_path: Path, photo: Path) -> None:
    before = photo.read_bytes()
    status, out, err = run(capsys, "denoise", photo, "-o", tmp_path / "out.png")
    assert status == 0
    assert "rof, PrimalDual" in out and "grey levels of 255" in out and "All certified" in out
    assert "(estimated), weight" in err
    assert md.images.read(tmp_path / "out.png").shape == (1, 3, 40, 50)
    assert photo.read_bytes() == before


def test_denoise_with_everything_given(capsys, tmp_path: Path, photo: Path) -> None:
    options = ["--model", "anisotropic-rof", "--noise", "25/255", "--solver", "primal-dual", "--tolerance", "1e-3"]
    status, out, err = run(capsys, "denoise", photo, "-o", tmp_path / "a.tif", *options, "--json", "--answer")
    (row,) = json.loads(out)
    assert status == 0 and row["certified"] and row["method"] == "anisotropic_rof, PrimalDual"
    assert "noise 25.0/255 (given)" in row["detail"] and 1e-4 < row["bound"] <= 1e-3
    status, out, _ = run(capsys, "verify", tmp_path / "a.tif.answer.npz")
    assert status == 0 and "proved" in out and "anisotropic_rof, weight" in out
    status, out, _ = run(capsys, "verify", tmp_path / "a.tif.answer.npz", "--json")
    assert json.loads(out)[0]["rms"] == pytest.approx(row["rms"], rel=1e-6)
    status, out, err = run(capsys, "verify", photo)
    assert status == 1 and "no answer that can be read" in err


def test_inpaint(capsys, tmp_path: Path, photo: Path, mask: Path) -> None:
    status, out, err = run(capsys, "inpaint", photo, "--mask", mask, "-o", tmp_path / "a.png", "--answer")
    assert status == 0 and "30.0 % known" in err and "harmonic_inpainting" in out
    known = md.images.read_mask(mask)
    assert torch.equal(
        md.images.read(tmp_path / "a.png")[known.expand(1, 3, -1, -1)],
        md.images.read(photo)[known.expand(1, 3, -1, -1)],
    )
    inverted = md.images.write(tmp_path / "damage.png", 1 - known.float())
    status, _, err = run(capsys, "inpaint", photo, "--damage", inverted, "-o", tmp_path / "b.png")
    assert status == 0 and (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    status, _, err = run(capsys, "inpaint", photo, "--mask", inverted, "-o", tmp_path / "c.png")
    assert status == 0 and "If white marks what is to be filled, use --damage" in err
    assert run(capsys, "verify", tmp_path / "a.png.answer.npz")[0] == 0


@pytest.mark.parametrize("case", ["16 bit", "alpha", "float", "grey", "1 x 1", "jpeg", "palette"])
def test_the_file_comes_back_as_it_was(capsys, tmp_path: Path, case: str) -> None:
    colour = (random_image(1, 3, 9, 7)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    source = tmp_path / "in.png"
    if case == "16 bit":
        md.images.write(source, random_image(1, 3, 9, 7), bits=16)
    elif case == "alpha":
        alpha = np.arange(63, dtype=np.uint8).reshape(9, 7, 1)
        pillow.fromarray(np.concatenate([colour, alpha], axis=2)).save(source)
    elif case == "float":
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, random_image(9, 7).numpy() * 1.5 - 0.2)
    elif case == "grey":
        pillow.fromarray(colour[:, :, 0]).save(source)
    elif case == "1 x 1":
        pillow.fromarray(colour[:1, :1]).save(source)
    elif case == "jpeg":
        source = tmp_path / "in.jpg"
        pillow.fromarray(colour).save(source)
    else:
        pillow.fromarray(colour).quantize(8).save(source)
    target = tmp_path / f"out{source.suffix}"
    assert run(capsys, "denoise", source, "-o", target)[0] == 0
    before, after = md.images.load(source), md.images.load(target)
    assert after.pixels.shape == before.pixels.shape and after.dtype == before.dtype
    assert (after.alpha is None) == (before.alpha is None)
    if before.alpha is not None:
        assert torch.equal(after.alpha, before.alpha)


def test_several_inputs_and_a_folder(capsys, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for index in range(3):
        md.images.write(folder / f"{index}.png", random_image(1, 1, 12, 9, seed=index))
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("no image")
    status, _, err = run(capsys, "denoise", folder, "-o", out)
    assert status == 2 and "Several inputs need a folder" in err and "mkdir" in err
    out.mkdir()
    status, text, err = run(capsys, "denoise", folder, "-o", out)
    assert status == 1
    assert err.rstrip().splitlines()[-1].startswith("mindl: ") and "1.png is damaged" in err
    assert sorted(p.name for p in out.iterdir()) == ["0.png", "2.png"]
    assert "0.png" in text and "2.png" in text
    status, _, err = run(capsys, "denoise", folder / "0.png", folder / "2.png", "-o", out)
    assert status == 2 and "exists already; --overwrite replaces it" in err
    assert run(capsys, "denoise", folder / "0.png", folder / "2.png", "-o", out, "--overwrite")[0] == 0
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "0.png", other / "0.png")
    status, _, err = run(capsys, "denoise", folder / "0.png", other / "0.png", "-o", out, "--overwrite")
    assert status == 2 and "would both be written" in err
    status, _, err = run(capsys, "denoise", out, "-o", out, "--overwrite")
    assert status == 2 and "inputs are never written to" in err
    empty = tmp_path / "empty"
    empty.mkdir()
    status, _, err = run(capsys, "denoise", empty, "-o", out)
    assert status == 2 and "holds no image" in err


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody runs once: what is timed is of no interest here."""
    monkeypatch.setattr(race, "QUICK", 0.0)


def test_compare_models(capsys, tmp_path: Path, photo: Path, mask: Path, once: None) -> None:
    status, out, err = run(capsys, "compare", photo, "-o", tmp_path / "plot.png", "--tolerance", "1e-3", "--json")
    rows = json.loads(out)
    assert status == 0
    assert {row["method"] for row in rows} == {
        "rof, PrimalDual",
        "rof by channel, PrimalDual",
        "rof by channel, unet-rof",
        "rof by channel, unet-rof then PrimalDual",
        "anisotropic_rof, PrimalDual",
        "huber_rof, PrimalDual",
        "huber_rof by channel, PrimalDual",
        "huber_rof by channel, unet-huber",
        "huber_rof by channel, unet-huber then PrimalDual",
        "charbonnier, PrimalDual",
        "whittaker_tikhonov, ConjugateGradient",
    }
    assert all(row["psnr"] > 15 for row in rows) and (tmp_path / "plot.png").stat().st_size > 5000
    status, out, err = run(capsys, "compare", photo, "--mask", mask, "--json")
    assert status == 0 and len(json.loads(out)) == 4
    status, out, err = run(capsys, "compare", photo, "--known", "0.2")
    assert status == 0 and "20.0 % known; Shepard interpolation" in err and "dB" in out
    status, out, err = run(capsys, "compare", photo, "--as-is", "--model", "rof", "--json")
    assert status == 0 and json.loads(out)[0]["psnr"] is None


def test_compare_solvers(capsys, photo: Path, once: None) -> None:
    status, out, _ = run(capsys, "compare", photo, "--known", "0.2", "--model", "harmonic-inpainting", "--json")
    methods = {row["method"].removeprefix("harmonic_inpainting, ") for row in json.loads(out)}
    assert {"ConjugateGradient", "ConjugateGradient(Multigrid)", "Multigrid", "SOR", "Jacobi"} <= methods
    status, out, _ = run(capsys, "compare", photo, "--model", "rof", "--solver", "admm", "--solver", "dual-fista")
    assert (
        status == 0 and "rof, ADMM" in out and "rof, DualFISTA" in out and "PrimalDual" not in out.split("unet")[0]
    )
    status, out, _ = run(capsys, "compare", photo, "--known", "0.2", "--model", "thin-plate-inpainting")
    assert status == 0 and "bound only: energy or residual are proved" in " ".join(out.split())


def test_compare_refuses(capsys, photo: Path, mask: Path) -> None:
    status, _, err = run(capsys, "compare", photo, "--model", "harmonic_inpainting")
    assert status == 2 and "There is no denoising model" in err
    status, _, err = run(capsys, "compare", photo, "--solver", "multi")
    assert status == 2 and "There is no solver" in err
    status, _, err = run(capsys, "compare", photo, "--mask", mask, "--known", "0.2")
    assert status == 2 and "Give one of" in err


def test_bench_quality_measures_every_rung(capsys, tmp_path: Path) -> None:
    (tmp_path / "bsd68").mkdir()
    for k in range(2):
        md.images.write(
            tmp_path / "bsd68" / f"{k}.png", md.images.grey(md.images.coffee())[..., :50, 50 * k :][..., :60]
        )
    status, out, err = run(capsys, "bench", "quality", tmp_path, "--images", "2", "--json")
    rows = json.loads(out)
    assert status == 0 and [row["name"] for row in rows] == [rung.name for rung in LADDER] and len(rows) == 18
    unproved = ("linear_diffusion", "Perona", "Charbonnier", "edge_enhancing", "shepard", "eed_inpainting")
    for row in rows:
        assert row["images"] == 2
        assert row["certified"] == (None if row["name"].startswith(unproved) else 2)
    assert all(
        row["expected"] is None and row["psnr"] > 10 for row in rows
    )  # not the whole set: nothing to compare
    status, out, err = run(capsys, "bench", "quality", tmp_path, "--images", "1")
    assert status == 0 and "rof, sigma 25" in out
    status, out, err = run(capsys, "bench", "quality", tmp_path / "nowhere")
    assert status == 2 and "holds no .png" in err


@pytest.mark.slow
def test_bench_quality_finds_the_expected_figures(capsys, bsd68) -> None:
    status, out, _ = run(capsys, "bench", "quality", bsd68[0].parents[1], "--json")
    rows = json.loads(out)
    assert status == 0
    for row in rows:
        if row["expected"] is not None and "biharmonic" not in row["name"]:
            assert row["psnr"] == pytest.approx(row["expected"], abs=0.1), row["name"]


@pytest.mark.slow
def test_the_network_of_the_demo_is_worth_its_name(capsys, tmp_path: Path) -> None:
    """Trained for a minute on dead leaves, it solves the model on a photograph better than any linear filter."""
    status, out, _ = run(capsys, "demo", "-o", tmp_path / "demo", "--json", "-q")
    rows = {row["method"]: row for row in json.loads(out)}
    assert status == 0
    assert rows["rof, demo-net"]["excess"] <= 0.04
    assert rows["rof, demo-net then PrimalDual"]["certified"]


def test_demo(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mindl.app import demo_network

    monkeypatch.setattr(demo_network, "TRAINING", replace(demo_network.TRAINING, steps=4, batch=2, crop=16))
    monkeypatch.setattr(demo_network, "LEAVES", 2)
    monkeypatch.setattr(demo_network, "LEAF_SIZE", 32)
    status, out, err = run(capsys, "demo", "-o", tmp_path / "demo")
    assert status == 0 and "harmonic_inpainting" in out and "dB" in out and "mindl verify" in err
    assert "rof, demo-net" in out and "best linear" in out
    assert md.load(tmp_path / "demo/net").title == "demo-net"
    names = sorted(p.name for p in (tmp_path / "demo").iterdir())
    assert names == [
        "demo.png",
        "harmonic-inpainting.answer.npz",
        "harmonic-inpainting.png",
        "known-pixels.png",
        "net",
        "network.answer.npz",
        "network.png",
        "noisy.png",
        "photo.png",
        "rof.answer.npz",
        "rof.png",
    ]
    assert run(capsys, "verify", *sorted((tmp_path / "demo").glob("*.npz")))[0] == 0
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, "demo", "-o", tmp_path / "file" / "demo")
    assert status == 2 and "Cannot make the folder" in err


def test_info_and_help(capsys) -> None:
    status, out, _ = run(capsys, "info", "--json")
    assert status == 0 and json.loads(out)["mindl"] == md.__version__
    assert "threads" in run(capsys, "info")[1]
    status, out, _ = run(capsys, "--help")
    assert status == 0 and all(verb in out for verb in ("demo", "denoise", "inpaint", "compare", "verify", "info"))
    assert run(capsys, "--version")[1].strip() == f"mindl {md.__version__}"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["denoise", "none.png", "-o", "o.png"], 1, "There is no file none.png"),
        (["denoise", "text.png", "-o", "o.png"], 1, "not an image"),
        (["denoise", "empty.png", "-o", "o.png"], 1, "is empty"),
        (["denoise", "cmyk.jpg", "-o", "o.png"], 1, "CMYK"),
        (["denoise", "nan.tif", "-o", "o.tif"], 1, "NaN or infinite"),
        (["denoise", "photo.png", "-o", "none/o.png"], 2, "does not exist; create it first"),
        (["denoise", "photo.png", "-o", "o.gif"], 2, "ending .gif"),
        (["denoise", "photo.png", "-o", "photo.png"], 2, "never written to"),
        (["denoise", "photo.png", "-o", "photo.png", "--overwrite"], 2, "never written to"),
        (["denoise", "photo.png", "-o", "o.png", "--weight", "0"], 2, "weight above 0"),
        (["denoise", "photo.png", "-o", "o.png", "--weight", "nan"], 2, "weight above 0"),
        (["denoise", "photo.png", "-o", "o.png", "--weight", "x"], 2, "is no number"),
        (["denoise", "photo.png", "-o", "o.png", "--noise", "25"], 2, "25/255"),
        (["denoise", "photo.png", "-o", "o.png", "--noise", "-1"], 2, "units of"),
        (
            ["denoise", "photo.png", "-o", "o.png", "--tolerance", "1e-9"],
            2,
            "at least 1e-06, which float32 reaches",
        ),
        (["denoise", "photo.png", "-o", "o.png", "--tolerance", "0"], 2, "at least 1e-06"),
        (["denoise", "photo.png", "-o", "o.png", "--model", "roff"], 2, "Did you mean 'rof'"),
        (["denoise", "photo.png", "-o", "o.png", "--solver", "conjugate"], 2, "Did you mean 'conjugate-gradient'"),
        (["denoise", "photo.png", "-o", "o.png", "--solver", "conjugate-gradient"], 2, "accept it"),
        (["denoise", "photo.png"], 2, "--output"),
        (["denoise", "-o", "o.png"], 2, "IN"),
        (["denois"], 2, "denois"),
        (["denoise", "photo.png", "-o", "o.png", "--frobnicate"], 2, "frobnicate"),
        (["denoise", "deep.png", "-o", "o.jpg"], 1, "more than 8 bits"),
        (["inpaint", "photo.png", "-o", "o.png"], 2, "--mask M"),
        (["inpaint", "photo.png", "-o", "o.png", "--mask", "none.png"], 2, "no file none.png"),
        (["inpaint", "photo.png", "-o", "o.png", "--mask", "photo.png"], 2, "mask"),
        (
            ["inpaint", "photo.png", "-o", "o.png", "--mask", "small.png"],
            1,
            "photo.png: The mask is 4 x 4 pixels, and the image 50 x 40",
        ),
        (["inpaint", "photo.png", "-o", "o.png", "--mask", "black.png"], 1, "without any known pixel"),
    ],
)
def test_bad_input_is_one_clear_sentence(capsys, tmp_path, photo, words, status, message) -> None:
    os.chdir(tmp_path)
    Path("text.png").write_text("hello")
    Path("empty.png").write_bytes(b"")
    pillow.new("CMYK", (4, 4)).save("cmyk.jpg")
    tifffile.imwrite("nan.tif", np.full((4, 4), np.nan, np.float32))
    md.images.write("deep.png", random_image(1, 1, 4, 4), bits=16)
    md.images.write("small.png", torch.ones(1, 1, 4, 4))
    md.images.write("black.png", torch.zeros(1, 1, 40, 50))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    found, out, err = run(capsys, *words)
    assert found == status and message in err and "Traceback" not in err and out == ""
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_what_is_not_certified_is_written_and_told(capsys, tmp_path: Path, photo: Path) -> None:
    options = ["--model", "whittaker_tikhonov", "--weight", "1e7", "--solver", "gradient-descent"]
    status, out, _ = run(capsys, "denoise", photo, "-o", tmp_path / "o.png", *options)
    assert status == 3 and "outcome" in out and "All certified" not in out and (tmp_path / "o.png").exists()


def test_a_full_output_stream_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mindl", "info", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1 and "cannot write the output: No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_size_limit_is_told(tmp_path: Path, photo: Path) -> None:
    resource = pytest.importorskip("resource")
    target = tmp_path / "o.tif"
    target.write_bytes(b"old")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    done = external("denoise", photo, "-o", target, "--overwrite", preexec_fn=limit)
    assert done.returncode == 1 and "Cannot write" in done.stderr and "Traceback" not in done.stderr
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.tif", "photo.png"]


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m mindl --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_verify_runs_without_torch(tmp_path: Path) -> None:
    answer = md.solvers.write_answer(tmp_path / "a.npz", md.minimise(md.models.rof(random_image(1, 1, 9, 9), 0.1)))
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['mindl', 'verify', sys.argv[1]]\n"
        "from mindl.app.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, answer], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "rof, weight 0.1" in done.stdout, done.stderr


def test_nothing_that_is_read_is_written_to(capsys, tmp_path: Path, photo: Path, mask: Path) -> None:
    before = photo.read_bytes(), mask.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(photo)
    hard = tmp_path / "hard.png"
    os.link(photo, hard)
    for words in (
        ["compare", photo, "-o", photo],
        ["compare", photo, "-o", link],
        ["denoise", photo, "-o", link],
        ["denoise", photo, "-o", hard],
        ["inpaint", photo, "--mask", mask, "-o", mask],
        ["compare", photo, "--mask", mask, "-o", mask],
    ):
        status, _, err = run(capsys, *words, "--overwrite")
        assert status == 2 and "inputs are never written to" in err
    assert (photo.read_bytes(), mask.read_bytes()) == before


def test_the_demo_does_not_touch_a_folder_of_photographs(capsys, tmp_path: Path, photo: Path) -> None:
    before = photo.read_bytes()
    status, _, err = run(capsys, "demo", "-o", tmp_path)
    assert status == 2 and "holds other files" in err and photo.read_bytes() == before


def test_answers_do_not_collide_and_are_kept(capsys, tmp_path: Path, photo: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "photo.tif"
    out.mkdir()
    md.images.write(other, random_image(1, 1, 9, 9))
    assert run(capsys, "denoise", photo, other, "-o", out, "--answer")[0] == 0
    assert {p.name for p in out.glob("*.npz")} == {"photo.png.answer.npz", "photo.tif.answer.npz"}
    (out / "photo.png").unlink()
    status, _, err = run(capsys, "denoise", photo, "-o", out, "--answer")
    assert status == 2 and "photo.png.answer.npz exists already; --overwrite" in err
    assert not (out / "photo.png").exists()


@pytest.mark.parametrize("name", ["[red].png", ":smile:.png", "a b.png", "\u00fc\u5199.png"])
def test_strange_names_are_shown_as_they_are(capsys, tmp_path: Path, name: str) -> None:
    md.images.write(tmp_path / name, random_image(1, 1, 9, 9))
    status, out, err = run(capsys, "denoise", tmp_path / name, "-o", tmp_path / "out.png")
    assert status == 0 and name in out and name in err


def test_names_that_the_terminal_cannot_show_stop_nothing(tmp_path: Path) -> None:
    md.images.write(tmp_path / "\u5199.png", random_image(1, 1, 9, 9))
    words = ["denoise", tmp_path / "\u5199.png", "-o", tmp_path / "o.png"]
    done = external(*words, env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"})
    assert done.returncode == 0 and (tmp_path / "o.png").exists(), done.stderr


def test_a_full_or_closed_error_stream_stops_nothing(tmp_path: Path, photo: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    for number, redirect in enumerate(("2>/dev/full", "2>&-", ">&-", "| true")):
        target = tmp_path / f"{number}.png"
        command = f"{sys.executable} -m mindl denoise {photo} -o {target} {redirect}"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and target.exists() and "Traceback" not in done.stderr


def test_an_interruption_is_told(tmp_path: Path) -> None:
    md.images.write(tmp_path / "a.png", random_image(1, 3, 1200, 1200))
    command = [sys.executable, "-m", "mindl", "denoise", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]
    command += ["--tolerance", "1e-6"]  # long enough to be interrupted
    plain = {**os.environ, "MINDL_KERNELS": "off"}  # while LLVM hands over a kernel, Python drops what is raised
    work = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=plain,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells let background jobs ignore it
    )
    assert work.stderr is not None
    assert "estimated" in work.stderr.readline()  # it is solving now
    time.sleep(1)
    work.send_signal(signal.SIGINT)
    _, err = work.communicate(timeout=60)
    assert work.returncode == 130 and "interrupted" in err and "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_failure_is_part_of_the_json(capsys, tmp_path: Path, photo: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    status, text, err = run(capsys, "denoise", photo, tmp_path / "none.png", "-o", out, "--json")
    good, bad = json.loads(text)
    assert status == 1 and good["output"] == str(out / "photo.png") and good["input"] == str(photo)
    assert "There is no file" in bad["error"] and "There is no file" in err


def test_a_mask_that_knows_everything_is_remarked_on(capsys, tmp_path: Path, photo: Path) -> None:
    white = md.images.write(tmp_path / "white.png", torch.ones(1, 1, 40, 50))
    status, _, err = run(capsys, "inpaint", photo, "--mask", white, "-o", tmp_path / "o.png")
    assert status == 0 and "nothing to fill in" in err
