"""From a record to symptoms: each from a healthy course in which one thing is changed, and records of any kind."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mindl.core.errors import InputError, StoreError
from mindl.diagnosis import RULES, Course, Diagnosis, Limits, causes, diagnose, read
from mindl.diagnosis.course import Curve

Rows = list[dict[str, Any]]
STEPS = 240


def healthy(config: dict[str, Any] | None = None, seed: int = 0) -> Course:
    """A run that learns: every number that a record may hold, as good runs have it."""
    random = np.random.default_rng(seed)
    rows: Rows = []
    for k in range(1, STEPS + 1):
        fall = math.exp(-k / 50)
        loss = 0.2 + 0.8 * fall
        noise = float(1 + 0.05 * random.standard_normal())
        row: dict[str, Any] = {"step": k, "loss": loss * noise, "worst": 2 * loss * noise, "gradient": 0.3 * noise}
        row |= {"rate": 1e-3 * min(1, k / 10), "epoch": 0, "waited": 0.001, "seconds": 0.02}
        if k % 10 == 0 or k == 1:
            block = {"gradient": 0.1, "weight": 2.0, "update": 0.004}
            row["look"] = {
                "alpha": -0.3 + 0.1 * float(random.standard_normal()),
                "fresh": 0.0,
                "signal": 5.0,
                "blocks": {name: dict(block) for name in ("first", "second", "third")},
                "units": {"1 relu": {"dead": 0.1, "saturated": 0.0}, "2 tanh": {"dead": 0.0, "saturated": 0.1}},
                "mode": {"use": loss, "training": loss * 1.05},
                "batch": {
                    "mean": 0.45,
                    "spread": 0.27,
                    "least": -0.2,
                    "most": 1.2,
                    "distinct": 1.0,
                    "noise": 26.0,
                },
                "profile": {
                    "energy": [0.8, 0.7],
                    "change": [5, 2],
                    "numbers": {},
                    "share": {"step_size": [0.9, 0.9]},
                },
            }
        if k % 20 == 0:
            row |= {"excess": 0.8 * fall, "worst_excess": fall, "psnr": 26 - 5 * fall, "psnr_of_minimiser": 26.0}
            answers = {"moved": 1 - fall, "along": 1 - fall, "contrast": 1.0, "sharpness": 1.0, "shift": 0.1}
            answers |= {"outside": 0.0, "likeness": 0.98, "other": 0.1}
            row["unseen"] = {"loss": 0.25 + 0.8 * fall, "loss_seen": loss, "psnr_of_start": 20.2}
            row["unseen"] |= {"solution": answers, "clean": dict(answers)}
            row["unseen"]["batch"] = {"mean": 0.45, "spread": 0.27, "noise": 26.0}
        rows.append(row)
    training = {"steps": STEPS, "batch": 8, "clip": 1.0, "loss": "EnergyLoss()", "optimiser": "Adam(rate=0.001)"}
    return Course(rows, {"training": training, "net": {"shapes": {"w": [40, 40]}, "frozen": []}} | (config or {}))


def looked(course: Course) -> Rows:
    return [row["look"] for row in course.rows if "look" in row]


def examined(course: Course) -> Rows:
    return [row for row in course.rows if "unseen" in row]


def _set(rows: Rows, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for i, row in enumerate(rows):
        for name in outer:
            row = row[name]
        row[last] = value(i, row.get(last)) if callable(value) else value


def grows(course: Course) -> None:
    for row in course.rows[60:]:
        row["loss"] *= 1.1 ** (row["step"] - 60)


def is_no_number(course: Course) -> None:
    for row in course.rows[100:]:
        row["loss"] = None


def falls_below_everything(course: Course) -> None:
    for row in course.rows:
        row["loss"] = -(1.05 ** row["step"])


def one_image(course: Course) -> None:
    for k in (50, 120):
        course.rows[k]["loss"] *= 20
        course.rows[k]["worst"] = 8 * 0.9 * course.rows[k]["loss"]


def another_level(course: Course) -> None:
    for row in course.rows[150:]:
        row["loss"] += 0.6 * math.exp(-(row["step"] - 150) / 100)


def lands_beyond(course: Course) -> None:
    stays_far(course)
    _set(looked(course), "alpha", 0.9)


def crawls(course: Course) -> None:
    for row in course.rows:
        row["loss"] = 1 - 1e-4 * row["step"]
    for look in looked(course):
        _set(list(look["blocks"].values()), "update", 1e-7)


def is_cut_down(course: Course) -> None:
    crawls(course)
    _set(course.rows, "gradient", 3.0)
    course.config["training"]["clip"] = 1e-5


def is_spent(course: Course) -> None:
    for row in course.rows[20:]:
        row["rate"] *= 1e-3


def never_falls(course: Course) -> None:
    stays_far(course)
    _set(course.rows, "loss", 1.0)
    _set(course.rows, "worst", 1.0)
    _set(course.rows[5:], "gradient", 0.0)


def is_not_the_batchs(course: Course) -> None:
    _set(looked(course), "fresh", lambda i, _: float(i))


def is_of_another(course: Course) -> None:
    _set(looked(course)[1:], "fresh", 1.3)


def does_not_move(course: Course) -> None:
    _set(looked(course), "blocks.second.update", 0.0)


def has_no_gradient(course: Course) -> None:
    _set(looked(course), "blocks.first.update", 0.0)
    _set(looked(course), "blocks.first.gradient", 0.0)


def vanishes(course: Course) -> None:
    _set(looked(course), "blocks.first.gradient", 1e-6)


def explodes(course: Course) -> None:
    for row in course.rows[120:]:
        row["gradient"] *= 1.05 ** (row["step"] - 120)


def is_dead(course: Course) -> None:
    _set(looked(course)[12:], "units", {"1 relu": {"dead": 0.9, "saturated": 0.0}})


def is_dead_at_first(course: Course) -> None:
    _set(looked(course), "units", {"1 relu": {"dead": 0.9, "saturated": 0.0}})


def saturates(course: Course) -> None:
    for look in looked(course):
        look["units"]["2 tanh"]["saturated"] = 0.95


def differs_in_use(course: Course) -> None:
    for look in looked(course):
        look["mode"]["use"] *= 4


def gets_worse(course: Course) -> None:
    _set(examined(course), "unseen.loss", lambda i, _: 0.5 - 0.1 * i if i < 3 else 0.3 + 0.05 * (i - 3))


def is_asked_for_something_else(course: Course) -> None:
    _set(examined(course), "unseen.loss", lambda i, _: 1.1 + 0.2 * i)


def has_other_noise(course: Course) -> None:
    _set(looked(course), "batch.noise", 0.1)


def has_a_reversed_mask(course: Course) -> None:
    for look in looked(course):
        look["batch"] = {"mean": 0.45, "spread": 0.27, "distinct": 1.0, "known": 0.8}
    _set(examined(course), "unseen.batch", {"mean": 0.45, "spread": 0.27, "known": 0.2})


def is_in_255(course: Course) -> None:
    for look in looked(course):
        look["batch"] |= {"mean": 115.0, "spread": 69.0}


def repeats(course: Course) -> None:
    _set(looked(course), "batch.distinct", 0.5)


def waits(course: Course) -> None:
    _set(course.rows, "waited", 0.015)


def changes_nothing(course: Course) -> None:
    for kind in ("solution", "clean"):
        _set(examined(course), f"unseen.{kind}.moved", 0.001)


def is_flat(course: Course) -> None:
    for kind in ("solution", "clean"):
        _set(examined(course), f"unseen.{kind}.contrast", 0.1)


def is_shifted(course: Course) -> None:
    for kind in ("solution", "clean"):
        _set(examined(course), f"unseen.{kind}.shift", 60.0)


def stays_far(course: Course) -> None:
    _set(examined(course), "excess", 0.9)


def is_tiny(course: Course) -> None:
    stays_far(course)
    course.config["net"]["shapes"] = {"w": [3, 3]}


def exceeds_its_bound(course: Course) -> None:
    for look in looked(course):
        look["profile"] |= {"share": {"step_size": [1.5, 1.5]}, "energy": [0.8, 1.4], "change": [1, 9]}


CASES: list[tuple[Callable[[Course], None], str, str]] = [
    (grows, "diverging", causes.RATE_HIGH),
    (is_no_number, "diverging", causes.RATE_HIGH),
    (falls_below_everything, "diverging", causes.SIGN),
    (one_image, "spikes", causes.BAD_DATA),
    (another_level, "jump", causes.RESUMED),
    (lands_beyond, "oscillating", causes.RATE_HIGH),
    (crawls, "learning too slowly", causes.RATE_LOW),
    (is_cut_down, "learning too slowly", causes.CLIPPING),
    (is_spent, "stalled", causes.SCHEDULE),
    (never_falls, "stalled", causes.RATE_HIGH),
    (is_not_the_batchs, "mixed gradients", causes.NOT_CLEARED),
    (is_of_another, "mixed gradients", causes.OTHER_BATCH),
    (does_not_move, "unmoved weights", causes.NOT_OPTIMISED),
    (has_no_gradient, "unmoved weights", causes.CUT_OFF),
    (vanishes, "vanishing gradients", causes.DEEP),
    (explodes, "exploding gradients", causes.RATE_HIGH),
    (is_dead, "dead units", causes.RATE_HIGH),
    (is_dead_at_first, "dead units", causes.INITIAL),
    (saturates, "saturated units", causes.INITIAL),
    (differs_in_use, "mode gap", causes.DROPOUT),
    (gets_worse, "overfitting", causes.FEW_IMAGES),
    (is_asked_for_something_else, "wrong target", causes.PAIRS),
    (has_other_noise, "training unlike use", causes.NOISE),
    (has_a_reversed_mask, "training unlike use", causes.REVERSED),
    (is_in_255, "wrong range", causes.RANGE),
    (repeats, "repeated data", causes.REPEATS),
    (waits, "data starvation", causes.LOADING),
    (changes_nothing, "identity", causes.TARGET_IS_INPUT),
    (is_flat, "collapse", causes.PAIRS),
    (is_shifted, "strange values", causes.RANGE),
    (stays_far, "underfitting", causes.PAIRS),
    (is_tiny, "underfitting", causes.SMALL),
    (exceeds_its_bound, "beyond the stability bound", causes.BEYOND),
]


@pytest.mark.parametrize(("change", "symptom", "cause"), CASES, ids=lambda x: getattr(x, "__name__", None))
def test_one_thing_that_is_wrong(change: Callable[[Course], None], symptom: str, cause: str) -> None:
    course = healthy()
    change(course)
    found = diagnose(course)
    named = {each.name: each for each in found.symptoms}
    assert symptom in named, found
    assert named[symptom].causes[0].name == cause
    first, last = named[symptom].steps
    assert 0 < first <= last <= STEPS
    assert all(isinstance(value, float) for value in named[symptom].evidence.values())
    assert named[symptom].experiment and named[symptom].disproof and 0 <= named[symptom].confidence <= 1
    assert not found.healthy and symptom in found.verdict and cause in str(found)
    json.dumps(found.row)


def test_limits_that_are_given_are_those_that_count() -> None:
    course = healthy()
    for k in range(50, 60):
        course.rows[k]["worst"] = 8 * 0.9 * course.rows[k]["loss"]
    assert [each.name for each in diagnose(course).symptoms] == ["spikes"]
    assert diagnose(course, Limits(alone=0.95)).healthy


def test_every_rule_is_among_the_cases() -> None:
    hints = {"still learning", "mostly clipped"}
    assert set(RULES) == {symptom for _, symptom, _ in CASES} | hints


def test_the_page_has_the_rules_in_their_order() -> None:
    page = (Path(__file__).parents[1] / "docs/monitoring.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[:2] for line in page.splitlines() if line.startswith("| ") and " | " in line]
    told = {name.removeprefix("| "): text.removeprefix("*hint:* ") for name, text in rows}
    listed = [name for name in told if name in RULES]
    assert listed == list(RULES) and all(told[name] == rule.looks_like for name, rule in RULES.items())


@pytest.mark.parametrize("seed", range(3))
def test_a_good_run_is_healthy(seed: int) -> None:
    found = diagnose(healthy(seed=seed))
    assert found.healthy and not found.missing and len(found.judged) == len(RULES)
    assert found.verdict == f"Healthy: none of {len(RULES)} symptoms."


def test_hints_are_no_symptoms() -> None:
    course = healthy()
    _set(course.rows, "gradient", 5.0)
    found = diagnose(course)
    assert found.healthy and [hint.name for hint in found.hints] == ["mostly clipped"]
    assert "No faults" in str(found)
    course = healthy()
    for row in course.rows:
        row["loss"] = 2 - row["step"] / STEPS * 1.5
    assert "still learning" in [hint.name for hint in diagnose(course).hints]


def test_long_steps_among_short_ones_are_a_hint() -> None:
    """As in FED: single steps beyond the bound whose product is stable."""
    course = healthy()
    for look in looked(course):
        look["profile"]["share"] = {"step_size": [3.0, 0.2, 0.2]}
    found = diagnose(course)
    assert found.healthy and [hint.name for hint in found.hints] == ["beyond the stability bound"]


def test_blocks_that_are_frozen_on_purpose() -> None:
    course = healthy()
    has_no_gradient(course)
    course.config["net"]["frozen"] = ["first.weight"]
    assert diagnose(course).healthy


# Records of any kind


def write(path: Path, course: Course) -> Path:
    path.mkdir()
    (path / "record.jsonl").write_text("".join(json.dumps(row) + "\n" for row in course.rows))
    (path / "config.json").write_text(json.dumps({"format": 1, **course.config}))
    return path


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", healthy())
    with (folder / "record.jsonl").open("a") as file:
        file.write('{"step": 241, "loss": 0.')
    found = diagnose(folder)
    assert found.healthy and found.steps == STEPS and "torn" in found.notes[0] and "torn" in str(found)


def test_lines_that_are_no_records_are_counted(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", healthy())
    lines = (folder / "record.jsonl").read_text().splitlines()
    lines[10:12] = ["garbage", "[1, 2]"]
    (folder / "record.jsonl").write_text("\n".join(lines) + "\n")
    found = diagnose(folder)
    assert found.healthy and found.notes == (
        "2 lines are no records and are left out, the first of them line 11.",
    )


def test_another_version_is_said_and_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    course = healthy()
    grows(course)
    folder = write(tmp_path / "run", course)
    (folder / "config.json").write_text(json.dumps({"format": 99, "training": "of another kind"}))
    with pytest.raises(StoreError):
        diagnose(tmp_path / "nowhere")
    found = diagnose(folder)
    assert "newer mindl" in found.notes[0] and found.symptoms[0].name == "diverging"
    (folder / "config.json").unlink()
    assert "is missing" in diagnose(folder).notes[0]


def test_somebody_elses_training_with_only_loss_and_steps(tmp_path: Path) -> None:
    plain = [{"step": row["step"], "loss": row["loss"]} for row in healthy().rows]
    found = diagnose(plain)
    assert found.healthy and set(found.judged) >= {"diverging", "spikes", "jump"}
    assert found.missing["dead units"] == "needs 'look.units' in the record"
    assert "(of" in found.verdict and "Not judged" in str(found)
    other = healthy()
    grows(other)
    csv = tmp_path / "log.csv"
    csv.write_text(
        "epoch,train_loss,lr,note\n" + "".join(f"{r['step']},{r['loss']},0.001,x\n" for r in other.rows)
    )
    found = diagnose(csv)
    assert [each.name for each in found.symptoms] == ["diverging"]
    lines = tmp_path / "metrics.jsonl"
    lines.write_text(
        "".join(json.dumps({"iteration": r["step"], "train_loss": r["loss"]}) + "\n" for r in other.rows)
    )
    assert diagnose(lines).symptoms[0].name == "diverging"


def test_validation_losses_of_others_show_overfitting() -> None:
    rows = [
        {"epoch": k, "loss": 1 / k, "val_loss": 1 / k if k < 20 else 0.05 + 0.02 * (k - 20)} for k in range(1, 60)
    ]
    found = diagnose(rows)
    assert [each.name for each in found.symptoms] == ["overfitting"]
    assert found.symptoms[0].steps[0] == pytest.approx(20, abs=3)


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_a_run_that_died_early(tmp_path: Path, steps: int) -> None:
    course = healthy()
    folder = write(tmp_path / "run", Course(course.rows[:steps], course.config))
    found = diagnose(folder)
    assert found.steps == steps and found.healthy
    assert (found.verdict == "Nothing can be said of 0 steps.") == (steps == 0)
    assert str(found)


def test_what_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no folder of a run, and no record"):
        diagnose(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(StoreError, match="the run has no record"):
        diagnose(tmp_path)
    (tmp_path / "text.jsonl").write_text("hello\nworld\n")
    with pytest.raises(StoreError, match="holds no record"):
        diagnose(tmp_path / "text.jsonl")
    (tmp_path / "record.jsonl").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        diagnose(tmp_path)
    for wrong in (7, [1, 2], None):
        with pytest.raises(InputError, match="A run is a folder"):
            diagnose(wrong)  # type: ignore[arg-type]


def test_steps_in_any_order_and_twice() -> None:
    rows = [{"step": 3, "loss": 1.0}, {"step": 1, "loss": 3.0}, {"step": 3, "loss": 0.5}, {"step": 2, "loss": 2.0}]
    assert read(rows).curve("loss").values.tolist() == [3.0, 2.0, 0.5]


def test_running_medians_of_long_courses_are_those_of_short_ones() -> None:
    values = np.sin(np.arange(5000) / 300)
    smooth = Curve(np.arange(5000.0), values).smooth(11).values
    assert np.abs(smooth[5:-5] - values[5:-5]).max() < 1e-2


def steps_beyond_the_bottom(course: Course) -> None:
    _set(looked(course), "alpha", 1.1)


def a_small_step(course: Course) -> None:
    for row in course.rows:
        row["loss"] = row["worst"] = (0.3 if row["step"] < 120 else 0.33) + 1e-3 * (row["step"] % 2)


def both_losses_rise(course: Course) -> None:
    for i, row in enumerate(examined(course)):
        row["unseen"]["loss"] = row["unseen"]["loss_seen"] = 0.5 - 0.1 * i if i < 3 else 0.3 + 0.02 * (i - 3)


def images_are_read_at_first(course: Course) -> None:
    for row in course.rows[:100]:
        row |= {"waited": 0.3, "seconds": 0.32}


def nearly_solved_from_the_first(course: Course) -> None:
    _set(examined(course), "excess", lambda i, _: 0.024 - 0.0002 * i)


@pytest.mark.parametrize(
    "change",
    [
        steps_beyond_the_bottom,
        a_small_step,
        both_losses_rise,
        images_are_read_at_first,
        nearly_solved_from_the_first,
    ],
)
def test_what_good_runs_have_too(change: Callable[[Course], None]) -> None:
    course = healthy()
    change(course)
    assert diagnose(course).healthy, diagnose(course)


# What a new user found


def test_what_was_learned_and_lost_again() -> None:
    """A rate that is far too high: the loss falls to 0.1, and within ten steps it is back."""
    course = healthy()
    for row in course.rows:
        k = row["step"]
        row["loss"] = 0.1 + 0.9 * math.exp(-k / 8) if k < 40 else min(0.98, 0.1 + 0.1 * (k - 40))
        row["worst"] = row["loss"]
    _set(examined(course), "excess", lambda i, _: 0.1 if i < 2 else 1.2)
    found = {symptom.name: symptom for symptom in diagnose(course).symptoms}
    assert found["diverging"].title == "What was learned is lost again."
    assert found["diverging"].causes[0].name == found["underfitting"].causes[0].name == causes.RATE_HIGH
    assert 30 < found["diverging"].steps[0] < 45


def test_one_step_without_a_number_is_a_bad_batch() -> None:
    course = healthy()
    course.rows[100]["loss"] = None
    (found,) = diagnose(course).symptoms
    assert found.title.startswith("Some losses are no numbers") and found.causes[0].name == causes.BAD_DATA


def test_losses_of_others_have_units_of_their_own() -> None:
    for far in (1.3, 30.0):
        rows = [
            {"epoch": k, "loss": 0.5 + math.exp(-k / 10), "val_loss": far + math.exp(-k / 10)} for k in range(60)
        ]
        assert diagnose(rows).healthy


def test_a_frozen_block_hides_no_other() -> None:
    course = healthy()
    for look in looked(course):
        look["blocks"] |= {"net.1": {"gradient": 0.0, "weight": 1.0, "update": 0.0}}
        look["blocks"] |= {"net.10": {"gradient": 0.0, "weight": 1.0, "update": 0.0}}
    course.config["net"] = {"shapes": {"net.1.weight": [2], "net.10.weight": [2]}, "frozen": ["net.10.weight"]}
    (found,) = diagnose(course).symptoms
    assert "net.1." in found.title and "net.10" not in found.title
    course.config["net"]["frozen"].append("net.1.weight")
    assert diagnose(course).healthy


def test_a_silent_network_is_not_one_that_needs_longer_steps() -> None:
    course = healthy()
    never_falls(course)
    changes_nothing(course)
    found = {symptom.name: symptom for symptom in diagnose(course).symptoms}
    assert {found[name].causes[0].name for name in ("identity", "underfitting", "stalled")} == {causes.RATE_HIGH}


@pytest.mark.parametrize(
    "text",
    [
        "Epoch, Loss , Val_Loss\n{}",
        "\ufeffepoch,loss,val_loss\n{}",
        "\ufeffloss,epoch,val_loss\n{}",
        "epoch,train/loss,val/loss\n{}",
    ],
)
def test_names_of_other_programs(tmp_path: Path, text: str) -> None:
    turned = text.startswith("\ufeffloss")
    lines = [(k, 1 / k, 1 / k if k < 20 else 0.05 + 0.02 * (k - 20)) for k in range(1, 60)]
    body = "".join(f"{loss},{k},{val}\n" if turned else f"{k},{loss},{val}\n" for k, loss, val in lines)
    (tmp_path / "log.csv").write_text(text.format(body), encoding="utf-8")
    found = diagnose(tmp_path / "log.csv")
    assert [symptom.name for symptom in found.symptoms] == ["overfitting"] and found.steps == 59


def test_rows_of_one_step_are_joined_and_losses_of_one_epoch_are_not() -> None:
    train = [{"step": k, "epoch": k, "train_loss": 1 / k} for k in range(1, 60)]
    val = [{"step": k, "epoch": k, "val_loss": 1 / k if k < 20 else 0.02 * k} for k in range(1, 60)]
    both = [row for pair in zip(train, val, strict=True) for row in pair]
    assert [symptom.name for symptom in diagnose(both).symptoms] == ["overfitting"]
    assert diagnose([{"epoch": k // 100, "loss": 1 / (k + 1)} for k in range(300)]).steps == 300


def test_numbers_in_other_forms(tmp_path: Path) -> None:
    import torch

    wanted = [1.0, 0.5, 0.25]
    for kind in (np.float32, torch.tensor, str):
        found = read([{"step": k, "loss": kind(value)} for k, value in enumerate(wanted)])
        assert found.curve("loss").values.tolist() == wanted
    for content in ('{"step": 1, "loss": 1' + "0" * 400 + "}", '{"step": 1' + "0" * 400 + ', "loss": 1}'):
        (tmp_path / "huge.jsonl").write_text(content + "\n")
        assert diagnose(tmp_path / "huge.jsonl").steps == 1
    (tmp_path / "deep.jsonl").write_text("[" * 100_000 + "\n")
    (tmp_path / "text.csv").write_text("step;loss\n1;2\n")
    for name, message in (("deep.jsonl", "JSON object"), ("text.csv", "separated by commas")):
        with pytest.raises(StoreError, match=message):
            diagnose(tmp_path / name)
    folder = write(tmp_path / "run", healthy())
    (folder / "config.json").write_text('{"format": "x"}')
    assert "newer mindl" in diagnose(folder).notes[0]
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(StoreError, match="holds a stored network"):
        diagnose(folder)
    with pytest.raises(InputError, match=r"diagnose\(limits\)"):
        diagnose([], limits=3)  # type: ignore[arg-type]


leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)


@given(st.data())
def test_no_record_whatever_it_holds_is_answered_by_a_crash(data: st.DataObject) -> None:
    """Any part of a good record is replaced by anything: it is judged, or refused in a sentence."""
    course = healthy()
    rows = copy.deepcopy(course.rows[:: data.draw(st.integers(1, 40))])
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = data.draw(st.sampled_from(rows))
        while True:
            name = data.draw(st.sampled_from(sorted(place)))
            if isinstance(place[name], dict) and place[name] and data.draw(st.booleans()):
                place = place[name]
                continue
            place[name] = data.draw(values)
            break
    config = {name: data.draw(values | st.just(part)) for name, part in course.config.items()}
    assert isinstance(diagnose(read(Course(read(rows).rows, config))), Diagnosis)
