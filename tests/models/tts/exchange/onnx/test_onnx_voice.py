"""The runner without torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.base.checkpoints import find_checkpoint
from models.tts.exchange.onnx_export import export_beside, export_voice
from models.tts.exchange.packed_voice import VoiceFacts, pack_voice
from models.tts.jets.synthesizer import Synthesizer
from processors.onnx_voice import MODEL, OnnxVoice
from processors.pitch_response import PitchResponse
from tests.models.tts.exchange.onnx.voices import make_voice
from tests.tiny_voice import ROOT, make_experiment
from utils.errors import UserError
from utils.files import read_json, write_json

Exported = Callable[..., tuple[Path, Path]]
TEXT = "Good morning, Dr. Smith. It costs $3.50\n\nA new paragraph: is it heard? " + "word and " * 40 + "end"


@pytest.fixture(scope="module")
def voices(exported: Exported) -> tuple[OnnxVoice, Synthesizer]:
    experiment, folder = exported("istft")
    return OnnxVoice(folder, threads=1), Synthesizer.from_experiment(experiment, "cpu")


def test_same_speech_as_the_synthesizer(voices: tuple[OnnxVoice, Synthesizer]) -> None:
    ours, synthesizer = voices
    wave, rate = ours.tts(TEXT)
    expected, expected_rate = synthesizer.tts(TEXT)
    assert rate == expected_rate and len(wave) == len(expected)
    np.testing.assert_allclose(wave, expected, atol=1e-5)


def test_what_predictors_miss_is_made_good_in_the_graph(tmp_path: Path) -> None:
    experiment = make_voice(tmp_path / "voice", "istft")
    plain = Synthesizer.from_experiment(experiment, "cpu").tts("Good morning.")[0]
    tree = read_json(experiment / "config.json")
    tree["inference"] |= {"pitch_range": 2.0, "duration_scale": 1.3}
    write_json(experiment / "config.json", tree)
    export_voice(experiment, tmp_path / "out", check=1)
    expected = Synthesizer.from_experiment(experiment, "cpu").tts("Good morning.")[0]
    assert len(expected) > 1.1 * len(plain)
    np.testing.assert_allclose(OnnxVoice(tmp_path / "out", threads=1).tts("Good morning.")[0], expected, atol=1e-5)


def test_ssml_and_level(voices: tuple[OnnxVoice, Synthesizer]) -> None:
    ours, synthesizer = voices
    marked = (
        '<speak>One <break time="400ms"/> two <prosody volume="-6dB">three</prosody>. '
        '<prosody rate="80%" pitch="+2st"><s>Four five.</s></prosody></speak>'
    )
    controls = {"target_level_db": -30.0, "sentence_silence": 0.5, "leading_silence": 0.1}
    wave, expected = ours.tts(marked, **controls)[0], synthesizer.tts(marked, **controls)[0]
    assert wave.shape == expected.shape
    np.testing.assert_allclose(wave, expected, atol=1e-4)
    with pytest.raises(UserError, match="between sentences only, but not within 'One two'"):
        ours.tts('<speak>One <prosody rate="slow">two</prosody></speak>')


def test_stream_is_the_same_in_pieces(voices: tuple[OnnxVoice, Synthesizer]) -> None:
    ours, _ = voices
    pieces = list(ours.stream(TEXT))
    assert len(pieces) > 10 and len(pieces[0]) < ours.sample_rate / 3
    np.testing.assert_allclose(np.concatenate(pieces), ours.tts(TEXT)[0], atol=1e-5)


def test_a_packed_voice_speaks_from_its_own_weights(tmp_path: Path) -> None:
    """With the weights of another voice in their place it is that one: nothing of them stands in the graph."""
    facts = VoiceFacts("Tiny", "-", "-", "-", "-")
    one, other = tmp_path / "one", tmp_path / "other"
    for step, folder in enumerate((one, other), 1):
        experiment = make_experiment(tmp_path / str(step), ("model.generator=istft",))
        pack_voice(experiment, folder, facts, checkpoint=f"step_0000000{step}")
    export_beside(one, check=1)
    assert (one / MODEL).stat().st_size < 1e6
    (weights,) = one.glob("checkpoints/*/network.safetensors")
    expected = [Synthesizer.from_experiment(folder, "cpu").tts(TEXT)[0] for folder in (one, other)]
    np.testing.assert_allclose(OnnxVoice(one).tts(TEXT)[0], expected[0], atol=1e-4)
    shutil.copyfile(next(other.glob("checkpoints/*/network.safetensors")), weights)
    np.testing.assert_allclose(OnnxVoice(one).tts(TEXT)[0], expected[1], atol=1e-4)


def test_voices_without_a_graph_say_how_they_get_one(tmp_path: Path) -> None:
    folder, facts = tmp_path / "voice", VoiceFacts("Tiny", "-", "-", "-", "-")
    experiment = make_experiment(tmp_path / "source", ("model.hidden_channels=32",))
    pack_voice(experiment, folder, facts, precision="int8")
    with pytest.raises(UserError, match="holds a voice for PyTorch: run .*bins/export.py --expt_dir"):
        OnnxVoice(folder)
    with pytest.raises(UserError, match="pack the voice with --precision fp16"):
        export_beside(folder)
    assert not list(folder.glob("*.onnx*")) and not list(folder.glob(".*"))


def test_command_line_imports_no_torch(exported: Exported, tmp_path: Path) -> None:
    _, folder = exported("istft")
    out = tmp_path / "speech.wav"
    # A process in which torch cannot be imported at all.
    program = (
        "import sys, runpy\n"
        "for name in ('torch', 'onnx', 'scipy', 'librosa', 'nltk', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        f"sys.argv = ['jets', 'say', 'Zyxqua said hello.', '--voice', {str(folder)!r}, '-o', {str(out)!r}]\n"
        "sys.argv.append('--timestamps=vtt')\n"
        "runpy.run_module('jets', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "<00:00:00." in out.with_suffix(".vtt").read_text()
    with wave.open(str(out)) as wav:
        assert wav.getframerate() == 22050 and 0.3 < wav.getnframes() / 22050 < 5


def test_a_voice_of_the_hub_is_one_of_its_cache(exported: Exported, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    _, folder = exported("istft")
    repository, revision = tmp_path / "models--me--voice", "a" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text(revision)
    (repository / "blobs").mkdir()
    files = (path for path in folder.rglob("*") if path.is_file())
    for number, path in enumerate(files):  # the hub keeps files once, and links to them
        link = repository / "snapshots" / revision / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = shutil.copyfile(path, repository / "blobs" / f"{number:064x}")
        link.symlink_to(os.path.relpath(blob, link.parent))
    code = (
        "from jets import Voice\nfor name in ('me/voice', 'me/other'):\n"
        f"    print(Voice.from_pretrained(name, cache_dir={str(tmp_path)!r}).tts('Hello.')[0].shape)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.stdout.strip() == str(OnnxVoice.from_pretrained(folder).tts("Hello.")[0].shape)
    told = done.stderr.splitlines()[-1]
    assert told.startswith("utils.errors.UserError: me/other: there is no such folder, and the hub says: ")


def test_a_measured_pitch_is_the_synthesizers(exported: Exported, tmp_path: Path) -> None:
    experiment, folder = exported("istft")
    here, there = shutil.copytree(experiment, tmp_path / "source"), shutil.copytree(folder, tmp_path / "onnx")
    checkpoint = find_checkpoint(here, "last").name
    response = PitchResponse(checkpoint, (-2.0, 0.0, 4.0), (-1.0, 0.0, 3.0))
    for place in (here, there):
        response.save(place)
    voice, synthesizer = OnnxVoice(there), Synthesizer.from_experiment(here, "cpu")
    for pitch in (-1.0, 2.5):
        np.testing.assert_allclose(voice.tts(TEXT, pitch=pitch)[0], synthesizer.tts(TEXT, pitch=pitch)[0], atol=1e-5)
    plain = OnnxVoice(folder).tts("Hello.", pitch=2.5)[0]
    assert np.abs(voice.tts("Hello.", pitch=2.5)[0] - plain).max() > 1e-4


def test_threads_speak_at_once_as_one_after_the_other(voices: tuple[OnnxVoice, Synthesizer]) -> None:
    ours, _ = voices
    texts = [f"Number {n} costs ${n}.50, said Dr. Smith. " * (1 + n % 3) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda text: np.concatenate(list(ours.stream(text))), texts))
    for text, pieces in zip(texts, heard):
        np.testing.assert_allclose(pieces, ours.tts(text)[0], atol=1e-5)
