"""The graph of a voice without its weights: it says where in the voice's own safetensors file each of them stands.

So one copy of the weights serves both PyTorch and onnxruntime: the file is raw numbers behind a header, which is what
ONNX calls external data. Half precision becomes single when onnxruntime loads the graph.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from models.tts.exchange.onnx_graph import ExportedVoice, export_module, require
from utils.errors import UserError

LARGEST = 2_000_000  # bytes of a graph, which is to be small beside the weights
_PREFIX = "network."
_TYPES = {"F32": "FLOAT", "F16": "FLOAT16"}


def write_packed_graph(voice: ExportedVoice, path: Path, metadata: dict[str, str], weights: Path) -> None:
    """Write the graph of `voice` to `path`, with its weights in the safetensors file `weights` below the same folder.

    Inputs and outputs are those of `onnx_graph.write_graph`.

    :raises UserError: weights that the file does not hold as the network uses them, or a missing package.
    """
    onnx = require("onnx")
    model = export_module(voice, path, metadata, fold=False)
    where, start = stored_tensors(weights)
    location = weights.relative_to(path.parent).as_posix()
    graph, first = model.graph, []
    for tensor in list(graph.initializer):
        entry = where.get(tensor.name.removeprefix(_PREFIX))
        if entry is None:
            continue
        kind = getattr(onnx.TensorProto, _TYPES.get(entry["dtype"], "UNDEFINED"))
        if list(tensor.dims) != entry["shape"] or tensor.data_type != onnx.TensorProto.FLOAT or not kind:
            raise UserError(f"{weights} holds {tensor.name} in another form: pack the voice with --precision fp16")
        name = tensor.name
        tensor.ClearField("raw_data")
        if kind != onnx.TensorProto.FLOAT:
            tensor.name += "_half"
            first.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
        tensor.data_type, tensor.data_location = kind, onnx.TensorProto.EXTERNAL
        begin, end = entry["data_offsets"]
        for key, value in (("location", location), ("offset", start + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
    basis = getattr(voice.generator, "basis", None)
    if basis is not None:
        first += _basis_made(onnx, graph, basis.numpy())
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    data = model.SerializeToString()
    if len(data) > LARGEST:
        raise UserError(
            f"the graph of {weights.parents[1]} would take {len(data) / 1e6:.1f} MB beside its weights, because its "
            "generator computes others from those: export the voice into a folder of its own"
        )
    path.write_bytes(data)
    onnx.checker.check_model(str(path))


def stored_tensors(path: Path) -> tuple[dict[str, Any], int]:
    """Type, shape and place of each tensor in a safetensors file, and the byte at which places begin to count."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return {name: entry for name, entry in header.items() if name != "__metadata__"}, 8 + size


def _basis_made(onnx: Any, graph: Any, basis: np.ndarray) -> list[Any]:
    """Nodes that compute the inverse Fourier basis (n_fft + 2, n_fft), which stands as a constant in `graph` so far."""
    for node in graph.node:
        value = onnx.numpy_helper.to_array(node.attribute[0].t) if node.op_type == "Constant" else None
        if value is not None and value.shape == basis.shape and np.array_equal(value, basis):
            break
    else:
        raise UserError("this release of torch writes the Fourier basis in a form that is not known here")
    graph.node.remove(node)
    n_fft, bins = basis.shape[1], basis.shape[0] // 2
    k, n = np.arange(bins)[:, None], np.arange(n_fft)
    factor = np.where((k == 0) | (k == bins - 1), 1.0, 2.0) / n_fft
    values = {
        "k": k, "n": n, "n_fft": np.array(n_fft), "step": np.float32(2 * math.pi / n_fft),
        "real": factor.astype(np.float32), "imaginary": -factor.astype(np.float32),
        "window": (0.5 - 0.5 * np.cos(2 * math.pi * n / n_fft)).astype(np.float32),
    }  # fmt: skip
    for name, value in values.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), f"basis_{name}"))
    steps: tuple[tuple[str, str, str, dict[str, int]], ...] = (
        ("Mul", "k n", "product", {}), ("Mod", "product n_fft", "turn", {}),
        ("Cast", "turn", "whole", {"to": onnx.TensorProto.FLOAT}), ("Mul", "whole step", "angle", {}),
        ("Cos", "angle", "cos", {}), ("Sin", "angle", "sin", {}), ("Mul", "cos real", "upper", {}),
        ("Mul", "sin imaginary", "lower", {}), ("Concat", "upper lower", "plain", {"axis": 0}),
        ("Mul", "plain window", "", {}),
    )  # fmt: skip
    made = []
    for kind, inputs, output, attributes in steps:
        names = [f"basis_{name}" for name in inputs.split()]
        made.append(onnx.helper.make_node(kind, names, [f"basis_{output}" if output else node.output[0]], **attributes))
    return made
