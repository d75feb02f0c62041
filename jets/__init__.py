"""Speak with a voice, without torch: `from jets import Voice; Voice().tts("Hello.")`."""

from processors.onnx_voice import OnnxVoice as Voice

__all__ = ["Voice"]
