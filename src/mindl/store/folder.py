"""A model folder: weights, configuration, card and probe. Nothing in it is code, and nothing altered is used.

model.safetensors    the weights
config.json          what builds the network, its range, the checksum of every other file
README.md            the card: for people
probe.npz            an input and the output that belongs to it
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch import Tensor

from mindl.core.errors import InputError, OutputError, ProbeWarning, StoreError, look_up
from mindl.core.files import write_together
from mindl.core.randomness import generator_for
from mindl.core.records import Row, plain, read_json
from mindl.nets import NETWORKS
from mindl.neural import NEURAL_SOLVERS, READINGS, NeuralSolver, Range, ReadingSolver
from mindl.neural.neural_solver import in_use

FORMAT = 1
WEIGHTS, CONFIG, CARD, PROBE = "model.safetensors", "config.json", "README.md", "probe.npz"
RECORD = "record.jsonl"

SHIPPED = Path(__file__).parent.parent / "weights"
"""The weights that come with mindl, a folder each."""

TOLERANCE = 1e-4
"""Largest difference between a probe's output and what it was when stored, relative to its largest value."""


def save(
    net: NeuralSolver,
    folder: str | os.PathLike[str],
    *,
    card: str | None = None,
    record: list[Row] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a network to a folder from which ``load`` makes it again, on any machine.

    Everything is written beside its place first, so that a full disk leaves the model before as it was.
    ``config.json`` comes last and holds the checksums of the others and its own: a folder that was only half
    replaced is refused by ``load``, never used.

    Args:
        net: a neural solver of this package's kinds (``NEURAL_SOLVERS``, ``READINGS``, ``NETWORKS``).
        folder: made if need be; its parent must exist.
        card: text of ``README.md``; by default a few lines are written.
        record: rows to keep in ``record.jsonl``.
        overwrite: whether a model that is there may be replaced.

    Raises:
        InputError: a network, reading or solver of another kind: only names and numbers are stored, no code;
            weights that are not float32, or not finite.
        OutputError: there is a file already that would be replaced, or the system cannot write.

    >>> import tempfile, mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> with tempfile.TemporaryDirectory() as place:
    ...     again = load(save(net, place + "/tiny"))
    >>> all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters()))
    True
    """
    if not isinstance(net, ReadingSolver):
        raise InputError(
            f"save(net, folder) stores a network that reads a model, such as WitnessHead(...), got {net!r}; the "
            "weights of any network: safetensors.torch.save_file(net.state_dict(), path)."
        )
    target = Path(folder)
    there = [name for name in (CONFIG, WEIGHTS, CARD, PROBE, RECORD) if (target / name).exists()]
    if there and not overwrite:
        what = (
            f"There is a model in {target} already" if CONFIG in there else f"{target} holds a {there[0]} already"
        )
        raise OutputError(f"{what}: overwrite=True replaces it, or name a new folder.")
    described = _described(net)
    for name, tensor in net.state_dict().items():
        if tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
            raise InputError(f"save stores finite float32 weights; {name} is {tensor.dtype}, or NaN or infinite.")
    files = {
        WEIGHTS: pack({k: v.detach().cpu().contiguous() for k, v in net.state_dict().items()}),
        PROBE: _probe(net),
        CARD: (card or default_card(net)).encode(),
    }
    if record is not None:
        files[RECORD] = "".join(f"{json.dumps(plain(row))}\n" for row in record).encode()
    config = {
        "format": FORMAT,
        "name": net.title,
        **described,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    config["checksum"] = _checksum(config)
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {target}: {error.strerror or error}.") from error
    write_together(target, {**files, CONFIG: json.dumps(config, indent=2).encode()}, last=CONFIG)
    if record is None and RECORD in there:
        (target / RECORD).unlink()
    return target


def load(name: str | os.PathLike[str]) -> ReadingSolver:
    """A stored network: a name that ships with mindl (``mindl weights list``), or a model folder.

    Raises:
        UnknownNameError: neither a folder nor a known name.
        StoreError: a file is missing or altered, or was written by a newer version of mindl.

    Warns:
        ProbeWarning: the network answers its stored probe differently than it did when it was stored.

    >>> load("unet-rof")
    unet-rof (UNet, 60,146 parameters)
    """
    folder = find(name)
    config = read_config(folder)
    contents = {file: _checked(folder, file, config) for file in (WEIGHTS, PROBE)}
    net = _built(config, folder)
    tensors = unpack(contents[WEIGHTS])
    wrong = [k for k, v in net.state_dict().items() if k not in tensors or tensors[k].shape != v.shape]
    wrong += [k for k in tensors if k not in net.state_dict()]
    if wrong:
        raise StoreError(f"The weights in {folder} do not fit their own configuration: {', '.join(wrong[:5])}.")
    net.load_state_dict(tensors)
    net.eval()
    difference = _probe_difference(net, contents[PROBE])
    if not difference <= TOLERANCE:
        warnings.warn(
            ProbeWarning(
                f"{net.title} answers its stored probe with a relative difference of {difference:.1e} (above "
                f"{TOLERANCE:.0e}): this version of torch or this machine computes otherwise."
            ),
            stacklevel=2,
        )
    return net


def storable(net: NeuralSolver) -> bool:
    """Whether ``save`` knows the network by name and can store its weights."""
    if not isinstance(net, ReadingSolver):
        return False
    try:
        _described(net)
    except InputError:
        return False
    return all(tensor.dtype == torch.float32 for tensor in net.state_dict().values())


def find(name: str | os.PathLike[str]) -> Path:
    """The folder of a stored network: a string without a separator that ships with mindl, or a folder's path.

    Raises:
        UnknownNameError: neither a folder nor a known name.
        StoreError: no such folder.
    """
    if not isinstance(name, (str, os.PathLike)) or not str(name):
        raise InputError(f"A stored network is a name or a folder, got {name!r}.")
    if isinstance(name, str) and name in shipped():
        return shipped()[name]
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise StoreError(f"{folder} is a file: name the folder that holds it.")
    if os.sep in str(name) or isinstance(name, Path):
        raise StoreError(f"There is no model folder {folder}.")
    return look_up(shipped(), str(name), "stored network (nor is it a folder)")


def shipped() -> dict[str, Path]:
    """The folders of the weights that come with mindl, by name."""
    return {path.parent.name: path.parent for path in sorted(SHIPPED.glob(f"*/{CONFIG}"))}


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a model folder.

    Raises:
        StoreError: missing, unreadable, or of a newer version.
    """
    config = read_json(folder / CONFIG)
    if "training" in config and (folder / "checkpoint").is_dir():
        raise StoreError(
            f"{folder} is a training run: its network is in {folder / 'model'} when it is finished, and made of "
            "parts that mindl knows."
        )
    if not isinstance(config.get("format"), int):
        raise StoreError(f"{folder / CONFIG} has no format number: it is no configuration of a stored network.")
    if config["format"] > FORMAT:
        raise StoreError(f"{folder / CONFIG} was written by a newer version of mindl: update mindl to use it.")
    if config.get("checksum") != _checksum(config):
        raise StoreError(
            f"{folder / CONFIG} was altered since it was stored (its checksum differs): it is not used."
        )
    return config


def check(folder: Path) -> float:
    """See that every file of a model folder is as it was written; the relative difference of its probe.

    Raises:
        StoreError: a file is missing or altered.
    """
    config = read_config(folder)
    for file in {WEIGHTS, PROBE, CARD} | set(config.get("sha256") or {}):
        _checked(folder, file, config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProbeWarning)
        net = load(folder)
    return _probe_difference(net, (folder / PROBE).read_bytes())


def default_card(net: NeuralSolver) -> str:
    """A few lines on what a network is."""
    trained = "not recorded" if net.trained is None else net.trained.about
    count = sum(parameter.numel() for parameter in net.parameters())
    return (
        f"# {net.title}\n\n{type(net).__name__} with {net.about}, {count:,} parameters, "
        f"{net.channels or 'any number of'} channel{'' if net.channels == 1 else 's'}.\n\n"
        f"Trained for: {trained}.\n\n"
        'Use: `net = mindl.load("FOLDER")`, then `mindl.answer(model, net)`, with `finish=` a solver to go on.\n'
    )


def _checksum(config: dict[str, Any]) -> str:
    """A hash of a configuration, its own checksum left out."""
    rest = {key: value for key, value in config.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_card(folder: Path) -> str:
    """The card of a model folder.

    Raises:
        StoreError: it is missing or altered.
    """
    return _checked(folder, CARD, read_config(folder)).decode()


def _described(net: ReadingSolver) -> dict[str, Any]:
    """Names and arguments that build the network."""
    network = net.network
    kinds = (
        (type(net), NEURAL_SOLVERS, "neural solver"),
        (type(net.reading), READINGS, "reading"),
        (type(network), NETWORKS, "network"),
    )
    for kind, table, what in kinds:
        if kind not in table.values():
            raise InputError(
                f"save stores names and numbers, no code, and does not know the {what} {kind.__name__}; it knows "
                f"{', '.join(table)}. Store your own by safetensors.torch.save_file(net.state_dict(), path)."
            )
    return {
        "solver": type(net).__name__,
        "reading": type(net.reading).__name__,
        "channels": net.channels,
        "network": {"kind": type(network).__name__, **cast(Any, network).config},
        "trained": None if net.trained is None else net.trained.config,
    }


def _built(config: dict[str, Any], folder: Path) -> ReadingSolver:
    """The network that a configuration describes, with fresh weights."""
    try:
        arguments = dict(config["network"])
        network = look_up(NETWORKS, arguments.pop("kind"), "network")(**arguments)
        reading = look_up(READINGS, config["reading"], "reading")()
        kind = look_up(NEURAL_SOLVERS, config["solver"], "neural solver")
        net = kind(network, reading, channels=config["channels"], title=config["name"])
        net.trained = None if config["trained"] is None else Range.of(config["trained"])
    except (KeyError, TypeError, ValueError, AttributeError, LookupError, RuntimeError) as error:
        raise StoreError(f"{folder / CONFIG} does not describe a network that mindl knows: {error}.") from error
    return net


def _checked(folder: Path, name: str, config: dict[str, Any]) -> bytes:
    """A file's content, once it is known to be what was written."""
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{folder / name} is missing: the model folder is incomplete.") from None
    except OSError as error:
        raise StoreError(f"{folder / name} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(content).hexdigest() != dict(config.get("sha256") or {}).get(name):
        consequence = "" if name == CARD else ": it is not used"
        raise StoreError(f"{folder / name} was altered since it was stored (its SHA-256 differs){consequence}.")
    return content


def _probe(net: ReadingSolver) -> bytes:
    """A random input of odd size, and the network's output."""
    values = torch.randn(2, net.channels * net.reading.features, 13, 17, generator=generator_for(0))
    buffer = io.BytesIO()
    output = _output(copy.deepcopy(net).cpu(), values)
    if not bool(torch.isfinite(output).all()):
        raise InputError(f"{net.title} answers NaN or infinity: its weights are broken, and are not stored.")
    np.savez(buffer, input=values.numpy(), output=output.numpy())
    return buffer.getvalue()


def _output(net: ReadingSolver, values: Tensor) -> Tensor:
    with in_use(net):
        output: Tensor = net.network(values)
    return output.contiguous()


def _probe_difference(net: ReadingSolver, content: bytes) -> float:
    with np.load(io.BytesIO(content), allow_pickle=False) as probe:
        values, wanted = torch.from_numpy(probe["input"]), torch.from_numpy(probe["output"])
    return float((_output(net, values) - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30))
