"""A packed voice is exported like an experiment."""

from __future__ import annotations

from pathlib import Path

from models.tts.exchange.packed_voice import VoiceFacts, pack_voice
from tests.models.tts.exchange.onnx.voices import make_voice


def test_a_packed_voice_is_exported(tmp_path: Path) -> None:
    from models.tts.exchange.onnx_export import export_voice

    experiment = make_voice(tmp_path / "experiment")
    pack_voice(experiment, tmp_path / "packed", VoiceFacts("Tiny", "-", "-", "-", "-"), say=lambda _: None)
    told: list[str] = []
    export_voice(tmp_path / "packed", tmp_path / "onnx", check=1, say=told.append)
    assert {path.name for path in (tmp_path / "onnx").iterdir()} == {"voice.onnx", "voice.onnx.json", "tokens.json"}
    assert all("against PyTorch" in line for line in told[:2])
