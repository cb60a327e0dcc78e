"""A network that onnxruntime runs, with the manners of one that torch runs.

Files may come from anywhere. No code is in them and none is loaded for them; data outside the file is
refused, and what the file says of itself must agree with its graph.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import __version__
from ..color.bins import bins_hash
from ..errors import UserError, one_line
from ..files import cache_dir, save_bytes
from ..models.contract import Conditions, Contract, Prediction, check_size
from ..zoo.checkpoint import file_hash, load_model, resolve_model
from .export import export_bytes, filled, input_names, new_session, onnx_packages, output_names

# Above that protobuf cannot hold a message; the largest network here makes 140 MB.
_LARGEST_FILE = 2**31 - 1
_CHANNELS = {"gamut": 313, "grid": 529}
_LARGEST_SIDE = 1024  # of a size divisor or a stride that is to be believed


class OnnxNetwork(nn.Module):
    """lightness and conditions -> :class:`Prediction`, on the CPU in float32; any number of threads at once.

    contract, name and metadata are those of the network that was exported. Nothing in it learns or moves:
    copies are the network itself.
    """

    def __init__(self, session: Any, contract: Contract, name: str, metadata: dict[str, str]) -> None:
        super().__init__()
        self.session, self.contract, self.name, self.metadata = session, contract, name, metadata
        self.inputs, self.outputs = input_names(contract), output_names(contract)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, sides multiples of the contract's divisor."""
        check_size(lightness, self.contract.size_divisor)
        told = filled(conditions, self.inputs[1:], lightness)
        feed = {key: value.float().cpu().numpy() for key, value in {"lightness": lightness, **told}.items()}
        try:
            found = self.session.run(list(self.outputs), feed)
        except Exception as error:  # onnxruntime's errors have no common class of their own
            text = one_line(error)
            if "allocate" in text:
                raise MemoryError(text) from error
            raise UserError(f"the ONNX model ({self.name}) does not run: {text[:200]}") from error
        values = dict(zip(self.outputs, (torch.from_numpy(array) for array in found), strict=True))
        for key, value in values.items():
            if value.shape != self._shape(key, lightness):
                raise UserError(
                    f"the ONNX model ({self.name}) gives {key} of shape {tuple(value.shape)}, "
                    f"its contract says {tuple(self._shape(key, lightness))}"
                )
        return Prediction(values.get("logits"), values.get("ab"), lightness=values.get("restored"))

    def _shape(self, output: str, lightness: Tensor) -> torch.Size:
        contract, (count, _, height, width) = self.contract, lightness.shape
        channels = {"logits": _CHANNELS.get(contract.classes, 0), "ab": 2, "restored": 1}[output]
        coarse = output == "logits" and contract.logits_stride
        stride = contract.logits_stride if coarse else contract.output_stride
        return torch.Size((count, channels, height // stride, width // stride))

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxNetwork:
        return self


def load_for_onnx(path_or_name: str | Path) -> tuple[OnnxNetwork, Path]:
    """The network of a --model value for onnxruntime, and the file that was named.

    An .onnx file is taken as it is. Anything else is exported once, into the cache.
    """
    if Path(path_or_name).suffix.lower() == ".onnx":
        path = Path(path_or_name)
        return load_onnx(path), path
    path = resolve_model(path_or_name)
    onnx_packages()
    sha256 = file_hash(path)
    cached = cache_dir() / "onnx" / f"{sha256[:32]}-{__version__}-torch{torch.__version__}.onnx"
    if cached.is_file():
        try:
            return load_onnx(cached), path
        except UserError:  # damaged: it is made again
            pass
    data, _ = export_bytes(load_model(path), sha256)
    save_bytes(cached, data)
    return load_onnx(cached), path


def load_onnx(path: Path) -> OnnxNetwork:
    """The network of an .onnx file that ``gan-colorize export`` wrote.

    Raises:
        UserError: one line for a file that is missing, no ONNX, another program's, built on other bins, that
            wants data from outside, or whose graph is not what it says.
    """
    runtime = onnx_packages()
    import onnx

    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise UserError(f"{path}: is too large for an ONNX file ({size:,} bytes)")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"model not found: {path}") from error
    except OSError as error:
        raise UserError(f"cannot read model {path}: {error.strerror or error}") from error
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as error:  # protobuf's DecodeError, from whichever of its implementations
        raise UserError(f"{path}: is not an ONNX file, or is cut short") from error
    if not proto.HasField("graph"):
        raise UserError(f"{path}: is not an ONNX file, or is cut short")
    if _wants_other_files(proto):
        raise UserError(f"{path}: keeps data in other files, which is refused; export it again as one file")
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    contract = _contract(path, metadata)
    try:
        session = new_session(runtime, data)
    except Exception as error:  # onnxruntime's errors have no common class of their own
        raise UserError(f"{path}: onnxruntime cannot load it: {one_line(error)[:200]}") from error
    found = {entry.name for entry in session.get_inputs()}, {entry.name for entry in session.get_outputs()}
    if found != (set(input_names(contract)), set(output_names(contract))):
        raise UserError(f"{path}: its graph does not take and give what it says; export it again")
    return OnnxNetwork(session, contract, metadata["model"], metadata)


def _contract(path: Path, metadata: dict[str, str]) -> Contract:
    missing = [key for key in ("model", "contract", "bins_hash") if key not in metadata]
    if missing:
        raise UserError(f"{path}: was not written by gan-colorize export (it lacks {', '.join(missing)})")
    if metadata["bins_hash"] != bins_hash():
        raise UserError(f"{path}: was made for another set of ab bins; its colours would be wrong")
    try:
        told = json.loads(metadata["contract"])
        contract = Contract(**told | {"takes": frozenset(told["takes"])})
        strides = (contract.output_stride, contract.size_divisor, contract.logits_stride or 1)
        sound = (
            all(type(number) is int and 1 <= number <= _LARGEST_SIDE for number in strides)
            and contract.takes <= {"hints", "histogram", "saturation", "palette"}
            and contract.returns in ("distribution", "ab", "lightness")
            and contract.classes in ("", *_CHANNELS)
            and (contract.returns != "distribution" or contract.classes == "gamut")
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: its contract cannot be read") from error
    if not sound:
        raise UserError(f"{path}: its contract is none that this version knows")
    return contract


def _wants_other_files(message: Any) -> bool:
    """Whether any tensor anywhere in an ONNX message lies in another file."""
    import onnx

    waiting = [message]
    while waiting:
        one = waiting.pop()
        if isinstance(one, onnx.TensorProto):
            if one.data_location == onnx.TensorProto.EXTERNAL or len(one.external_data):
                return True
            continue
        for field, value in one.ListFields():
            if field.message_type is not None:
                # repeated fields are lists of messages in every implementation of protobuf
                waiting += value if hasattr(value, "__len__") else [value]
    return False
