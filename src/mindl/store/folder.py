"""A model folder: weights, configuration, card and probe. Nothing in it is code, and nothing altered is used.

model.safetensors    the weights
config.json          what builds the network, its range, the checksum of every other file
README.md            the card: for people
probe.npz            an input and the output that belongs to it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch import nn

from mindl.core import arguments
from mindl.core.arguments import kind
from mindl.core.errors import InputError, OutputError, ProbeWarning, StoreError, look_up
from mindl.core.files import write_together
from mindl.core.records import Row, plain, read_json
from mindl.neural import NeuralSolver, Range, RidgeRegulariser
from mindl.store import probe
from mindl.store.card import default_card, with_header, without_header
from mindl.store.parts import built, described

FORMAT = 2
WEIGHTS, CONFIG, CARD, PROBE = "model.safetensors", "config.json", "README.md", "probe.npz"
RECORD = "record.jsonl"

SHIPPED = Path(__file__).parent.parent / "weights"
"""The weights that come with mindl, a folder each."""

TOLERANCE = 1e-4
"""Largest difference between a probe's output and what it was when stored, relative to its largest value."""


def save(
    net: NeuralSolver | RidgeRegulariser,
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
        net: a neural solver, or a regulariser, made of parts that this package knows
            (``mindl.store.STORABLE``).
        folder: made if need be; its parent must exist.
        card: text of ``README.md``; by default a few lines are written. What model hubs read, a header of library
            and task, is put before it.
        record: rows to keep in ``record.jsonl``.
        overwrite: whether a model that is there may be replaced.

    Raises:
        InputError: a part of another kind: only names and numbers are stored, no code; weights that are NaN or
            infinite.
        OutputError: there is a file already that would be replaced, or the system cannot write.

    >>> import tempfile, mindl as md
    >>> net = md.neural.WitnessHead(md.nets.UNet(1, 2, widths=(4, 4)), md.neural.InUnitsOfWeight())
    >>> with tempfile.TemporaryDirectory() as place:
    ...     again = load(save(net, place + "/tiny"))
    >>> all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters()))
    True
    """
    if not isinstance(net, NeuralSolver | RidgeRegulariser):
        raise InputError(
            f"save(net, folder) stores a neural solver such as Direct(network, Start()), got a "
            f"{type(net).__name__}; weights of any network: safetensors.torch.save_file(net.state_dict(), path)."
        )
    target = arguments.path(folder, "save(folder)")
    kind(card, str | None, "save(card)", "the text of the card")
    kind(record, list | None, "save(record)", "a list of rows")
    if isinstance(folder, str) and folder in shipped():
        raise InputError(
            f"md.load({folder!r}) means the network that comes with mindl: name another folder, or './{folder}'."
        )
    there = [name for name in (CONFIG, WEIGHTS, CARD, PROBE, RECORD) if (target / name).exists()]
    if there and not overwrite:
        what = (
            f"There is a model in {target} already" if CONFIG in there else f"{target} holds a {there[0]} already"
        )
        raise OutputError(f"{what}: overwrite=True replaces it, or name a new folder.")
    description = described(net)
    for name, tensor in net.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"save stores finite weights; {name} holds NaN or infinity.")
    question = probe.question_for(net)
    files = {
        WEIGHTS: pack({k: v.detach().cpu().contiguous().clone() for k, v in net.state_dict().items()}),
        PROBE: probe.make(net, question),
        CARD: with_header(card or default_card(net)).encode(),
    }
    if record is not None:
        files[RECORD] = "".join(f"{json.dumps(plain(row))}\n" for row in record).encode()
    solver = net if isinstance(net, NeuralSolver) else None
    config = {
        "format": FORMAT,
        "name": type(net).__name__ if solver is None else solver.title,
        "net": description,
        "channels": None if solver is None else solver.channels,
        "trained": None if solver is None or solver.trained is None else solver.trained.config,
        "probe": question.name,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    config["checksum"] = _checksum(config)
    new = not target.exists()
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {target}: {error.strerror or error}.") from error
    try:
        write_together(target, {**files, CONFIG: json.dumps(config, indent=2).encode()}, last=CONFIG)
    except OutputError:
        if new:
            with contextlib.suppress(OSError):
                target.rmdir()
        raise
    if record is None and RECORD in there:
        (target / RECORD).unlink()
    return target


def load(name: str | os.PathLike[str]) -> NeuralSolver:
    """A stored network: a name that ships with mindl (``mindl weights list``), or a model folder.

    Raises:
        UnknownNameError: neither a folder nor a known name.
        StoreError: a file is missing or altered, or was written by a newer version of mindl.

    Warns:
        ProbeWarning: the network answers its stored probe differently than it did when it was stored.

    >>> load("unet-rof")
    unet-rof (UNet, then PrimalDual, 4 steps, 142,398 parameters)
    """
    net = _loaded(find(name))
    if not isinstance(net, NeuralSolver):
        raise StoreError(f"{name} holds a {type(net).__name__}: mindl.store.load_regulariser makes it again.")
    return net


def load_regulariser(folder: str | os.PathLike[str]) -> RidgeRegulariser:
    """A stored regulariser; called with data, it makes a model.

    Raises:
        StoreError: as for ``load``, or the folder holds a network.

    Warns:
        ProbeWarning: as for ``load``.

    >>> import tempfile, mindl as md
    >>> with tempfile.TemporaryDirectory() as place:
    ...     found = load_regulariser(save(md.neural.RidgeRegulariser(4, 3), place + "/ridge"))
    >>> found(torch.zeros(1, 1, 8, 8)).title
    'ridge_energy'
    """
    net = _loaded(find(folder))
    if not isinstance(net, RidgeRegulariser):
        raise StoreError(f"{folder} holds a network, no regulariser: mindl.load makes it again.")
    return net


def _loaded(folder: Path) -> nn.Module:
    """The stored module, in use rather than in training, once all is as it was written."""
    config = read_config(folder)
    contents = {file: _checked(folder, file, config) for file in (WEIGHTS, PROBE)}
    net = _built(config, folder)
    tensors, own = unpack(contents[WEIGHTS]), net.state_dict()
    wrong = [k for k, v in own.items() if k not in tensors or tensors[k].shape != v.shape]
    wrong += [k for k in tensors if k not in own]
    if wrong:
        raise StoreError(f"The weights in {folder} do not fit their own configuration: {', '.join(wrong[:5])}.")
    types = {v.dtype for v in tensors.values() if v.is_floating_point()}
    net.to(types.pop() if len(types) == 1 else torch.float32).load_state_dict(tensors)
    net.eval()
    found = probe.difference(net, config["probe"], contents[PROBE])
    if not found <= TOLERANCE:
        warnings.warn(
            ProbeWarning(
                f"{config['name']} answers its stored probe with a relative difference of {found:.1e} (above "
                f"{TOLERANCE:.0e}): this version of torch or this machine computes otherwise."
            ),
            stacklevel=3,
        )
    return net


def storable(net: nn.Module) -> bool:
    """Whether ``save`` knows all parts of the network, and a model to ask it."""
    try:
        described(net)
        probe.question_for(net)
    except InputError:
        return False
    return True


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a model folder by name, checked but not built into a network.

    Raises:
        StoreError: a file is missing or altered.
    """
    return unpack(_checked(folder, WEIGHTS, read_config(folder)))


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
    return _of_today(config)


def _of_today(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration of format 1, which knew only networks that read, as one of today."""
    if config["format"] == FORMAT:
        return config
    try:
        net = {"kind": config["solver"], "network": config["network"], "channels": config["channels"]}
        net |= {"reading": {"kind": config["reading"]}, "title": config["name"]}
    except KeyError:
        return config  # what is missing is said where it is needed
    kept = {k: v for k, v in config.items() if k not in ("solver", "reading", "network")}
    return {**kept, "net": net, "probe": probe.INSIDE}


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
        net = _loaded(folder)
    return probe.difference(net, config["probe"], (folder / PROBE).read_bytes())


def _checksum(config: dict[str, Any]) -> str:
    """A hash of a configuration, its own checksum left out."""
    rest = {key: value for key, value in config.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_card(folder: Path) -> str:
    """The card of a model folder, without its header for model hubs.

    Raises:
        StoreError: it is missing or altered.
    """
    return without_header(_checked(folder, CARD, read_config(folder)).decode())


def _built(config: dict[str, Any], folder: Path) -> nn.Module:
    """The network that a configuration describes, with fresh weights."""
    try:
        net = built(config["net"])
        if not isinstance(net, NeuralSolver | RidgeRegulariser):
            raise TypeError(f"{net!r} is neither a neural solver nor a regulariser")
        if isinstance(net, NeuralSolver):
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
