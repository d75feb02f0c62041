"""What stage 3 asks of this model: a voice loaded from an experiment."""

from models.tts.jets.synthesizer import Synthesizer

__all__ = ["Synthesizer"]
