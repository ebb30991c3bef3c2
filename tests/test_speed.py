"""The speed benchmark: what it asks of others, how it counts, what it writes. No time is asserted."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mindl as md
from mindl.app import cli
from mindl.app.speed import contests, huge, peers, pictures, report, sizes, verb
from mindl.app.speed.chapters import Contest, Point, Sizes, Stage, Sweep, Sweeps
from mindl.app.speed.contender import (
    ITERATIONS,
    TOLERANCE,
    Answer,
    Contender,
    Faster,
    FewSteps,
    Measurement,
    Sharper,
    Trial,
    fastest,
)
from mindl.app.speed.measure import SWITCH, Settings, measure, plain_torch, plan, search, swept
from mindl.models.certificate import DualWitness, verify


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    before = sys.argv
    sys.argv = ["mindl", "bench", "speed", *(str(word) for word in words)]
    try:
        cli.main()
    except SystemExit as stop:
        out, err = capsys.readouterr()
        return int(stop.code or 0), out, err
    finally:
        sys.argv = before
    raise AssertionError("main() always exits")


@pytest.fixture(autouse=True)
def swept_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Collecting garbage is quick, and what the verb sets in the environment is put back."""
    for name in (
        "GOMP_SPINCOUNT",
        "THP_MEM_ALLOC_ENABLE",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OMP_NUM_THREADS",
    ):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    with swept():
        yield


QUICK = ("--quick", "--threads", 1, "--repeat", 2)


# What a person runs


def test_a_quick_run_as_json_and_as_files(capsys, tmp_path: Path) -> None:
    torch.set_num_threads(1)  # as many as the command is told to take
    works = ("--work", "harmonic", "--work", "rof")
    status, out, _ = run(capsys, *QUICK, *works, "--json", "-o", tmp_path / "new" / "folder")
    assert status == 0
    assert torch.get_num_threads() == 1 and SWITCH not in os.environ
    record = json.loads(out)
    assert [work["name"] for work in record["works"]] == ["rof", "harmonic"], "in the benchmark's own order"
    assert record["machine"]["threads"] == 1 and record["settings"]["repeat"] == 2
    rof = record["works"][0]
    rows = {row["contender"]: row for row in rof["measurements"]}
    assert {"mindl", "mindl, plain torch", "scikit-image, Chambolle", "scikit-image, Bregman"} <= set(rows)
    own = rows["mindl"]
    assert own["reached"] and own["accuracy"] <= 1e-4 and own["ratio"] == 1 and own["steps"] > 0
    assert len(own["solve"]) == len(own["setup"]) == 2
    assert not rows["scikit-image, Bregman"]["reached"], "it solves another problem"
    assert all(verdict["met"] is None for verdict in rof["verdicts"]), "goals are for the full sizes"
    filled = {row["contender"]: row for row in record["works"][1]["measurements"]}
    assert all(filled[name]["accuracy"] <= 1e-6 for name in ("mindl", "PyAMG", "SciPy, CG", "SciPy, direct"))
    written = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert written == {"table.md", "speed.json", "accuracy.png"}
    page = (tmp_path / "new" / "folder" / "table.md").read_text()
    assert "### ROF, 32 x 32" in page and "| scikit-image, Chambolle |" in page and "### Goals" in page
    assert json.loads((tmp_path / "new" / "folder" / "speed.json").read_text()) == record


def test_the_table_on_a_terminal_of_100_columns(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    status, out, _ = run(capsys, *QUICK, "--work", "sweep")
    assert status == 0
    assert "36 bytes a pixel" in out and "copy bandwidth used by a sweep" in out and "no goal is judged" in out
    assert max(map(len, out.splitlines())) <= 100
    assert run(capsys, *QUICK, "--work", "sweep", "--quiet")[1:] == ("", "")


def test_what_is_not_installed_is_named(capsys, monkeypatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(peers, "import_module", absent)
    status, out, err = run(capsys, *QUICK, "--work", "biharmonic", "--json")
    assert status == 0
    (work,) = json.loads(out)["works"]
    assert [row["contender"] for row in work["measurements"]] == ["mindl", "mindl, plain torch"]
    assert work["missing"] == ["scikit-image"]
    assert "scikit-image is not installed, so it is left out: pip install 'mindl[bench]' adds it." in err
    (verdict,) = work["verdicts"]
    assert verdict["goal"] == "faster than scikit-image, biharmonic" and verdict["measured"] == "not measured"


def test_what_is_not_installed_is_named_once(capsys) -> None:
    chapter = Sizes("growth", "", (), (), (), missing=("pyamg", "scipy"))
    verb._show([chapter], quiet=False, as_json=True)
    verb._show([chapter, replace(chapter, missing=("scipy", "pyproximal"))], quiet=False, as_json=True)
    err = capsys.readouterr().err
    assert [err.count(name) for name in ("pyamg is", "scipy is", "pyproximal is")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--work", "harmonics"], "There is no work 'harmonics'. Did you mean 'harmonic'"),
        (["--quick", "--work", "rof", "--data", "nowhere"], "--data nowhere is no folder"),
    ],
)
def test_wrong_usage(capsys, words: list[str], told: str) -> None:
    status, out, err = run(capsys, *words)
    assert status == 2 and out == "" and told in err


def test_folders_that_do_not_serve(capsys, tmp_path: Path) -> None:
    status, _, err = run(capsys, *QUICK, "--work", "rof", "--data", tmp_path)
    assert status == 2 and "holds no photograph" in err
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, *QUICK, "--work", "rof", "-o", tmp_path / "file")
    assert status == 2 and "Cannot write into" in err


def test_kernels_that_are_off_cannot_be_measured(capsys, monkeypatch) -> None:
    monkeypatch.setenv(SWITCH, "off")
    status, _, err = run(capsys, *QUICK, "--work", "rof")
    assert status == 2 and f"{SWITCH} is off: unset it" in err


def test_works_are_chosen_by_name() -> None:
    assert "huge" not in verb.chosen([], huge=False) and "huge" in verb.chosen([], huge=True)
    assert list(verb.chosen(["growth", "rof"], huge=False)) == ["rof", "growth"]
    assert list(verb.chosen(["huge"], huge=False)) == ["huge"]


@pytest.mark.slow
def test_every_work_runs(capsys, tmp_path: Path) -> None:
    status, _, _ = run(capsys, *QUICK, "--huge", "-o", tmp_path)
    assert status == 0
    names = [work["name"] for work in json.loads((tmp_path / "speed.json").read_text())["works"]]
    assert names == list(verb.chosen([], huge=True))
    assert (tmp_path / "size.png").exists()


# Who is asked the same question


def noisy(side: int = 24) -> torch.Tensor:
    photo = pictures.sized(md.images.grey(md.images.coffee()), side, side)
    return md.images.GaussianNoise(25 / 255)(photo, seed=1)


def test_scikit_images_weight_is_ours() -> None:
    """Its many iterations come as near to our minimiser as certificates go; those of half the weight do not."""
    restoration = pytest.importorskip("skimage.restoration")
    data = noisy().double()
    judge, proved = contests.gap_to_reference(md.models.rof(data, 0.08))
    assert proved <= 1e-8
    (chambolle, bregman), missing = peers.gather([peers.scikit_image_rof(data, 0.08)])
    assert not missing
    assert judge(chambolle.prepare()(20000).image) < 1e-6
    assert judge(bregman.prepare()(400).image) > 1e-2
    other = restoration.denoise_tv_chambolle(data[0, 0].numpy(), 0.04, eps=0, max_num_iter=2000)
    assert judge(torch.from_numpy(other)[None, None]) > 1e-2


def test_the_judge_is_a_bound_of_the_energy() -> None:
    model = md.models.rof(noisy().double(), 0.08)
    judge, _ = contests.gap_to_reference(model)
    best = md.minimise(model, stop=md.Stop(1e-8, steps=20000)).image
    u = best + 0.01 * torch.sin(torch.arange(best.numel(), dtype=torch.float64)).reshape(best.shape)
    excess = float((model.energy(u) - model.energy(best)) / model.energy(u))
    assert excess <= judge(u) <= 1.01 * excess + 2e-8


def test_pyproximals_steps_and_scale_are_ours() -> None:
    pytest.importorskip("pyproximal")
    data = noisy().double()
    judge, _ = contests.gap_to_reference(md.models.rof(data, 0.08))
    (constant, tuned), _ = peers.gather([peers.pyproximal_rof(data, 0.08)])
    assert judge(tuned.prepare()(400).image) < 1e-6 < judge(constant.prepare()(400).image) < 1e-3


def test_falling_steps_are_those_of_our_solver() -> None:
    model = md.models.rof(noisy(), 0.08)
    view, solver = model.view(md.models.SaddlePoint), md.solvers.PrimalDual()
    state = solver.begin(view, md.Candidate(model.start()))
    tau, sigma = peers.falling_steps(5)
    for k in range(5):
        assert math.isclose(state.primal_step, tau[k], rel_tol=1e-6)
        assert math.isclose(state.dual_step, sigma[k], rel_tol=1e-2)  # ours knows the norm of its size
        state = solver.step(view, state)


def test_the_assembled_system_is_ours() -> None:
    pytest.importorskip("scipy")
    photo, mask = noisy(20), md.images.random_mask(20, 20, 0.1, seed=0)
    judge = contests.true_residual(md.models.harmonic_inpainting(photo.double(), mask))
    found, _ = peers.gather(peers.sparse_harmonic(photo, mask, 1e-6))
    residuals = {each.name: judge(each.prepare()(1e-6).image) for each in found}
    assert residuals["SciPy, direct"] < 1e-12
    assert all(residual < 1e-5 for residual in residuals.values()), residuals


def test_opencv_keeps_the_known_pixels() -> None:
    pytest.importorskip("cv2")
    photo, mask = md.images.grey(md.images.coffee())[..., :40, :40], md.images.random_mask(40, 40, 0.3, seed=0)
    found, _ = peers.gather([peers.opencv_inpainting(photo, mask, 1)])
    for each in found:
        image = each.prepare()(1).image
        assert torch.equal(image[mask], photo[mask])
        assert float(md.images.psnr(image, photo)) > 20


def test_an_answer_that_changed_known_pixels_is_infinitely_far() -> None:
    photo, mask = noisy(8), md.images.random_mask(8, 8, 0.3, seed=0)
    assert contests.true_residual(md.models.harmonic_inpainting(photo.double(), mask))(photo + 1) == math.inf


def test_photographs_are_continued_by_their_mirror_images() -> None:
    photo = md.images.grey(md.images.coffee())
    large = pictures.sized(photo, 900, 1300)
    wanted = np.pad(photo[0, 0].numpy(), ((0, 500), (0, 700)), mode="symmetric")
    assert np.array_equal(large[0, 0].numpy(), wanted)


def test_the_largest_photograph_of_a_folder(tmp_path: Path) -> None:
    for side in (8, 40):
        md.images.write(tmp_path / f"{side}.png", noisy(side).clamp(0, 1))
    assert pictures.photograph(Settings(data=tmp_path)).shape == (1, 1, 40, 40)


# How it is counted


def fake(accuracy, **options: object) -> tuple[list[float], Contender]:
    """A contender that notes its efforts; its image holds its accuracy."""
    asked: list[float] = []

    def solve(effort: float) -> Answer:
        asked.append(effort)
        return Answer(torch.full((1, 1, 1, 1), accuracy(effort), dtype=torch.float64), proof=0.0)

    return asked, Contender("fake", lambda: solve, **options)  # type: ignore[arg-type]


def judge(image: torch.Tensor) -> float:
    return float(image)


def test_the_least_number_of_iterations_is_found() -> None:
    asked, contender = fake(lambda n: 1 / n, efforts=(10, 20, 40, 80, 160, 320), effort=ITERATIONS)
    found = plan(contender, judge, 1 / 100, Settings(), lambda told: None)
    assert asked[:2] == [10, 10], "the first call is compared with the second"
    assert asked[2:7] == [20, 40, 80, 160, 113]
    assert 100 <= found.effort <= 113 and len(found.trials) == len(asked) - 1
    assert found.said(None) == f"{found.effort:g} it."


def test_tolerances_are_tried_in_turn_and_steps_are_said() -> None:
    asked, contender = fake(lambda tolerance: 2 * tolerance, efforts=(1e-2, 1e-3, 1e-4), effort=TOLERANCE)
    found = plan(contender, judge, 3e-3, Settings(limit=0.0), lambda told: None)
    assert found.effort == 1e-3 and len(asked) == 3
    assert found.said(17) == "17 it." and found.said(None) == "0.001"


def test_a_search_ends_where_nothing_is_gained_or_time_is_up() -> None:
    contender = Contender("fake", lambda: None, tuple(range(1, 20)), ITERATIONS)  # type: ignore[arg-type]
    stuck = search(lambda effort: Trial(effort, 0.0, 0.5), contender, 0.1, 60)
    assert len(stuck) == 3
    slow = search(lambda effort: Trial(effort, effort, 1 / effort), contender, 1e-9, 10)
    assert slow[-1].effort == 6, "twice six seconds are more than ten"


def test_rounds_count_every_contender_as_often() -> None:
    asked, contender = fake(lambda effort: 0.25, note="a note")
    found = plan(contender, judge, 0.5, Settings(repeat=3), lambda told: None)
    (measured,) = measure([found], judge, 0.5, Settings(repeat=3), lambda told: None, None)
    assert len(asked) == 2 + 3 and len(measured.setup) == len(measured.solve) == 3
    assert measured.reached and measured.accuracy == 0.25 and measured.psnr is None and measured.note == "a note"


def test_kernels_are_off_within_and_as_before_after(monkeypatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    with plain_torch():
        assert os.environ[SWITCH] == "off"
    assert SWITCH not in os.environ
    monkeypatch.setenv(SWITCH, "on")
    with pytest.raises(ZeroDivisionError), plain_torch():
        _ = 1 / 0
    assert os.environ[SWITCH] == "on"


def made_up(name: str, solve: float, *, proof: float = 0.0, reached: bool = True, **more: object) -> Measurement:
    return Measurement(name, 1, "", 1e-5, reached, (1.0, 1.0, 1.0), (solve, solve, 9 * solve), proof, **more)  # type: ignore[arg-type]


def test_ratios_count_set_up_and_proof() -> None:
    own, other = made_up("mindl", 3.0, proof=1.0), made_up("other", 9.0)
    assert (own.bare, own.total, other.total) == (4.0, 5.0, 10.0)
    verdict = Faster("other", 2).judge({"mindl": own, "other": other})
    assert verdict.met is True and verdict.measured == "2.5 x (2 x with the proof)"
    assert Faster("other", 2.51).judge({"mindl": own, "other": other}).met is False
    contest = Contest("", "", "gap", 1e-4, (), (own, other), (), ("mindl",))
    assert contest.ratio(other) == 2 and contest.ratio(own) == 1


def test_who_is_not_accurate_enough_gives_a_bound_or_nothing() -> None:
    own, other = made_up("mindl", 1.0), made_up("other", 9.0, reached=False)
    assert Faster("other", 2).judge({"mindl": own, "other": other}).measured == "> 5 x"
    lost = Faster("mindl", 2, mine=("other",)).judge({"mindl": own, "other": other})
    assert lost.met is None and lost.measured == "accuracy not reached"
    assert Faster("absent", 2).judge({"mindl": own}).measured == "not measured"


def test_the_fastest_of_ours_counts() -> None:
    measured = {
        each.contender: each for each in (made_up("a", 5.0), made_up("b", 3.0), made_up("c", 1.0, reached=False))
    }
    best = fastest(measured, ("a", "b", "c"))
    assert best is not None and best.contender == "b"
    assert fastest(measured, ("c", "d")) is None


def test_other_goals() -> None:
    own, other = made_up("mindl", 1.0, psnr=23.5, steps=15), made_up("other", 1.0, psnr=23.0)
    verdict = Sharper("other").judge({"mindl": own, "other": other})
    assert verdict.met is True and verdict.measured == "+0.50 dB"
    assert Sharper("other").judge({"mindl": own}).met is None
    assert FewSteps(15).judge({"mindl": own}).met is True and FewSteps(14).judge({"mindl": own}).met is False
    assert FewSteps(14).judge({"mindl": other}).met is None
    assert Stage(Settings(quick=True), print).verdicts([verdict])[0].met is None


def test_growth_is_that_of_a_pixel() -> None:
    points = [Point("ROF", "mindl", 2048, (1.0,)), Point("ROF", "mindl", 8192, (20.0,))]
    verdict = sizes._growth(points, "ROF")
    assert verdict.measured == "1.25 x" and verdict.met is True
    assert sizes._growth(points[:1], "ROF").met is None


def test_the_share_of_the_copys_bandwidth() -> None:
    sweeps = Sweeps("sweep", "", (), (Sweep("mindl", (0.25, 0.5, 1.0)),), 100, 400.0, ())
    assert sweeps.share(sweeps.sweeps[0]) == 0.5
    assert report.grid_of(sweeps).rows[0][-1] == "50%"


def test_memory_is_read_in_a_child() -> None:
    point = huge._apart("harmonic inpainting", 32, Settings(threads=1))
    assert point.outcome == "certified" and point.steps
    assert point.memory is None or 0.05 < point.memory < 10
    assert huge._fits(Point("ROF", "mindl", 16384, (1.0,), memory=23.0, outcome="certified")).met is True
    assert huge._fits(Point("ROF", "mindl", 16384, (1.0,), memory=25.0, outcome="certified")).met is False
    killed = huge._fits(Point("ROF", "mindl", 16384, (math.nan,), outcome="ended with status -9"))
    assert killed.met is None and killed.measured == "ended with status -9"


# What is shown


def test_columns_that_say_nothing_are_left_out() -> None:
    own, other = made_up("mindl", 3.0), made_up("other", 9.0, reached=False, psnr=20.0)
    grid = report.grid_of(Contest("", "", "gap", 1e-4, (), (own, other), (), ("mindl",)))
    assert grid.columns == ("", "gap", "PSNR", "time", "quartiles", "set-up", "ratio")
    assert grid.rows[1] == ("other", "1e-05 *", "20.00", "10 s", "10-46 s", "1.0 s", "> 2.5 x")


def test_what_is_not_finite_is_null_in_the_record() -> None:
    lost = Point("ROF", "mindl", 16384, (math.nan,), outcome="ended with status -9")
    chapter = Sizes("huge", "", (), (lost,), ())
    text = json.dumps(report.record_of([chapter], Settings(data=Path("some"))), allow_nan=False)
    assert json.loads(text)["works"][0]["points"][0]["total"] is None
    assert report.grid_of(chapter).rows[0][2] == "-"
    assert "| ROF: mindl | 16384 x 16384 | - |" in report.markdown_of([chapter], Settings())


def test_the_references_witness_proves_nothing_for_others() -> None:
    """The judge's dual field is that of its own data: with another one the bound is far from 0."""
    one, two = md.models.rof(noisy().double(), 0.08), md.models.rof(noisy().double().flip(3), 0.08)
    dual = md.minimise(one, stop=md.Stop(1e-6)).dual
    best = md.minimise(two, stop=md.Stop(1e-6)).image
    assert dual is not None
    assert float(verify(two, best, DualWitness(dual)).relative.max()) > 0.01
