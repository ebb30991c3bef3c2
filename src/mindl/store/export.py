"""A trained network leaves mindl: one file that holds the whole way from a model's data to the answer."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import inspect
import io
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save as pack
from torch import Tensor, nn

from mindl.core import arguments
from mindl.core.errors import InputError, MindlError, StoreError
from mindl.core.files import check_target, write_whole
from mindl.core.randomness import generator_for
from mindl.models import Model
from mindl.neural import Equilibrium, Minimised, NeuralSolver, Pyramid
from mindl.neural.neural_solver import in_use

SIZES = ((1, 9, 14), (3, 20, 11), (1, 31, 37))
"""Batch, height and width of the problems on which a file is compared with its network."""

TOLERANCE = 1e-4
"""Largest difference between a file's answer and the network's, relative to the largest value."""

RECORD = "mindl.json"
"""Where a .pt2 file says what it is; an .onnx file has ``metadata_props``."""

PACKAGES = ("onnx", "onnxscript", "onnxruntime")

UNFIT = {
    Equilibrium: "it goes on until the image no longer moves, and a program has a fixed number of steps",
    Minimised: "it goes on until the image is near enough, and a program has a fixed number of steps",
    Pyramid: "how many grids it has depends on the size of the image, and a program serves all sizes",
}

AXES = {
    "data": {0: "batch", 2: "height", 3: "width"},
    "weight": {0: "batch"},
    "mask": {0: "batch", 2: "height", 3: "width"},
}
"""What a program may be given, and which axes may have any length."""

Problem = dict[str, Tensor]
Program = Callable[[Problem], list[Tensor]]


@dataclass(frozen=True)
class Exported:
    """A file that answers without mindl.

    Attributes:
        path: the file.
        inputs: names of what it takes.
        outputs: names of what it answers: the image, and the dual field where the network gives one.
        difference: the largest absolute difference to the network's own answers, on random problems.
    """

    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float

    def __repr__(self) -> str:
        names = f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        return f"{self.path}: {names}; largest difference {self.difference:.1e} on {len(SIZES)} problems"


def export(
    net: NeuralSolver,
    path: str | os.PathLike[str],
    model_of: Callable[..., Model],
    *,
    channels: int | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a network, with all that a model does before and after it, to a file that runs without mindl.

    The suffix decides: ``.onnx`` runs without PyTorch (ONNX Runtime), ``.pt2`` is a program of ``torch.export``.
    Both take and answer float32 arrays, for any batch, height and width (a .pt2 program whose network has coarser
    grids, or wide filters, refuses images of a few pixels):

    ==========  ===================================  =====================================================
    ``data``    (batch, channel, height, width)      what ``model_of`` takes
    ``weight``  (batch, 1, 1, 1)                     of a denoising model
    ``mask``    (batch, 1, height, width), boolean   of an inpainting model
    ``image``   (batch, channel, height, width)      the answer
    ``dual``    (batch, channel, component, h, w)    the dual field, where the network gives one
    ==========  ===================================  =====================================================

    Values are not checked in there: a weight must be positive, and every channel of a mask have a known pixel.
    Before anything is written, the file is compared with the network on problems of other sizes.

    Args:
        net: any neural solver whose steps are the same for all images: a network in ``WitnessHead`` or ``Direct``,
            an ``Unrolled`` solver without searches, ``MultigridNet``.
        path: ends in ``.onnx`` or ``.pt2``.
        model_of: makes the model of the arguments ``data`` and, where it needs them, ``weight`` and ``mask``;
            ``functools.partial(rof, weight=0.1)`` keeps the weight fixed.
        channels: of the image; by default the network's own, or 1 where it serves any number.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: another suffix, a network whose steps depend on values or sizes, a function of other arguments,
            or packages that are missing (``pip install "mindl[export]"``).
        StoreError: the file's answers differ from the network's by more than ``TOLERANCE``.
        OutputError: there is a file already, or the system cannot write.

    >>> import mindl as md                                                         # doctest: +SKIP
    >>> export(md.load("unet-rof"), "unet-rof.onnx", md.models.rof)                # doctest: +SKIP
    unet-rof.onnx: data, weight -> image, dual; largest difference 4.2e-07 on 3 problems
    >>> import numpy as np, onnxruntime                                            # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("unet-rof.onnx")                    # doctest: +SKIP
    >>> noisy, weight = np.random.rand(1, 1, 60, 80), np.full((1, 1, 1, 1), 0.08)  # doctest: +SKIP
    >>> given = {"data": noisy.astype("float32"), "weight": weight.astype("float32")}  # doctest: +SKIP
    >>> image, dual = session.run(None, given)                                     # doctest: +SKIP
    """
    names = _inputs(net, model_of)
    target = arguments.path(path, "export(path)")
    if channels is not None:
        arguments.whole(channels, 1, "export(channels)")
    if target.suffix not in _FORMATS:
        raise InputError(f"export writes files that end in {' or '.join(_FORMATS)}, got {target.name!r}.")
    check_target(target, overwrite=overwrite)
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if target.suffix == ".onnx" and missing:
        raise InputError(f'Files for ONNX need {", ".join(missing)}: pip install "mindl[export]" adds that.')
    net = copy.deepcopy(net).cpu()
    draw = partial(_problem, net, names, channels or net.channels or 1)
    whole = _Whole(net, model_of)
    with in_use(net):
        wanted = [whole(**draw(i, *size)) for i, size in enumerate(SIZES)]
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)  # .pt2 files take no other
        outputs = ("image", "dual")[: len(wanted[0])]
        write, read = _FORMATS[target.suffix]
        about = _about(net, draw(0, *SIZES[0]), model_of)
        with _silence():
            with _explained(net, target.suffix):
                content = write(_program(whole, draw(len(SIZES), 2, 67, 83)), names, outputs, about)
            run = read(content)
            found = [_answers(net, run, draw(i, *size)) for i, size in enumerate(SIZES)]
    difference = _compared(net, found, wanted)
    return Exported(write_whole(target, content, overwrite=overwrite), names, outputs, difference)


class _Whole(nn.Module):
    """From a model's data to the tensors of the answer."""

    def __init__(self, net: NeuralSolver, model_of: Callable[..., Model]) -> None:
        super().__init__()
        self.net, self.model_of = net, model_of

    def forward(
        self, data: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The image, and the dual field where there is one."""
        given = {"data": data, "weight": weight, "mask": mask}
        answer = self.net(self.model_of(**{name: value for name, value in given.items() if value is not None}))
        return (answer.image,) if answer.dual is None else (answer.image, answer.dual)


def _inputs(net: NeuralSolver, model_of: Callable[..., Model]) -> tuple[str, ...]:
    """What a program of the network takes."""
    if not isinstance(net, NeuralSolver):
        raise InputError(
            f"export(net) needs a neural solver such as WitnessHead(...), got {type(net).__name__}; for a plain "
            "network there are torch.export and torch.onnx."
        )
    for kind, reason in UNFIT.items():
        if any(isinstance(part, kind) for part in net.modules()):
            raise InputError(f"{net.title} cannot be exported: {reason}.")
    parameters = inspect.signature(model_of).parameters.values() if callable(model_of) else ()
    needed = [p.name for p in parameters if p.default is p.empty]
    if "data" not in needed or not set(needed) <= set(AXES):
        raise InputError(
            "export(model_of) needs a function of data, and weight or mask where the model has them, such as "
            f"mindl.models.rof; got {model_of!r}."
        )
    return tuple(needed)


def _problem(
    net: NeuralSolver, names: tuple[str, ...], channels: int, seed: int, batch: int, height: int, width: int
) -> Problem:
    """A random problem, as the network was trained for where that is known."""
    draws = generator_for(seed)
    low, high = (net.trained and net.trained.weight) or (0.05, 0.15)
    share = net.trained.known[1] if net.trained and net.trained.known else 0.2
    known = torch.rand(batch, 1, height, width, generator=draws) < share
    known[:, :, :: height - 1, :: width - 1] = True  # the corners: enough for every inpainting model
    given = {
        "data": torch.rand(batch, channels, height, width, generator=draws),
        "weight": low + (high - low) * torch.rand(batch, 1, 1, 1, generator=draws),
        "mask": known,
    }
    return {name: given[name] for name in names}


def _program(whole: _Whole, example: Problem) -> torch.export.ExportedProgram:
    """The network as a program for all sizes.

    The example has two large images of odd size: an axis of length 1, on any grid, would be taken for a constant.
    """
    shapes = {name: dict.fromkeys(AXES[name], torch.export.Dim.DYNAMIC) for name in example}
    return torch.export.export(whole, (), kwargs=example, dynamic_shapes=shapes, strict=False)


@contextlib.contextmanager
def _explained(net: NeuralSolver, suffix: str) -> Iterator[None]:
    """What the exporters raise, which have no common class of errors, in a sentence."""
    try:
        yield
    except MindlError:
        raise
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"{net.title} ({net.about}) cannot be exported to {suffix}: its steps depend on the values or on the "
            f"size of an image, or {suffix} lacks one of them ({reason})."
        ) from error


def _answers(net: NeuralSolver, run: Program, problem: Problem) -> list[Tensor]:
    try:
        return run(problem)
    except Exception as error:  # the runtimes have no common class of errors
        size = " x ".join(str(n) for n in problem["data"].shape)
        raise StoreError(
            f"The program of {net.title} fails on an image {size}, so that nothing was written: {error}"
        ) from error


def _compared(net: NeuralSolver, found: list[list[Tensor]], wanted: list[tuple[Tensor, ...]]) -> float:
    """The largest absolute difference, once it is small."""
    largest = 0.0
    for a, b in (pair for pairs in zip(found, wanted, strict=True) for pair in zip(*pairs, strict=True)):
        difference = _difference(a, b)
        if not difference <= TOLERANCE * float(b.abs().max()):
            raise StoreError(
                f"The program of {net.title} differs from the network by {difference:.1e} on an image "
                f"{' x '.join(str(n) for n in b.shape)}, so that nothing was written."
            )
        largest = max(largest, difference)
    return largest


def _difference(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max()) if found.shape == wanted.shape else float("inf")


def _about(net: NeuralSolver, problem: Problem, model_of: Callable[..., Model]) -> dict[str, str]:
    """What a file says of itself. The checksum is that of the ``model.safetensors`` of the same weights."""
    weights = pack({k: v.detach().contiguous() for k, v in net.state_dict().items()})
    return {
        "producer": "mindl",
        "version": version("mindl"),
        "network": net.title,
        "model": model_of(**problem).title,
        "trained": "not recorded" if net.trained is None else net.trained.about,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }


def _write_pt2(
    program: torch.export.ExportedProgram, names: tuple[str, ...], outputs: tuple[str, ...], about: dict[str, str]
) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={RECORD: json.dumps(about, indent=2)})
    return buffer.getvalue()


def _read_pt2(content: bytes) -> Program:
    module = torch.export.load(io.BytesIO(content)).module()
    return lambda problem: list(module(**problem))


def _write_onnx(
    program: torch.export.ExportedProgram, names: tuple[str, ...], outputs: tuple[str, ...], about: dict[str, str]
) -> bytes:
    made = torch.onnx.export(program, dynamo=True, input_names=names, output_names=outputs, verbose=False)
    proto = cast(Any, made).model_proto
    proto.producer_name, proto.producer_version = about["producer"], about["version"]
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=value)
    graph = proto.graph
    for node in graph.node:
        del node.metadata_props[:]  # where in this machine's files it came from
    axes = {}
    for given in graph.input:
        for axis, name in AXES[given.name].items():
            axes[given.type.tensor_type.shape.dim[axis].dim_param] = name
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = re.sub(r"\w+", lambda m: axes.get(m[0], m[0]), dimension.dim_param)
    return cast(bytes, proto.SerializeToString())


def _read_onnx(content: bytes) -> Program:
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(problem: Problem) -> list[Tensor]:
        given = {name: tensor.numpy() for name, tensor in problem.items()}
        return [torch.from_numpy(array) for array in session.run(None, given)]

    return run


_FORMATS = {".pt2": (_write_pt2, _read_pt2), ".onnx": (_write_onnx, _read_onnx)}

_CHATTER = (
    "torch.onnx._internal.exporter._registration",  # torchvision is not installed
    "torch.fx.experimental.symbolic_shapes",  # what could not be exported, which the error says
)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporters' talk is kept from the user; afterwards all is as it was."""
    loggers = [logging.getLogger(name) for name in _CHATTER]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\)", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
