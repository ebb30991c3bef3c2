"""The verb ``bench science``: its tables, on small pictures, with numbers that can be known beforehand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from conftest import random_image
from test_cli import run

import mindl as md
from mindl.app.science import denoisers, finishing, problems, solving, steps
from mindl.app.science.tables import Table
from mindl.neural import LearnedModel, RidgeRegulariser, Unrolled
from mindl.solvers import AcceleratedGradient


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(2):
        md.images.write(folder / f"{k}.png", random_image(1, 1, 40, 44, seed=k))
    return folder


def unseen(photos: Path) -> problems.Unseen:
    return problems.Unseen.of(photos)


def test_a_table_as_markdown() -> None:
    table = Table("x", "Title", ("a", "b"), [("1", "2")], "Note.")
    assert table.markdown == "## Title\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\nNote.\n"


def test_a_square_of_any_size_has_no_seam() -> None:
    for side in (5, 700):
        picture = problems.square(side)
        assert picture.shape == (1, 1, side, side)
    high, wide = md.images.coffee().shape[2:]  # there it is mirrored
    assert torch.equal(picture[:, :, high - 1], picture[:, :, high])
    assert torch.equal(picture[..., wide - 1], picture[..., wide])


def test_the_best_solver_has_no_excess_and_its_start_has_all(photos: Path) -> None:
    class Exact(md.neural.NeuralSolver):
        accepts = md.models.Variational

        def forward(self, model):
            return md.models.Candidate(md.minimise(model, stop=md.Stop(1e-6)).image)

    class Lazy(Exact):
        def forward(self, model):
            return md.models.Candidate(model.start())

    clean = unseen(photos).image(0)
    model = problems.POSED["rof"](clean, 0)
    assert solving._judged(Exact(channels=None), model)[0] == pytest.approx(0, abs=1e-3)
    assert solving._judged(Lazy(channels=None), model)[0] == pytest.approx(1, abs=1e-6)
    flow = problems.POSED["eed_inpainting"](clean, 0)

    class Idle(Lazy):
        accepts = md.models.Model

    assert solving._judged(Idle(channels=None), flow) == (pytest.approx(1), math.inf)


def test_plain_steps_are_judged_by_what_they_leave(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More plain steps leave less; a learned network is compared with the best plain one."""
    contest = steps.CONTESTS[0]
    few = steps.Contest(
        "primal-dual, rof",
        contest.model_of,
        contest.weight_per_noise,
        4,
        {str(n): Unrolled(md.solvers.PrimalDual(step_size=0.5), n) for n in (1, 4)},
        {"step sizes": lambda: Unrolled(md.solvers.PrimalDual(step_size=0.5), 8, [md.neural.StepSizes()])},
        contest.loss,
    )
    monkeypatch.setattr(steps, "CONTESTS", (few,))
    from rich.console import Console

    table = steps.steps(unseen(photos), 1, Console(quiet=True))
    plain = table.raw[0]["plain"]
    assert plain["4"] < plain["1"] and table.rows[0][1] == "plain, 4"
    assert table.raw[1]["found"] < plain["4"]  # eight steps with hardly anything learned


def test_energies_fall_by_accelerated_steps(photos: Path) -> None:
    contest = next(c for c in steps.CONTESTS if c.name.startswith("accelerated"))
    model = contest.model_of(problems.noisy(unseen(photos).image(0), 0), contest.weight_per_noise * problems.NOISE)
    judge = steps._judge(contest.loss, [model])
    first, second = (judge(Unrolled(AcceleratedGradient(), n)) for n in (3, 10))
    assert 1 > first > second > -1e-6


def test_denoisers_are_those_that_learned_images(tmp_path: Path, photos: Path) -> None:
    net = LearnedModel(RidgeRegulariser(3, 3), Unrolled(AcceleratedGradient(), 3), title="tiny-ridge-25")
    net.trained = md.neural.Range(noise=(25 / 255, 25 / 255))  # of no model
    md.save(net, tmp_path / "tiny-ridge-25")
    table = denoisers.denoisers(unseen(photos), tmp_path)
    names = [row[0] for row in table.rows]
    assert names[:2] == ["noisy", "`rof`"] and names[-2:] == ["`tiny-ridge-25`", "`tiny-ridge-25`, its minimiser"]
    assert "`unet-rof`" not in names
    for level, found in table.raw[0]["psnr"].items():
        assert found == pytest.approx(20 * math.log10(255 / float(level)), abs=0.3)
    assert list(table.raw[-1]["psnr"]) == ["25"] and table.rows[-1][2] == table.rows[-1][4] == ""
    answered, solved = table.rows[-2:]
    assert answered[5] == "" and 0 < float(solved[5]) < 0.2


def test_a_start_at_the_solution_saves_all_steps(photos: Path) -> None:
    model = problems.POSED["rof"](unseen(photos).image(1), 1)
    exact = md.minimise(model, stop=md.Stop(1e-6))
    start, cold = md.models.Candidate(exact.image, exact.dual), md.models.Candidate(model.start())
    for solver in (md.solvers.PrimalDual(step_size=0.1), md.solvers.ADMM(penalty=5.0)):
        assert finishing.to_the_end(model, start, solver) == 0 < finishing.to_the_end(model, cold, solver)


def test_the_verb_prints_its_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path, photos: Path) -> None:
    page = tmp_path / "science.md"
    status, out, _ = run(
        capsys, "bench", "science", "--table", "denoisers", "--images", str(photos), "-o", str(page)
    )
    assert status == 0 and out.startswith("## Models that were learned") and page.read_text() == out
    status, out, _ = run(capsys, "bench", "science", "--table", "denoisers", "--images", str(photos), "--json")
    assert [row["name"] for row in json.loads(out)["denoisers"]][:2] == ["noisy", "`rof`"]
    status, _, err = run(capsys, "bench", "science", "--table", "denoiser")
    assert status == 2 and "Did you mean 'denoisers'" in err
    empty = tmp_path / "empty"
    empty.mkdir()
    status, _, err = run(capsys, "bench", "science", "--table", "denoisers", "--images", str(empty))
    assert status == 2 and "holds no image" in err
    assert torch.get_num_threads() >= 1


def test_steps_inside_a_network_are_counted() -> None:
    for name, inside in (("unet-rof", 4), ("steps-rof", 10), ("unet-harmonic", 0)):
        assert finishing._steps_inside(md.load(name)) == inside
