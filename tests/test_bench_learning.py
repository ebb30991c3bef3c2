"""The tables on loading and training approaches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import random_image
from test_cli import run

import mindl as md
from mindl.app import loading, training
from mindl.recipes import APPROACHES


def test_loading_is_measured(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With processes left out, which take seconds to begin."""
    for number in range(2):
        md.images.write(tmp_path / f"{number}.png", random_image(1, 1, 70, 70, seed=number))
    seen = []

    def rate(folder: Path, cache: object, workers: int, batches: int) -> float:
        seen.append(workers)
        return measured(folder, cache, 0, batches)

    measured = loading._rate
    monkeypatch.setattr(loading, "_rate", rate)
    monkeypatch.setattr(loading, "REPEATS", 1)
    table = tmp_path / "table.md"
    status, out, _ = run(capsys, "bench", "loading", "--images", tmp_path, "--batches", 4, "-q", "-o", table)
    assert status == 0 and out == table.read_text() and seen == [0, 1, 2] * 3
    assert out.count("| kept in memory |") == 3 and "samples a second (crops of 64 x 64, 16 in a batch)" in out


def test_a_table_of_rates_is_relative_to_what_is_taken() -> None:
    rows = [loading.Row("mapped", 2, 500.0)]
    assert "| mapped | 2 | 500 | 2.5 x |" in loading.page(rows, 200.0)


def test_every_approach_is_in_the_table(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained networks: the answer of one that does nothing is the noisy image."""
    photo = tmp_path / "photo.png"
    md.images.write(photo, md.images.grey(md.images.coffee())[..., :64, :64])
    monkeypatch.setattr(training, "DeadLeaves", lambda count, size: md.data.DeadLeaves(1, size=8))
    monkeypatch.setattr(training, "_trained", lambda recipe, settings, leaves: (recipe.make(), 1.0))
    status, out, _ = run(capsys, "bench", "training", "--images", tmp_path, "--json", "-q", "--steps", 1)
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0 and list(rows) == [approach.name for approach in APPROACHES]
    for approach in APPROACHES:
        assert (rows[approach.name]["minimiser"] is not None) is approach.imitates
    assert rows["gap"]["proved"] is not None and rows["gap"]["proved"] >= rows["gap"]["distance"]
    assert rows["supervised"]["psnr"] == pytest.approx(20.2, abs=0.5)
    assert torch.get_num_threads() == 1  # put back by the fixture of all tests
