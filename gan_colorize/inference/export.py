"""A network as an ONNX file: one file, any batch and size, compared with torch before it gets its name.

What is told to a network becomes inputs of the graph, and what is not told is said as the networks are told
it (:class:`~gan_colorize.models.contract.Conditions`): zeros, and a saturation of -1. So one graph serves
automatic colouring and every wish.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .. import __version__
from ..color.bins import NUM_BINS, bins_hash
from ..color.palette import COLOURS
from ..errors import UserError, one_line
from ..files import save_bytes
from ..models.contract import Conditions, Contract
from .ready import fold_norms

# Of the largest value that the network gives, or of 1: float32 sums in another order differ by far less.
TOLERANCE = 1e-3
_OPSET = 20
_CONDITIONS = ("hints", "mask", "histogram", "saturation", "palette")


@dataclass(frozen=True)
class Exported:
    """What was written: megabytes, names, and how far it is from torch at most (``difference``, in units of
    the largest value) in how many ``comparisons``."""

    megabytes: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float
    comparisons: int


def input_names(contract: Contract) -> tuple[str, ...]:
    """Of the graph: lightness, then whatever the network may be told, in the order of Conditions."""
    takes = contract.takes | ({"mask"} if "hints" in contract.takes else set())
    return ("lightness", *(name for name in _CONDITIONS if name in takes))


def output_names(contract: Contract) -> tuple[str, ...]:
    """Of the graph: logits and ab, whichever there are; or restored, a grey picture."""
    if contract.returns == "lightness":
        return ("restored",)
    return ("logits",) * bool(contract.classes) + ("ab",) * (contract.returns == "ab")


def filled(conditions: Conditions | None, names: tuple[str, ...], like: Tensor) -> dict[str, Tensor]:
    """What is told, by the names of a graph's inputs without lightness; what is not told as such."""
    count, _, height, width = like.shape
    shapes = {"hints": (2, height, width), "mask": (1, height, width), "histogram": (NUM_BINS,)}
    shapes |= {"saturation": (1,), "palette": (COLOURS, 3)}
    told = {}
    for name in names:
        value = None if conditions is None else getattr(conditions, name)
        if value is None:
            value = like.new_full((count, *shapes[name]), -1.0 if name == "saturation" else 0.0)
        told[name] = value
    return told


def export_model(model: nn.Module, path: Path, sha256: str) -> Exported:
    """Write ``model``, of a file with that ``sha256``, to ``path``; see :func:`export_bytes`."""
    data, exported = export_bytes(model, sha256)
    save_bytes(path, data)
    return exported


def export_bytes(model: nn.Module, sha256: str) -> tuple[bytes, Exported]:
    """A network as an ONNX file that says what it is, and what was found when it was compared.

    Raises:
        UserError: packages are missing, the network cannot be a graph, or the graph gives other numbers.
    """
    runtime = onnx_packages()
    contract: Contract = model.contract
    if not contract.sees_pictures:
        raise UserError(f"this model ({model.name}) reads words, not pictures; there is no graph for it")
    if model.name == "deep_colorization":
        raise UserError(
            f"this model ({model.name}) looks at photographs with scikit-image, which is no part of a graph"
        )
    network = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    fold_norms(network)
    graph = _Graph(network)
    proto = _traced(graph, model.name)
    for key, value in _metadata(model, sha256).items():
        proto.metadata_props.add(key=key, value=value)
    data = proto.SerializeToString()
    session = new_session(runtime, data)
    difference, comparisons = _compare(graph, session)
    if not difference <= TOLERANCE:
        raise UserError(
            f"the ONNX graph of this model ({model.name}) gives other numbers than torch: "
            f"{difference:.2g} of the largest, at most {TOLERANCE:g} is allowed; nothing was written"
        )
    return data, Exported(len(data) / 1e6, graph.inputs, graph.outputs, difference, comparisons)


def onnx_packages() -> object:
    """onnxruntime, if that and onnx and onnxscript are here.

    Raises:
        UserError: one is missing; it says which.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"ONNX needs {error.name}; pip install 'gan_colorize[onnx]' (onnx, onnxscript, onnxruntime)"
        ) from error
    onnxruntime.set_default_logger_severity(4)  # what is wrong is said in one line of our own
    return onnxruntime


def new_session(runtime: object, data: bytes) -> object:
    """An onnxruntime session with one thread: every core works on photographs of its own."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


class _Graph(nn.Module):
    """A network whose arguments and results are plain tensors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.inputs, self.outputs = input_names(network.contract), output_names(network.contract)

    def forward(self, lightness: Tensor, told: list[Tensor]) -> tuple[Tensor, ...]:
        conditions = Conditions(**dict(zip(self.inputs[1:], told, strict=True)))
        prediction = self.network(lightness, conditions)
        fields = {"restored": "lightness"}
        return tuple(getattr(prediction, fields.get(name, name)).float() for name in self.outputs)

    def example(self, count: int, height: int, width: int, wished: bool) -> tuple[Tensor, list[Tensor]]:
        """Arguments of the graph: soft shapes, and something for every wish, or nothing at all."""
        generator = torch.Generator().manual_seed(count * height + width)
        coarse = torch.rand(count, 1, 5, 7, generator=generator) * 100.0
        lightness = nn.functional.interpolate(coarse, (height, width), mode="bilinear")
        given = None
        if wished:
            mask = torch.zeros(count, 1, height, width)
            mask[..., 3:9, 5:12] = 1.0
            histogram = torch.rand(count, NUM_BINS, generator=generator)
            ends = torch.tensor([100.0, 60.0, 60.0])
            given = Conditions(
                hints=mask * torch.tensor([40.0, -25.0])[None, :, None, None],
                mask=mask,
                histogram=histogram / histogram.sum(1, keepdim=True),
                saturation=torch.rand(count, 1, generator=generator),
                palette=torch.rand(count, COLOURS, 3, generator=generator) * ends,
            )
        return lightness, list(filled(given, self.inputs[1:], lightness).values())

    def unit(self) -> int:
        """The smallest side of at least 32 pixels that the network takes."""
        divisor = self.network.contract.size_divisor
        return divisor * math.ceil(32 / divisor)


def _traced(graph: _Graph, name: str) -> object:
    divisor = graph.network.contract.size_divisor
    batch, rows, columns = (torch.export.Dim(axis, min=1) for axis in ("batch", "rows", "columns"))
    whole = {0: batch, 2: divisor * rows, 3: divisor * columns}
    shapes = [whole if key in ("hints", "mask") else {0: batch} for key in graph.inputs[1:]]
    unit = graph.unit()
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                graph.example(2, 2 * unit, 3 * unit, wished=True),
                dynamo=True,
                dynamic_shapes=(whole, shapes),
                input_names=graph.inputs,
                output_names=graph.outputs,
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            )
            return program.model_proto
    except Exception as error:  # the exporter raises dozens of types, most of them its own
        why = one_line(error.__cause__ or error)[:200]
        raise UserError(f"this model ({name}) cannot be made an ONNX graph: {why}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's progress and its warnings about its own insides."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _metadata(model: nn.Module, sha256: str) -> dict[str, str]:
    """What the model's own file says of it, its contract as JSON, and what this file was made from."""
    contract = asdict(model.contract) | {"takes": sorted(model.contract.takes)}
    about = {key: str(value) for key, value in getattr(model, "metadata", {}).items()}
    return about | {
        "model": model.name,
        "options": json.dumps(model.options, sort_keys=True),
        "contract": json.dumps(contract, sort_keys=True),
        "bins_hash": bins_hash(),
        "weights_sha256": sha256,
        "software": f"gan_colorize {__version__}",
    }


def _compare(graph: _Graph, session: object) -> tuple[float, int]:
    """Largest difference between graph and network in units of the largest value; of how many passes."""
    unit = graph.unit()
    sizes = ((1, 2 * unit, 2 * unit), (2, 2 * unit, 3 * unit), (3, 4 * unit, unit))
    cases = [(size, wished) for size in sizes for wished in ((False, True) if graph.inputs[1:] else (False,))]
    largest = 0.0
    for size, wished in cases:
        lightness, told = graph.example(*size, wished)
        values = [tensor.numpy() for tensor in (lightness, *told)]
        try:
            found = session.run(list(graph.outputs), dict(zip(graph.inputs, values, strict=True)))
        except Exception as error:  # onnxruntime's errors have no common class of their own
            raise UserError(f"the ONNX graph of this model does not run: {one_line(error)[:200]}") from error
        with torch.no_grad():
            expected = [tensor.numpy() for tensor in graph(lightness, told)]
        for got, wanted in zip(found, expected, strict=True):
            if got.shape != wanted.shape:
                return math.inf, len(cases)
            difference = np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max())
            largest = max(largest, float(difference) if np.isfinite(difference) else math.inf)
    return largest, len(cases)
