"""8-bit integers for the matrix products that take most of the time."""

from __future__ import annotations

import logging
from pathlib import Path

from models.tts.exchange.onnx.graph import require

# Durations, pitch and energy come from the encoder, which stays as it is: an 8-bit voice keeps its timing and melody.
_PARTS = ("/decoder/", "/generator/")
# Spectra and the samples made of them: an error here is heard directly, and little time would be won.
_EXACT = ("/generator/head/", "/generator/MatMul")


def quantise_products(path: Path) -> int:
    """Store constant matrices of decoder and generator in 8 bits, in place; the number of products that change.

    Activations are rounded to 8 bits while the graph runs, with a scale for each tensor as it comes ("dynamic"), so
    that nothing has to be calibrated. Convolutions stay in fp32: HiFi-GAN in 8 bits hisses.
    """
    require("onnxruntime")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx = require("onnx")
    model = onnx.load_model(str(path))
    constants = {tensor.name for tensor in model.graph.initializer}
    nodes = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and node.input[1] in constants
        and any(part in node.name for part in _PARTS)
        and not any(part in node.name for part in _EXACT)
    ]
    if nodes:
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            quantize_dynamic(
                model, str(path), op_types_to_quantize=["MatMul"], nodes_to_quantize=nodes, per_channel=True,
                weight_type=QuantType.QInt8,
            )  # fmt: skip
        finally:
            logging.disable(level)
    return len(nodes)
