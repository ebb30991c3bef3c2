"""Saved answers: proved again by NumPy alone, and not fooled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_image

import mindl as md
from mindl import verify
from mindl.core.errors import InputError, OutputError
from mindl.solvers import write_answer


def solve(name: str, channels: int = 3, dtype: torch.dtype = torch.float32, **stop: object) -> md.Solution:
    data = random_image(1, channels, 21, 17, dtype=dtype)
    if name in md.models.INPAINTING:
        model = md.models.INPAINTING[name](data, md.images.random_mask(21, 17, 0.2, seed=1))
    else:
        model = md.models.DENOISING[name](data, 0.1)
    return md.minimise(model, stop=md.Stop(**stop))


NAMES = [*md.solvers.answers.VERIFIABLE]


def test_the_verifier_knows_every_model_that_is_saved() -> None:
    assert set(verify.PROOFS) == set(NAMES) <= {*md.models.DENOISING, *md.models.INPAINTING}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numpy_proves_what_torch_proved(tmp_path: Path, name, channels, dtype) -> None:
    solution = solve(name, channels, dtype)
    proof = verify.verify(str(write_answer(tmp_path / "a.npz", solution)))
    assert proof["rms"] == pytest.approx(float(solution.certificate.rms), rel=1e-3)
    assert proof["maximum"] == pytest.approx(float(solution.certificate.maximum), rel=1e-3)


@pytest.mark.parametrize("joint", [True, False])
def test_couplings_and_stepping_stones_are_known(tmp_path: Path, joint: bool) -> None:
    from dataclasses import replace

    data = random_image(1, 3, 12, 9)
    for build in (md.models.rof, md.models.anisotropic_rof):
        model = build(data, 0.1, joint=joint)
        solution = md.minimise(model)
        off = solution.image + 1 / 255
        certificate = md.certify(model, off)
        judged = replace(solution, image=off, certificate=certificate)
        proof = verify.verify(str(write_answer(tmp_path / "a.npz", judged)))
        assert proof["rms"] == pytest.approx(float(certificate.rms), rel=1e-6)


def altered(path: Path, **changes: object) -> str:
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    about = json.loads(str(content["about"]))
    for name, change in changes.items():
        if name in content:
            content[name] = change(content[name])
        else:
            about[name] = change
    content["about"] = np.array(json.dumps(about))
    np.savez(path, **content)
    return str(path)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("rof", {"image": lambda u: u + 0.01}, "claims rms"),
        ("rof", {"dual": lambda p: 0 * p}, "claims rms"),
        ("rof", {"rms": 1e-9}, "claims rms"),
        ("rof", {"weight": 0.5}, "claims rms"),
        ("rof", {"weight": -1}, "weight -1"),
        ("rof", {"weight": 0}, "weight 0"),
        ("rof", {"rms": None}, "no answer"),
        ("rof", {"image": lambda u: u + 0j}, "type complex"),
        ("rof", {"dual": lambda p: p[:, :1]}, "do not fit together"),
        ("harmonic_inpainting", {"weight": 0.0}, "weight 0"),
        ("harmonic_inpainting", {"mask": lambda c: c | True}, "SHA-256 differs"),
        ("rof", {"data": lambda f: f * 0.99}, "SHA-256 differs"),
        ("rof", {"image": lambda u: u * np.nan}, "finite"),
        ("rof", {"image": lambda u: u[:, :-1]}, "do not fit together"),
        ("rof", {"model": "tgv"}, "no answer"),
        ("harmonic_inpainting", {"supersolution": lambda v: 0.5 * v}, "does not cover"),
        ("harmonic_inpainting", {"supersolution": lambda v: v - 1}, "nowhere negative"),
        ("harmonic_inpainting", {"supersolution": lambda v: v + 1}, "0 at known"),
        ("harmonic_inpainting", {"image": lambda u: u + 1e-3}, "known pixel was changed"),
        ("harmonic_inpainting", {"maximum": 1e-12}, "claims maximum"),
        ("whittaker_tikhonov", {"image": lambda u: u + 1e-3}, "claims rms"),
    ],
)
def test_altered_answers_are_refused(tmp_path: Path, name: str, changes: dict, words: str) -> None:
    path = write_answer(tmp_path / "a.npz", solve(name))
    with pytest.raises(ValueError, match=words):
        verify.verify(altered(path, **changes))


def test_damaged_answers_are_refused(tmp_path: Path) -> None:
    path = write_answer(tmp_path / "a.npz", solve("rof"))
    content = path.read_bytes()
    for broken in (b"", b"hello", content[: len(content) // 2]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="no answer that can be read"):
            verify.verify(str(path))
    with pytest.raises(ValueError, match="no answer that can be read"):
        verify.verify(str(tmp_path / "none.npz"))


def test_an_answer_that_could_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, about=np.array({"model": "rof"}, dtype=object))
    with pytest.raises(ValueError, match="no answer that can be read"):
        verify.verify(str(path))


def test_the_file_runs_on_its_own(tmp_path: Path) -> None:
    """Copied elsewhere, without mindl and torch."""
    path = write_answer(tmp_path / "a.npz", solve("harmonic_inpainting"))
    alone = tmp_path / "alone.py"
    alone.write_text(Path(verify.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    run = [sys.executable, "-I", str(alone), str(path)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "harmonic_inpainting" in done.stdout, done.stderr
    path.write_bytes(b"")
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("not verified:")


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    class Own(md.Energy):
        def energy(self, u):
            return u.square().sum(dim=(1, 2, 3))

    own = md.minimise(Own(), start=torch.ones(1, 1, 3, 3))
    with pytest.raises(InputError, match="not Own"):
        write_answer(tmp_path / "a.npz", own)
    batch = md.minimise(md.models.rof(random_image(2, 1, 4, 4), 0.1))
    with pytest.raises(InputError, match="batch of 2"):
        write_answer(tmp_path / "a.npz", batch)
    with pytest.raises(OutputError, match="does not exist"):
        write_answer(tmp_path / "none" / "a.npz", solve("rof"))
    assert list(tmp_path.iterdir()) == []
