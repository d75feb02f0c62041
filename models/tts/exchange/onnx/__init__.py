"""A trained voice as one ONNX file that runs without torch."""

from models.tts.exchange.onnx.exporter import export_voice

__all__ = ["export_voice"]
