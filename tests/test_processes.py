"""Several processes that train together do what one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mindl as md
from mindl.core.errors import InputError
from mindl.data import DeadLeaves
from mindl.learning import SGD, Constant, Denoising, EnergyLoss, Stream, Training, Validation, fit
from mindl.neural import Direct, Start


def stream(share: tuple[int, int], workers_of: int = 6) -> Stream:
    return Stream(
        DeadLeaves(3, size=16), Denoising(), batch=workers_of, crop=8, crops_per_image=5, seed=7, share=share
    )


@pytest.mark.parametrize("count", [2, 3, 6])
def test_shares_one_after_the_other_are_the_batch(count: int) -> None:
    whole = stream((0, 1))
    shares = [stream((which, count)) for which in range(count)]
    for number in (0, 1, 4):
        parts = [share.batch(number).problems for share in shares]
        batch = whole.batch(number).problems
        assert all(torch.equal(torch.cat([part[name] for part in parts]), batch[name]) for name in batch)
        assert [share.place(number) for share in shares] == [whole.place(number)] * count


def test_shares_made_by_workers_are_the_same() -> None:
    """The second of two processes, with two workers, from the middle of an epoch on."""
    for number, part in zip(range(3, 6), stream((1, 2)).batches(3, 6, 2), strict=True):
        batch = stream((0, 1)).batch(number).problems
        assert all(torch.equal(part.problems[name], batch[name][3:]) for name in batch)


def test_a_batch_that_cannot_be_shared_evenly() -> None:
    with pytest.raises(InputError, match="cannot be shared by 4 processes"):
        stream((0, 4))


class Counted(Denoising):
    """Remembers how many problems were posed at a time."""

    sizes: list[int] = []

    def model(self, problems):
        self.sizes.append(len(problems["data"]))
        return super().model(problems)


SCRIPT = """
import json, os, sys
import torch
sys.path.insert(0, {tests!r})
from test_processes import prepared
import mindl as md

class Told:
    def stepped(self, row, steps):
        if os.environ["RANK"] == "1" and row["step"] == 1:
            print("second process:", row["loss"], task.sizes, flush=True)
    def skipped(self, name, why): pass

if __name__ == "__main__":
    torch.set_num_threads(1)
    net, task, images, settings, examine = prepared()
    if os.environ["RANK"] == "1":  # begins otherwise, and is given the weights of the first
        torch.nn.init.zeros_(next(net.parameters()))
    run = md.fit(net, task, images, settings, validation=examine, folder=sys.argv[1], watch=Told())
    torch.save({{k: v for k, v in net.state_dict().items()}}, sys.argv[1] + "-" + os.environ["RANK"] + ".pt")
"""


def prepared() -> tuple:
    net = Direct(md.nets.PlainCNN(1, 1, width=4, depth=3), Start())
    # The two halves of the batches differ much: an almost constant picture is among them.
    images = md.data.Together(DeadLeaves(2, size=16), md.data.Images(torch.full((2, 1, 16, 16), 0.5)))
    settings = Training(
        steps=4,
        batch=4,
        crop=12,
        loss=EnergyLoss(),
        optimiser=SGD(rate=0.05),
        schedule=Constant(),
        average=0.5,
        check_every=2,
    )
    task = Counted(noise=(0.0002, 0.0002))  # the constant ones have less than a hundredth of the energy
    return net, task, images, settings, Validation(Denoising(), DeadLeaves(1, size=16, seed=90), count=1, crop=12)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of torch has no processes")
def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    """Under torchrun; EnergyLoss divides by a mean over the batch, which is that of both."""
    script, folder = tmp_path / "train.py", tmp_path / "both"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    net, task, images, settings, examine = prepared()
    alone = fit(net, task, images, settings, validation=examine)
    rows = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    for one, both in zip(alone.record, rows, strict=True):
        assert both["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert both["gradient"] == pytest.approx(one["gradient"], rel=1e-4)
        assert both.keys() == one.keys()
        if "look" in one:  # each process knows the gradient of its share only
            assert one["look"].keys() - both["look"].keys() == {"fresh"}
        assert both.get("psnr", 0) == pytest.approx(one.get("psnr", 0), rel=1e-4)
    first, second = (torch.load(f"{folder}-{which}.pt", weights_only=True) for which in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    for name, weight in net.state_dict().items():
        assert torch.allclose(first[name], weight, atol=1e-6), name
    assert json.loads((folder / "config.json").read_text())["processes"] == 2
    assert (
        f"second process: {rows[0]['loss']} [2, 2, 2]" in done.stdout
    )  # rehearsed, posed, learned from: no looks
    assert not (tmp_path / "both-2.pt").exists() and md.load(folder / "model") is not None
