"""When a network pays: the logic on courses made by hand, the sentences, and the command line."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import random_image
from test_cli import run

import mindl as md
from mindl.app import race
from mindl.app.break_even import BreakEven, Course, Method, break_even, levels, short_power, unserved
from mindl.plot import Line, Race, race_figure
from mindl.solvers.solution import Trace

Pairs = dict[float, float]
"""Seconds to accuracy."""


def method(name: str, excess: Pairs, proved: Pairs | None = None, kind: str = "duality gap") -> Method:
    return Method(name, course(excess), course(excess if proved is None else proved), kind)


def course(pairs: Pairs) -> Course:
    return Course(tuple(pairs), tuple(pairs.values()))


def judged(
    net: Pairs,
    finished: Pairs,
    *solvers: Method,
    model: str = "rof",
    tolerance: float = 1e-4,
    kind: str = "duality gap",
    excess: Pairs | None = None,
) -> BreakEven:
    """A network that is at ``net`` alone, and proves ``finished`` with a solver."""
    both = method("unet-rof then PrimalDual", finished if excess is None else excess, finished, kind)
    return break_even(model, (512, 512), 2, solvers, method("unet-rof", net), both, tolerance)


SLOW = {0.170: 1e-2, 0.180: 1e-3, 0.200: 1e-4}
"""The network's answer proves 1e-2 after 170 ms."""


def test_never() -> None:
    solver = method("PrimalDual", {0.001: 1.0, 0.021: 0.003, 0.061: 0}, {0.02: 1e-2, 0.04: 1e-3, 0.061: 1e-4})
    found = judged({0.170: 0.003}, SLOW, solver)
    assert not found.pays and found.since is None
    assert found.sentence == (
        "rof (512 x 512, 2 threads): unet-rof never pays on this photograph: PrimalDual reaches the network's 0.3 "
        "% in 21 ms, the network takes 170 ms; to 1e-4 it takes 0.2 s with the network and 0.061 s without."
    )
    assert [duel.accuracy for duel in found.duels] == [0.1, 0.01, 0.001, 1e-4]


def test_always() -> None:
    solver = method("LBFGS", {1.0: 0.5, 9.1: 0.02, 20.0: 0.001}, kind="gradient")
    found = judged(
        {0.08: 0.02}, {0.08: 0.02}, solver, model="elastica_inpainting", tolerance=0.02, kind="gradient"
    )
    assert found.alone.pays and found.since == 0.08 and found.measured
    assert found.sentence == (
        "elastica_inpainting (512 x 512, 2 threads): unet-rof pays from the first answer on: its energy is "
        "reached by LBFGS after 9.1 s, it takes 0.08 s (110 times faster); to an energy excess of 2 % 0.08 s "
        "against 9.1 s."
    )


def test_only_below_an_accuracy() -> None:
    solver = method("PrimalDual", {0.05: 0.003}, {0.05: 1e-1, 0.2: 1e-2, 0.4: 1e-3, 0.52: 1e-4})
    found = judged({0.25: 0.003}, {0.25: 1e-2, 0.28: 1e-3, 0.31: 1e-4}, solver)
    assert [duel.pays for duel in found.duels] == [False, False, True, True]
    assert not found.alone.pays and found.since == 0.28
    assert found.sentence == (
        "rof (512 x 512, 2 threads): unet-rof then PrimalDual pays from 1e-3 down: to 1e-4 0.31 s against 0.52 s."
    )


def test_what_pays_with_a_gap_between() -> None:
    solver = method("PrimalDual", {0.05: 0.003}, {0.3: 1e-1, 0.31: 1e-2, 0.6: 1e-3, 0.8: 1e-4})
    found = judged({0.1: 0.003}, {0.1: 1e-1, 0.4: 1e-2, 0.45: 1e-3, 0.5: 1e-4}, solver)
    assert [duel.pays for duel in found.duels] == [True, False, True, True]
    assert "pays from 1e-3 down: to 1e-4 0.5 s against 0.8 s." in found.sentence and found.since == 0.45


def test_only_above_an_accuracy() -> None:
    solver = method("PrimalDual", {0.05: 0.003}, {0.5: 1e-1, 0.6: 1e-2, 0.7: 1e-3, 0.8: 1e-4})
    found = judged({0.3: 0.003}, {0.3: 1e-1, 0.4: 1e-2, 0.69: 1e-3, 2.0: 1e-4}, solver)
    assert [duel.pays for duel in found.duels] == [True, True, False, False], "0.69 s against 0.7 s is a draw"
    assert found.sentence.endswith(
        "unet-rof then PrimalDual pays to 1e-1 and 1e-2 only: to 1e-2 0.4 s against 0.6 s; to 1e-4 it takes 2 s "
        "with the network and 0.8 s without."
    )
    cheap = judged({0.01: 0.003}, {0.3: 1e-1, 0.4: 1e-2, 0.69: 1e-3, 2.0: 1e-4}, solver)
    assert "unet-rof pays down to 1e-2 only: its energy is reached by PrimalDual after 50 ms" in cheap.sentence
    assert cheap.since == 0.01
    bare = judged({0.01: 0.003}, {2.0: 1e-4}, solver)
    assert "unet-rof pays as it is only" in bare.sentence and "2 s with the network" in bare.sentence


def test_solvers_that_never_get_there() -> None:
    lame = method("GradientDescent", {1.0: 0.5}, {1.0: 0.3})
    found = judged({0.1: 0.01}, {0.1: 1e-1, 0.3: 1e-4}, lame)
    assert found.alone.solver_seconds == math.inf and found.alone.pays
    assert (
        "reached by no solver, it takes 100 ms; to 1e-4 0.3 s where no solver alone gets there." in found.sentence
    )
    lost = judged({0.1: 0.01}, {0.1: 0.5}, lame)
    assert lost.sentence.endswith("reached by no solver, it takes 100 ms.")
    ahead = method("PrimalDual", {0.01: 0.001}, {0.01: 1e-4})
    late = judged({0.1: 0.01}, {0.1: 0.5}, ahead)
    assert late.sentence.endswith("to 1e-4 it takes 10 ms without the network, and never gets there with it.")
    assert "inf" not in found.sentence + lost.sentence + late.sentence
    assert json.dumps(found.record(), allow_nan=False) and found.record()["alone"]["solver_seconds"] is None


def test_the_fastest_solver_is_the_rival_and_bounds_of_another_kind_are_none() -> None:
    quick = method("Newton", {0.01: 0.001}, {0.01: 1e-4}, kind="gradient")
    fair = method("ADMM", {0.5: 0.001}, {0.5: 1e-4})
    slow = method("DualFISTA", {0.9: 0.001}, {0.9: 1e-4})
    found = judged({0.1: 0.01}, {0.1: 1e-2, 0.2: 1e-4}, slow, quick, fair)
    assert (found.alone.solver, found.alone.solver_seconds) == ("Newton", 0.01), "energies are comparable"
    assert {duel.solver for duel in found.duels} == {"ADMM"}, "a gradient is no gap"


def test_nothing_to_hold_it_against() -> None:
    assert unserved(["tgv"]) == "no network serves tgv."
    assert unserved(["tgv", "rof", "tgv", "tv_l1"]) == "no network serves tgv, rof or tv_l1."
    found = judged({0.1: 0.01}, {0.1: 1e-4})
    assert "unet-rof was compared with no solver" in found.sentence


def test_nan_and_zero() -> None:
    lost = Course((0.1, 0.2, 0.3), (math.nan, math.nan, 1e-3))
    assert lost.reaches(1e-2) == 0.3 and lost.reaches(1e-4) == math.inf
    solver = method("PrimalDual", {0.01: 0.001}, {0.01: math.nan, 0.02: 1e-4})
    found = judged({0.1: math.nan}, {0.1: math.nan, 0.2: 1e-4}, solver)
    assert not found.pays and "its answer has no finite energy; to 1e-4" in found.sentence
    assert json.dumps(found.record(), allow_nan=False)
    instant = judged({0.0: 0.01}, {0.0: 1e-4}, solver)
    assert instant.pays and "times faster" not in instant.sentence and instant.since == 0
    draw = judged({0.0: 0.01}, {0.0: 1e-4}, method("PrimalDual", {0.0: 1e-4}))
    assert not draw.pays
    one = judged({0.1: -0.0}, {0.1: 1e-4}, solver)
    assert (
        "network's -" not in one.sentence and replace(one, threads=1).sentence.split("512, ")[1][:8] == "1 thread"
    )


def test_a_course_from_a_solution() -> None:
    """Of several images the worst counts; 0 / 0 is solved; a distance that met the rule is the tolerance."""
    data = torch.cat([random_image(1, 1, 16, 16), torch.full((1, 1, 16, 16), 0.5)])
    solution = md.minimise(md.models.rof(data, weight=0.1), md.solvers.PrimalDual(), stop=md.Stop(1e-3))
    trace = Trace(
        torch.tensor([0, 10, 20]),
        torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64),
        torch.tensor([[1.0, 0.0], [0.02, 0.03], [0.002, 0.0]], dtype=torch.float64),
        torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]], dtype=torch.float64),
    )
    found = Course.proved(replace(solution, trace=trace))
    assert found.seconds == (0.1, 0.2, 0.3) and found.accuracy == (1.0, 0.03, 1e-3)
    late = Course.proved(replace(solution, trace=trace, outcomes=(md.core.outcome.Outcome.STEP_LIMIT,) * 2))
    assert late.accuracy == (1.0, 0.03, 0.002)
    real = Course.proved(solution)
    assert (
        real.reaches(1e-3) == pytest.approx(solution.trace.seconds[-1].item()) and real.reaches(1e-9) == math.inf
    )


def test_levels() -> None:
    assert levels(1e-3) == pytest.approx([0.1, 0.01, 0.001]) and levels(0.5) == [0.5]
    assert [short_power(x) for x in (1e-4, 2.5e-3, 0.1, 0.0999999)] == ["1e-4", "2.5e-3", "1e-1", "1e-1"]


def test_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    photo = md.images.write(tmp_path / "photo.png", random_image(1, 1, 48, 40))
    options = ["--model", "rof", "--solver", "primal-dual", "--tolerance", "1e-2"]
    status, out, _ = run(capsys, "compare", photo, *options, "-o", tmp_path / "plot.png")
    told = " ".join(out.split())
    assert status == 0 and (tmp_path / "plot.png").stat().st_size > 5000
    assert f"rof (40 x 48, {torch.get_num_threads()} thread" in told and "unet-rof" in told.split("thread")[1]
    assert out.index("E(u)") < out.index("rof (40 x 48"), "under the table"
    status, out, _ = run(capsys, "compare", photo, photo, *options, "--json")
    rows = json.loads(out)
    entries = [row["break_even"] for row in rows]
    assert status == 0 and [entry is None for entry in entries] == [True, False, True] * 2
    entry = entries[1]
    assert rows[1]["method"] == "rof, unet-rof" and entry["net"] == "unet-rof"
    assert (entry["width"], entry["height"], entry["threads"]) == (40, 48, torch.get_num_threads())
    assert entry["alone"]["accuracy"] == pytest.approx(rows[1]["excess"], rel=1e-6)
    assert entry["alone"]["seconds"] == rows[1]["seconds"] and entry["alone"]["solver"] == "PrimalDual"
    assert [duel["accuracy"] for duel in entry["finished"]] == pytest.approx([0.1, 0.01])
    assert entry["finished"][-1]["seconds"] <= rows[2]["seconds"]
    status, out, _ = run(capsys, "compare", photo, photo, "--model", "tgv", *options[2:4], "--tolerance", 0.1)
    assert status == 0 and out.endswith(2 * "photo.png: no network serves tgv.\n")
    status, out, _ = run(capsys, "compare", photo, *options[:4], "--tolerance", "1e-2", "--quiet")
    assert (status, out) == (0, "")


def test_the_figure() -> None:
    solver = Line("PrimalDual", (0.0, 0.1, 1.0), (1.0, 0.1, -1e-9))
    alone, both = Line("net", (0.05,), (2e-5,), net=True), Line("net then X", (0.05, 0.2), (2e-5, 0.0), net=True)
    paying = Race("rof", (solver, alone, both), ((2e-5, 0.05, 0.9),), 0.05)
    figure = race_figure([paying, Race("others", (solver,), ((0.1, 0.0, math.inf),))], 1e-4)
    axes = figure.axes[0]
    assert axes.get_ylim()[0] < 2e-5, "the network's point is seen"
    point, line = (next(x for x in axes.lines if x.get_label() == name) for name in ("net", "net then X"))
    assert point.get_linestyle() == "None" and line.get_xdata()[0] == point.get_xdata()[0]
    assert [text.get_text().strip() for text in axes.texts] == ["network 18 times faster", "pays from here"]
    assert not list(figure.axes[1].texts), "nothing to compare with infinity"
    assert all((x.get_xdata() > 0).all() for x in axes.lines if x.get_label() == "PrimalDual")


def test_a_network_that_is_better_than_was_asked_for_can_be_beaten() -> None:
    """The solver stopped at a gap of 1e-2, long before it was as good as sixty of its steps."""
    noisy = md.images.GaussianNoise(0.1)(random_image(1, 1, 24, 24, seed=3), seed=4)
    model = md.models.rof(noisy, 0.1)
    net = md.neural.Unrolled(md.solvers.PrimalDual(), 60)
    found = race.everyone(model, "rof", [net], {"PrimalDual": md.solvers.PrimalDual()}, 1e-2, quiet=True)
    assert int(found[0].solution.steps) < 60
    solver, alone, _ = race.courses(found, model)
    goal = alone.excess.accuracy[0]
    assert solver.excess.accuracy[-1] <= goal < solver.excess.accuracy[-2]
    assert solver.excess.reaches(goal) < math.inf
