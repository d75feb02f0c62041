"""What predictors fall short of the recordings is measured on a known answer, written down, and made good."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.tts import pitch_shifts
from models.tts.jets.shortfall import shortfall
from models.tts.jets.synthesizer import Synthesizer
from processors.corpus import ProcessedCorpus
from processors.pitch_response import PitchResponse
from tests.scripts import load_script
from tests.tiny_voice import make_experiment
from utils.errors import UserError

TEXT = "Hello there, all of you."


@pytest.fixture
def experiment(tmp_path: Path, tiny_overrides: list[str]) -> Path:
    """A random voice for the tiny corpus, which need not be there."""
    return make_experiment(tmp_path / "voice", tuple(tiny_overrides), (7,))


def falls_short(voice: Synthesizer, width: float = 0.5, tempo: float = 1.25) -> Synthesizer:
    """The voice, predicting for recordings what they do, `width` times as wide and `tempo` times as fast."""
    hear = voice.network.hear

    def heard(batch: object) -> tuple[object, object]:
        output, encoded = hear(batch)
        aligned = output.aligned
        # As wholes, utterances may differ; where a token has no frame, anything may be predicted.
        own = torch.arange(len(aligned.log_f0)).unsqueeze(1) * 3.0
        log_f0 = torch.where(aligned.durations > 0, aligned.log_f0 * width + own, 50.0)
        log_durations = aligned.log_durations - np.log(tempo)
        predicted = SimpleNamespace(log_f0=log_f0, log_durations=log_durations)
        return SimpleNamespace(aligned=aligned, predicted=predicted, text_mask=output.text_mask), encoded

    voice.network.hear = heard
    return voice


def test_a_known_answer(experiment: Path, tiny_corpus: Path) -> None:
    voice = falls_short(Synthesizer.from_experiment(experiment, "cpu"))
    found = shortfall(voice, experiment)
    assert found["pitch_range"] == 2.0
    assert found["duration_scale"] == pytest.approx(1.25, abs=0.05), "a few tokens, in whole frames"
    limits = shortfall(falls_short(Synthesizer.from_experiment(experiment, "cpu"), 0.1, 4.0), experiment)
    assert limits == {"pitch_range": 3.0, "duration_scale": 2.0}, "what the config allows"
    with pytest.raises(UserError, match="pitch does not vary in what the voice predicts for the valid split"):
        shortfall(falls_short(Synthesizer.from_experiment(experiment, "cpu"), 0.0), experiment)


def test_pitch_counts_where_its_recording_is_voiced(
    experiment: Path, tiny_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = falls_short(Synthesizer.from_experiment(experiment, "cpu"))
    whole = ProcessedCorpus.arrays

    def unvoiced(corpus: ProcessedCorpus, row: int) -> tuple[np.ndarray, ...]:
        audio, log_f0, voiced = whole(corpus, row)
        return audio, log_f0, np.zeros_like(voiced)

    monkeypatch.setattr(ProcessedCorpus, "arrays", unvoiced)
    with pytest.raises(UserError, match="pitch does not vary in the recordings of the valid split"):
        shortfall(voice, experiment)


def test_it_changes_what_a_voice_plans(experiment: Path) -> None:
    def plan(*overrides: str) -> tuple[torch.Tensor, torch.Tensor]:
        voice = Synthesizer.from_experiment(experiment, "cpu", None, overrides)
        lines = list(voice.script.lines(TEXT, voice.config.inference))
        planned = voice.plan(lines, voice.config.inference)
        return planned.log_f0, planned.durations

    log_f0, durations = plan()
    same = plan("inference.pitch_range=1", "inference.duration_scale=1.0")
    assert same[0].equal(log_f0) and same[1].equal(durations)
    wider = plan("inference.pitch_range=1.5")
    assert wider[1].equal(durations) and log_f0.std() > 0
    torch.testing.assert_close(wider[0], log_f0 * 1.5)
    longer = plan("inference.duration_scale=1.3")
    assert longer[0].equal(log_f0)
    expected = (durations.sum() + durations.numel()) * 1.3 - durations.numel()
    assert float(longer[1].sum()) == pytest.approx(float(expected), rel=0.1)


def calibrate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bins/calibrate.py, but for the pitch response."""
    monkeypatch.setattr(sys, "argv", ["calibrate.py", f"--expt_dir={folder}", "--device=cpu"])
    monkeypatch.setattr(pitch_shifts, "measure", lambda voice, name: PitchResponse(name, (0.0,), (0.0,)))
    with pytest.raises(SystemExit) as ended:
        sys.exit(load_script("calibrate").main())
    assert ended.value.code in (0, None)


def test_it_belongs_to_one_checkpoint_unless_a_config_says_otherwise(
    experiment: Path, tiny_corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (experiment / "config.json").read_text()

    def corrections(*overrides: str) -> dict[str, float | None]:
        inference = Synthesizer.from_experiment(experiment, "cpu", None, overrides).config.inference
        return {key: getattr(inference, key) for key in ("pitch_range", "duration_scale")}

    calibrate(experiment, monkeypatch)
    found = corrections()
    assert None not in found.values() and found != {"pitch_range": 1.0, "duration_scale": 1.0}
    assert f"inference.pitch_range={found['pitch_range']}" in capsys.readouterr().out
    voice = Synthesizer.from_experiment(experiment, "cpu")
    assert voice.network.pitch_predictor.gain == found["pitch_range"]
    assert voice.network.duration_predictor.shift == pytest.approx(np.log(found["duration_scale"]))
    assert corrections("inference.pitch_range=1.3") == {**found, "pitch_range": 1.3}
    assert (experiment / "config.json").read_text() == before, "which --resume writes anew"
    calibrate(experiment, monkeypatch)
    assert corrections() == found, "measured without itself"

    path = experiment / "pitch_response.json"
    good = path.read_text()
    path.write_text(good.replace("step_00000007", "step_00000006"))
    assert corrections() == {"pitch_range": None, "duration_scale": None}, "another checkpoint's"
    path.write_text(json.dumps({**json.loads(good), "inference": {"duration_scale": 0}}))
    with pytest.raises(UserError, match="pitch_response.json is damaged: delete it"):
        corrections()


def test_without_features_it_is_left_out_and_said(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrate(experiment, monkeypatch)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("pitch range and durations are not compared with the recordings: ") and "stage 1" in last
    assert Synthesizer.from_experiment(experiment, "cpu").pitch_response.inference == {}
