"""Piper and sherpa-onnx speak with an exported espeak voice, unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from processors.onnx_voice import OnnxVoice
from processors.text.tokens import END, START

Exported = Callable[..., tuple[Path, Path]]
TEXT = "Hello there, this is a test: does it speak? Yes, it does!"


@pytest.fixture(params=["hifigan_light", "istft"])
def folder(request: pytest.FixtureRequest, exported: Exported) -> Path:
    pytest.importorskip("espeakng_loader", reason="espeakng-loader (GPL, optional) is not installed")
    return exported(request.param, "espeak")[1]


def piper() -> object:
    return pytest.importorskip("piper", reason="piper-tts (GPL, optional) is not installed")


def test_piper_speaks(folder: Path) -> None:
    package = piper()
    voice = package.PiperVoice.load(folder / "voice.onnx")
    for phonemes, chunk in zip(voice.phonemize(TEXT), voice.synthesize(TEXT, include_alignments=True)):
        assert chunk.sample_rate == 22050
        assert 0.03 * len(phonemes) < len(chunk.audio_float_array) / 22050 < 0.1 * len(phonemes)
        assert np.abs(chunk.audio_float_array).max() == pytest.approx(1, abs=1e-3)  # Piper normalises
        # Piper reads the durations of its phonemes from the second output.
        assert [a.phoneme for a in chunk.phoneme_alignments] == [START, *phonemes, END]
        assert sum(a.num_samples for a in chunk.phoneme_alignments) == len(chunk.audio_float_array)


def test_sherpa_onnx_2_reads_english_by_our_lexicon(exported: Exported) -> None:
    sherpa = pytest.importorskip("sherpa_onnx", reason="sherpa-onnx (optional) is not installed")
    if int(sherpa.__version__.split(".")[0]) < 2:
        pytest.skip("sherpa-onnx 1 reads texts by espeak-ng")
    folder = exported("istft", "ipa")[1]
    names = {"tokens": "lexicon_tokens.txt", "lexicon": "lexicon.txt"}
    paths = {key: str(folder / name) for key, name in names.items()}
    vits = sherpa.OfflineTtsVitsModelConfig(str(folder / "voice.onnx"), **paths)
    config = sherpa.OfflineTtsConfig(model=sherpa.OfflineTtsModelConfig(vits=vits), silence_scale=1.0)
    assert config.validate()
    spoken = np.array(sherpa.OfflineTts(config).generate("Hello there, this is a test.").samples)
    wanted = OnnxVoice(folder).tts("Hello there, this is a test.")[0]
    assert abs(len(spoken) - len(wanted)) <= 256 and np.abs(spoken).max() > 0


def test_sherpa_onnx_speaks(folder: Path) -> None:
    sherpa = pytest.importorskip("sherpa_onnx", reason="sherpa-onnx (optional) is not installed")
    # Up to version 1 it phonemises itself; from 2.0 on it is given phonemes.
    own_espeak = int(sherpa.__version__.split(".")[0]) < 2
    data = {"data_dir": str(folder / "espeak-ng-data")} if own_espeak else {}
    vits = sherpa.OfflineTtsVitsModelConfig(str(folder / "voice.onnx"), tokens=str(folder / "tokens.txt"), **data)
    # It shortens what it takes for silence, and a random voice is quiet; 1 leaves it as it is.
    config = sherpa.OfflineTtsConfig(model=sherpa.OfflineTtsModelConfig(vits=vits), silence_scale=1.0)
    assert config.validate()
    tts = sherpa.OfflineTts(config)
    assert tts.sample_rate == 22050 and tts.num_speakers == 1
    if own_espeak:
        first, slow = tts.generate(TEXT), tts.generate(TEXT, speed=0.5)
    else:
        from processors.text.espeak import EspeakPhones
        from processors.text.frontend import TextFrontEnd

        phones = TextFrontEnd(EspeakPhones("en-us")).phonemise(TEXT)[1:-1]
        options = sherpa.GenerationConfig()
        options.silence_scale = 1.0
        options.phoneme_codepoints = [[ord(phone) for phone in phones]]
        first = tts.generate(TEXT, options)
        options.speed = 0.5
        slow = tts.generate(TEXT, options)
    assert 1.5 < len(first.samples) / 22050 < 8 and np.abs(first.samples).max() > 1e-3
    assert len(slow.samples) / len(first.samples) == pytest.approx(2, rel=0.01)
