"""The page of a run: all of it is there, nothing comes from elsewhere, and whatever a record holds, it stands."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import mindl as md
from mindl.app import runs as verb
from mindl.core.errors import InputError, OutputError, StoreError
from mindl.diagnosis import Cause, Course, Curve, Diagnosis, Symptom
from mindl.report import TensorBoard, report, tensorboard
from mindl.report.comparison import distinct
from mindl.report.drawing import Line, lines
from mindl.report.events import scalars
from mindl.report.frame import verdict
from mindl.report.learned import learning
from mindl.report.page import page
from mindl.report.pictures import pictures
from mindl.report.subject import Subject
from mindl.report.symptoms import diagnosis
from mindl.report.thinning import thinned

EMPTY = {"meta", "img", "br", "input"}
HANDLER = "this.parentNode.style.setProperty('--at', this.value + '%')"


class Page(HTMLParser):
    """A page taken apart by a reader that the writer does not use: tags, ids, words, and whether all is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.words, self._open = text, [], [], []  # type: ignore[var-annotated]
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.words.append(data)

    @property
    def told(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def alone(text: str) -> Page:
    """The page, once it is known to be whole, to need nothing from elsewhere, and to run only the slider."""
    found = Page(text)
    assert text.startswith("<!doctype html>")
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in found.tags}
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in found.tags:
        for name, value in attributes.items():
            assert not name.startswith("on") or (tag, name, value) == ("input", "oninput", HANDLER)
            if name == "href":
                assert str(value).startswith("data:image/png;base64,") or str(value)[1:] in ids
            if name in ("src", "srcset", "xlink:href", "action", "data"):
                assert str(value).startswith("data:image/png;base64,")
                assert base64.b64decode(str(value).split(",")[1], validate=True).startswith(b"\x89PNG")
            for place in re.findall(r"url\(([^)]*)\)", str(value)):
                assert place[0] == "#"
                assert place[1:] in ids
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, flags=re.S))
    assert "@import" not in styles
    assert "url(" not in styles
    for drawing in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        assert ElementTree.fromstring(drawing).attrib["aria-label"]
    assert len(re.findall(r"<svg", text)) == len(re.findall(r"</svg>", text))
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps, with looks, examinations and pictures."""
    net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    return trained(tmp_path_factory.mktemp("runs") / "small net", net, steps=12)


@pytest.fixture(scope="module")
def written(run: Path) -> Path:
    """Its page, where it belongs."""
    return report(run)


@pytest.fixture(scope="module")
def unrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    solver = md.solvers.PrimalDual()
    net = md.neural.Unrolled(solver, steps=3, learn=[md.neural.StepSizes()])
    return trained(tmp_path_factory.mktemp("runs") / "unrolled", net, steps=4)


def trained(folder: Path, net: Any, steps: int) -> Path:
    task = md.learning.Denoising()
    settings = md.learning.Training(steps=steps, batch=4, crop=16, check_every=4)
    leaves, others = md.data.DeadLeaves(2, size=24), md.data.DeadLeaves(2, size=24, seed=9)
    examine = md.learning.Validation(task, others, count=2, crop=16)
    monitor = md.learning.Monitor(every=4)
    md.fit(net, task, leaves, settings, validation=examine, folder=folder, monitor=monitor)
    return folder


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]


def copied(run: Path, to: Path, rows: list[Any] | None = None, planned: int = 12) -> Path:
    shutil.copytree(run, to)
    shutil.rmtree(to / "model", ignore_errors=True)
    config = json.loads((to / "config.json").read_text())
    config["training"]["steps"] = planned
    (to / "config.json").write_text(json.dumps(config))
    if rows is not None:
        (to / "record.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return to


def symptom(**changes: Any) -> Symptom:
    whole = Symptom(
        name="spikes",
        title="Some steps <stand> out.",
        evidence={"highest over & neighbours": 12.5},
        curve="loss",
        steps=(4, 6),
        confidence=0.9,
        causes=(Cause("a bad image", "one image makes most of it"), Cause("rate", "or not")),
        experiment="Look at the batch.",
        disproof="The loss is of another kind there.",
    )
    return dataclasses.replace(whole, **changes)


def judged(run: Path, *symptoms: Symptom, hints: tuple[Symptom, ...] = (), seen: bool = True) -> Subject:
    names = ("spikes", "collapse", "jump", "stalled", "identity", "diverging") if seen else ("spikes",)
    found = Diagnosis(symptoms, hints, names, {"overfitting": "needs 'unseen.loss'"}, (), 12)
    return dataclasses.replace(Subject.of(run), diagnosis=found)


def test_the_page_of_a_run_holds_all_that_its_record_does(run: Path, written: Path) -> None:
    assert written == run / "report.html"
    found = alone(written.read_text())
    assert "small net: training report" in found.told
    for words in (
        "WitnessHead (UNet, 1,138 parameters)", "denoising by rof", "12 of 12", "finished",
        "Loss on seen and unseen",
        "PSNR on unseen images", "Energy excess on unseen images", "Proved distance", "Errors on unseen images",
        "Norm of the gradient", "Learning rate", "alpha", "Update of each block", "Gradient of each block",
        "Time per step", "Memory", "Configuration", "Last line of the record", "training.loss",
    ):  # fmt: skip
        assert words in found.told, words
    last = rows_of(run)[-1]
    assert f"{last['psnr']:.2f} dB" in found.told
    sliders = [a for a in found.named("div") if a.get("class") == "mindl-slider"]
    assert len(sliders) == 2 * 3
    assert all(found.told.count(word) for word in ("given", "first answer", "last answer", "exact solution"))
    assert {"lang": "en"} in found.named("html")
    assert any(meta.get("name") == "viewport" for meta in found.named("meta"))


def test_an_unrolled_solver_shows_its_steps(unrolled: Path) -> None:
    found = alone(page(Subject.of(unrolled)))
    for words in (
        "Energy along the steps",
        "Change by each step",
        "Step sizes in parts of their bound",
        "Gradient by step",
    ):
        assert words in found.told, words


def test_the_same_record_gives_the_same_bytes(run: Path, written: Path, tmp_path: Path) -> None:
    first = written.read_bytes()
    assert first == report(run, output=tmp_path / "b.html").read_bytes()
    assert b"Matplotlib" not in first
    assert b"http" not in first


def test_the_curves_are_where_their_numbers_are(run: Path) -> None:
    """The rate's line, read back from its path: heights go with the numbers, and the scale is linear."""
    rates = np.array([row["rate"] for row in rows_of(run)])
    drawing = next(
        chart.svg for chart in learning(Subject.of(run).course) if chart and chart.title == "Learning rate"
    )
    paths = [
        np.array(re.findall(r"[-.\d]+", d), float).reshape(-1, 2)
        for d in re.findall(r'<path d="([^"]*)"', drawing)
    ]
    line = next(points for points in paths if len(points) == len(rates))
    heights = np.polyfit(rates, line[:, 1], 1)
    assert heights[0] < 0  # SVG counts downwards
    assert np.abs(np.polyval(heights, rates) - line[:, 1]).max() < 0.05


def test_a_logarithmic_axis_has_a_gap_where_there_is_no_logarithm() -> None:
    curve = Curve(np.arange(1.0, 8.0), np.array([1.0, 0.1, 0.0, 0.0, 1e-3, 1e-2, 1e-4]))
    drawn = lines("x", "t", [Line(curve, "a")], unit="", scale="log")
    assert drawn is not None
    (path,) = re.findall(r'<path d="([^"]*)"[^>]*stroke: #0072b2; stroke-width', drawn.svg)
    assert [len(part.split("L")) for part in path.split("M")[1:]] == [2, 3]  # the points that there are, no others
    assert lines("x", "t", [Line(Curve(curve.steps, curve.values * np.nan))], unit="") is None


def test_a_run_that_goes_on(run: Path, tmp_path: Path) -> None:
    folder = copied(run, tmp_path / "on", rows_of(run)[:9], planned=1000)
    with (folder / "record.jsonl").open("a") as file:
        file.write('{"step": 10, "lo')
    found = Subject.of(folder)
    assert found.standing.state == "goes on"
    told = alone(page(found)).told
    assert "goes on" in told
    assert "The last line is torn" in told
    assert "9 of 1,000" in told
    mean = sum(row["seconds"] for row in rows_of(run)[:9]) / 9
    assert math.isclose(found.standing.left or 0, 991 * mean, rel_tol=1e-9)
    assert "left" in told
    long_ago = time.time() - 86400
    os.utime(folder / "record.jsonl", (long_ago, long_ago))
    assert Subject.of(folder).standing.state == "broke off"
    shutil.copytree(run / "model", folder / "model")
    assert Subject.of(folder).standing.state == "ended early"


def test_rows_with_nothing_but_loss_and_step(tmp_path: Path) -> None:
    rows = [{"step": k, "loss": 1 / k} for k in range(1, 400)]
    found = alone(report(rows, output=tmp_path / "page.html").read_text())
    shown = {str(drawing["aria-label"]).split(".")[0] for drawing in found.named("svg")}
    assert shown == {"Loss"}
    assert "Configuration" not in found.told
    assert "not known" in found.told
    for bare in ([{"step": 1, "loss": 0.5}], [{"loss": float("nan")}] * 2, [{"loss": None, "step": 3}]):
        alone(report(bare, output=tmp_path / "page.html").read_text())
    with pytest.raises(InputError, match=r"output='report.html'"):
        report(rows)


def test_records_of_other_programs(tmp_path: Path) -> None:
    table = tmp_path / "lightning.csv"
    table.write_text("step,train_loss,val_loss\n" + "".join(f"{k},{1 / k},{2 / k}\n" for k in range(1, 30)))
    path = report(table)
    assert path == tmp_path / "report.html"
    assert "Loss on seen and unseen problems" in alone(path.read_text()).told


def test_an_empty_record_says_so(run: Path, tmp_path: Path) -> None:
    folder = copied(run, tmp_path / "begun", [])
    found = alone(report(folder).read_text())
    assert "no step is done yet" in found.told
    assert found.named("svg") == []
    with pytest.raises(StoreError, match="no record"):
        report(tmp_path)
    with pytest.raises(InputError, match="got 0"):
        report()
    with pytest.raises(OutputError, match="does not exist"):
        report(folder, output=tmp_path / "nowhere" / "page.html")
    with pytest.raises(OutputError, match="exists already"):
        report(folder, overwrite=False)


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_hostile_names_and_values_are_escaped(run: Path, tmp_path: Path) -> None:
    rows = rows_of(run)
    for row in rows:
        if "look" in row:
            row["look"]["blocks"] = {
                f"net.{HOSTILE}": {"gradient": 1.0, "update": 1e300},
                "net.$x^2$": {"gradient": -1, "update": None},
                "net.\x00\x0b\ud800": {"gradient": "1", "update": [1]},
                "net.--><!--": {"gradient": 1e-300, "update": True},
            }
            row["look"]["units"] = {HOSTILE: {"dead": 0.5, "saturated": 0}, "b": 3}
    rows[3] |= {"loss": 1e308, "gradient": -1e308, HOSTILE: "\ud800"}
    rows[7] |= {"unseen": {"errors": ["a"] * 31, "excess": [None] * 5, "rms": "x", "solution": []}, "psnr": 1e200}
    folder = copied(run, tmp_path / "<b onload=x>&", rows)
    config = json.loads((folder / "config.json").read_text())
    config |= {"task": HOSTILE, HOSTILE: HOSTILE, "long": "x" * 10000}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "images" / "1-last.png").write_bytes(b"no picture")
    found = alone(report(folder).read_text(encoding="utf-8"))
    assert HOSTILE in "".join(found.words)
    assert "<b onload=x>&: training report" in found.told
    assert "$x^2$" in found.words
    assert len([a for a in found.named("div") if a.get("class") == "mindl-slider"]) == 3
    both = alone(report(folder, run, output=tmp_path / "both.html").read_text())
    assert HOSTILE in "".join(both.words)
    wrong = symptom(name=HOSTILE, title=HOSTILE, curve=HOSTILE, causes=(Cause(HOSTILE, HOSTILE),))
    assert HOSTILE in "".join(Page(diagnosis(judged(folder, wrong))).words)


def test_symptoms_have_their_cards(run: Path) -> None:
    slight = symptom(name="collapse", title="Answers are constant.", curve="nothing", confidence=0.5)
    hint = symptom(name="noise", title="Mostly noise.", hint=True)
    found = Page(diagnosis(judged(run, symptom(), slight, hints=(hint,))))
    for words in (
        "Some steps <stand> out.", "spikes, clear", "collapse, slight", "noise, hint",
        "highest over & neighbours 12.5", "a bad image : one image makes most of it", "Look at the batch.",
        "The loss is of another kind there.", "Shaded: steps 4 to 6.", "worth knowing", "overfitting",
        "needs 'unseen.loss'",
    ):  # fmt: skip
        assert words in found.told, words
    assert found.told.index("a bad image") < found.told.index("or not")
    for curve in ("look.blocks", "look.units", "look.alpha", "unseen.solution.moved", "rate"):
        card = Page(diagnosis(judged(run, symptom(curve=curve, name="vanishing gradients"))))
        assert len(card.named("svg")) == 1, curve


@pytest.mark.parametrize(
    ("symptoms", "seen", "mood"),
    [((), True, "good"), ((0.6,), True, "warn"), ((0.6, 0.95), True, "bad"), ((), False, "none")],
)
def test_the_verdict_has_its_colour(run: Path, symptoms: tuple[float, ...], seen: bool, mood: str) -> None:
    subject = judged(run, *(symptom(confidence=c) for c in symptoms), seen=seen)
    assert subject.mood == mood
    assert f'class="verdict {mood}"' in verdict(subject)


def test_the_place_of_a_symptom_is_shaded_where_it_is(run: Path) -> None:
    """The shade's left and right edge, in parts of the axis, are its steps in parts of all."""
    drawing = diagnosis(judged(run, symptom(steps=(4, 6))))
    fill = re.search(r'<path d="([^"]*)"[^>]*style="fill: #d55e00', drawing)
    assert fill is not None
    across = [float(x) for x, _ in re.findall(r"([-.\d]+) ([-.\d]+)", fill[1])]
    clip = re.search(r'<clipPath[^>]*><rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing)
    assert clip is not None
    left, width = float(clip[1]), float(clip[2])
    assert min(across) == pytest.approx(left + width * 4 / 12, abs=0.1)
    assert max(across) == pytest.approx(left + width * 6 / 12, abs=0.1)


def test_a_comparison_tells_where_runs_differ(run: Path, unrolled: Path, tmp_path: Path) -> None:
    output = tmp_path / "both.html"
    assert report(run, unrolled, output=output) == output
    found = alone(output.read_text())
    for words in ("small net", "unrolled", "training.steps", "net.kind", "Verdicts", "Last answers", "proved rms"):
        assert words in found.told, words
    assert "training.seed" not in found.told  # the same in both
    assert f"{rows_of(unrolled)[-1]['psnr']:.2f}" in found.told
    alike = copied(run, tmp_path / "a" / "small net")
    told = alone(report(alike, run, [{"loss": 1.0}], output=output).read_text()).told
    assert "a/small net" in told
    assert len(set(distinct([("r", "x"), ("x",), ("x",)]))) == 3


def test_several_runs_have_a_place_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"loss": 1.0}]
    assert report(rows, rows).resolve() == tmp_path / "comparison.html"
    with pytest.raises(InputError, match="up to 8; got 9"):
        report(*[rows] * 9)


def test_a_long_record_stays_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(2, 12000))
    rows = [
        {"step": k + 1, "loss": math.exp(a) / (k + 1), "gradient": math.exp(b), "worst": 2.0, "rate": 1e-3,
         "seconds": 0.1, "waited": 0.01}
        for k, (a, b) in enumerate(noise.T)
    ]  # fmt: skip
    begun = time.perf_counter()
    text = page(Subject.of(Course(rows)))
    assert time.perf_counter() - begun < 20  # far from the two seconds that it takes: a square law would show
    assert len(text) < 500_000
    curve = Curve(np.arange(1.0, 12001.0), noise[0])
    drawn = thinned(curve)
    assert len(drawn) <= 600
    assert (drawn.values.min(), drawn.values.max()) == (noise[0].min(), noise[0].max())
    assert np.array_equal(curve.values[drawn.steps.astype(int) - 1], drawn.values)


def test_large_pictures_are_cut_and_stay_below_their_limit(run: Path, tmp_path: Path) -> None:
    folder = copied(run, tmp_path / "large")
    noise = np.random.default_rng(0).random((500, 500, 3))
    for i in (1, 2, 3):
        for kind in ("data", "first", "last", "solution"):
            md.images.write(folder / "images" / f"{i}-{kind}.png", md.images.from_numpy(noise))
    shown = pictures(Subject.of(folder))
    assert 100_000 < len(shown) < 2_000_000
    assert "Cut to 192 pixels" in Page(shown).told


def test_figures_leave_the_settings_of_others_alone(run: Path) -> None:
    import matplotlib

    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path"}):
        before = copy.deepcopy(dict(matplotlib.rcParams))
        drawn = learning(Subject.of(run).course)[0]
        assert dict(matplotlib.rcParams) == before
    assert drawn == learning(Subject.of(run).course)[0]


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "record.jsonl").write_text('{"loss": 1.0}\n')
    (run / "config.json").write_text('{"training": {"steps": 1}}')
    options: dict[str, Any] = {"tensorboard": None, "quiet": False, "as_json": False, "overwrite": False}
    assert verb.report([run], None, **options) == 0
    assert verb.report([run], None, **options) == 0  # its own page is made anew
    told = capsys.readouterr()
    assert str(run / "report.html") in told.err
    verdict = Subject.of(run).diagnosis.verdict
    assert verdict in told.out
    assert verb.report([run], tmp_path / "p.html", **options | {"as_json": True}) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["page"], row["verdict"], type(row["healthy"])) == (str(tmp_path / "p.html"), verdict, bool)
    with pytest.raises(OutputError, match="exists already"):
        verb.report([run], tmp_path / "p.html", **options)
    assert verb.report([run, run], tmp_path / "q.html", **options | {"as_json": True}) == 0
    assert [each["verdict"] for each in json.loads(capsys.readouterr().out)["runs"]] == [verdict] * 2
    assert verb.report([run], None, **options | {"quiet": True}) == 0
    assert capsys.readouterr() == ("", "")


def test_without_tensorboard_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for call in (
        lambda: TensorBoard(tmp_path / "events"),
        lambda: tensorboard([{"loss": 1}], tmp_path / "events"),
    ):
        with pytest.raises(InputError, match=r"pip install 'mindl\[track\]'"):
            call()
    assert not (tmp_path / "events").exists()


def read_back(folder: Path) -> Any:
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = module.EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def test_a_record_becomes_events(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for _ in range(2):  # the second takes the place of the first
        assert tensorboard(run, tmp_path / "events") == tmp_path / "events"
    found = read_back(tmp_path / "events")
    rows = rows_of(run)
    for tag, wanted in (
        ("loss", [(row["step"], row["loss"]) for row in rows]),
        ("look/alpha", [(row["step"], row["look"]["alpha"]) for row in rows if row.get("look", {}).get("alpha")]),
        ("unseen/excess/median", [(r["step"], r["unseen"]["excess"][2]) for r in rows if "unseen" in r]),
    ):
        events = found.Scalars(tag)
        assert [(event.step, event.value) for event in events] == [(s, pytest.approx(v)) for s, v in wanted], tag
    assert not any("errors" in tag for tag in found.Tags()["scalars"])
    assert "images/1/last" in found.Tags()["images"]
    assert "diagnosis/text_summary" in found.Tags()["tensors"]
    times = [event.wall_time for event in found.Scalars("loss")]
    assert times[-1] - times[0] == pytest.approx(sum(row["seconds"] for row in rows[1:]), abs=0.01)


def test_a_watch_writes_events_while_the_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    settings = md.learning.Training(steps=3, batch=2, crop=16)
    watch = TensorBoard(tmp_path)
    done = md.fit(net, md.learning.Denoising(), md.data.DeadLeaves(2, size=24), settings, watch=watch)
    events = read_back(tmp_path).Scalars("loss")  # the watch is still open
    assert [event.value for event in events] == [pytest.approx(row["loss"]) for row in done.record]
    watch.skipped("a.png", "it is torn")
    watch.close()
    again = TensorBoard(tmp_path)
    again.stepped({"step": 3, "loss": 7.0, "rms": None, "x": float("inf")}, 3)
    again.close()
    events = read_back(tmp_path).Scalars("loss")
    assert [(event.step, event.value) for event in events][-1] == (3, 7.0)
    assert len(events) == 3
    assert list(scalars({"step": 1, "a": True, "b": "x", "c": math.nan, "d": {"errors": [1], "e": 2}})) == [
        ("d/e", 2.0)
    ]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_without_network_shows_the_page(written: Path, tmp_path: Path) -> None:
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking", "--no-first-run",
        "--enable-logging=stderr", "--dump-dom", written.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    alone("<!doctype html>" + done.stdout.split("<!DOCTYPE html>", 1)[1])
    found = Page(done.stdout.split("<!DOCTYPE html>", 1)[1])
    assert "Update of each block" in found.told
    assert len(found.named("svg")) == len(Page(written.read_text()).named("svg")) > 10
    assert "CONSOLE" not in done.stderr
