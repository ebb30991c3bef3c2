"""The verbs about runs, and what is seen on the terminal while one goes on."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console
from test_cli import run
from test_diagnosis import grows, healthy, write

from mindl.app import diagnose as verb
from mindl.app.live import BARS, PLAIN, Live, curves, sparkline
from mindl.app.train import TrainingProgress


def shown(thing: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(thing)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_diagnose_tells_and_its_status_says_whether(capsys, tmp_path: Path) -> None:
    status, out, err = run(capsys, "diagnose", write(tmp_path / "good", healthy()))
    assert (status, err) == (0, "") and out.startswith("Healthy: none of 26 symptoms.")
    sick = healthy()
    grows(sick)
    folder = write(tmp_path / "sick", sick)
    status, out, err = run(capsys, "diagnose", folder)
    assert status == 1 and "diverging: The loss leaves all bounds." in out and "disproof" in out
    status, out, err = run(capsys, "diagnose", folder / "record.jsonl", "--json")
    found = json.loads(out)
    assert status == 1 and not found["healthy"] and found["symptoms"][0]["causes"][0]["name"]
    status, out, err = run(capsys, "diagnose", tmp_path / "nowhere")
    assert status == 2 and "no folder of a run, and no record" in err and "Traceback" not in err


def test_report_writes_beside_the_run_and_compares(capsys, tmp_path: Path) -> None:
    folder = write(tmp_path / "good", healthy())
    status, out, err = run(capsys, "report", folder)
    assert status == 0 and "Healthy" in out and (folder / "report.html").exists() and "report.html" in err
    other = write(tmp_path / "other", healthy(seed=1))
    page = tmp_path / "both.html"
    status, out, err = run(capsys, "report", folder, other, "-o", page, "--json")
    assert status == 0 and json.loads(out)["page"] == str(page) and len(json.loads(out)["runs"]) == 2
    status, out, err = run(capsys, "report", folder, other, "-o", page)
    assert status == 2 and "exists already" in err


def test_a_run_is_followed_until_it_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(verb, "PAUSE", 0.01)
    course = healthy()
    folder = write(tmp_path / "run", course)
    lines = (folder / "record.jsonl").read_text().splitlines(keepends=True)
    (folder / "record.jsonl").unlink()

    def go_on() -> None:
        for part in range(0, len(lines), 80):
            with (folder / "record.jsonl").open("a") as file:
                file.write("".join(lines[part : part + 80]))
            time.sleep(0.05)

    thread = threading.Thread(target=go_on)
    thread.start()
    status, out, _ = run(capsys, "diagnose", folder, "--follow")
    thread.join()
    assert status == 0 and out.startswith("Healthy")


def test_a_run_that_has_stopped_is_not_followed_for_ever(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(verb, "PAUSE", 0.01)
    monkeypatch.setattr(verb, "PATIENCE", 0.05)
    course = healthy()
    folder = write(tmp_path / "run", course)
    lines = (folder / "record.jsonl").read_text().splitlines(keepends=True)
    (folder / "record.jsonl").write_text("".join(lines[:100]))
    assert run(capsys, "diagnose", folder, "--follow")[0] == 0


def test_what_cannot_be_followed_is_refused(tmp_path: Path, capsys) -> None:
    folder = write(tmp_path / "run", healthy())
    for words, message in (((folder, "--json"), "choose one"), ((tmp_path,), "no folder of a run")):
        status, out, err = run(capsys, "diagnose", *words, "--follow")
        assert status == 2 and message in err and not out


def test_a_page_that_is_not_of_a_run_is_kept(tmp_path: Path, capsys) -> None:
    (tmp_path / "log.csv").write_text("step,loss\n" + "".join(f"{k},{1 / k}\n" for k in range(1, 50)))
    (tmp_path / "report.html").write_text("mine")
    status, _, err = run(capsys, "report", tmp_path / "log.csv")
    assert status == 2 and "exists already" in err and (tmp_path / "report.html").read_text() == "mine"
    status, _, err = run(capsys, "report", tmp_path / "log.csv", "--overwrite")
    assert status == 0 and "only" not in err


def test_curves_are_drawn_by_their_medians() -> None:
    rising = sparkline(list(range(80)), columns=8)
    assert rising in (BARS, PLAIN)
    assert sparkline([10.0**k for k in range(8)], logarithmic=True, columns=8) == rising
    assert set(sparkline([3.0, 3.0, float("nan")])) == {rising[0]} and sparkline([]) == ""
    text = shown(curves(healthy()))
    assert "loss" in text and "energy excess" in text and "dB" in text and "nan" not in text


def test_what_is_wrong_is_said_while_the_run_goes_on() -> None:
    sick = healthy()
    grows(sick)
    live = Live()
    assert "!" not in shown(live.view(sick.rows[:40], sick.config))
    assert "! diverging: The loss leaves all bounds. Learning rate too high?" in shown(
        live.view(sick.rows, sick.config)
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_has_the_curves_under_it(terminal: bool, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    course = healthy()
    with TrainingProgress("some-recipe", quiet=False, config=course.config, rows=course.rows[:50]) as progress:
        for row in course.rows[50:]:
            progress.stepped({**row, "rms": 2.0}, 240)
    err = capsys.readouterr().err
    assert ("energy excess" in err) and ("step 240 of 240" in err) != terminal
    assert ("step on the parabola" in err) == terminal
