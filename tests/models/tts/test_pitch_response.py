"""Pitch in semitones means what it says: the response of a voice is measured, inverted, kept and used."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from models.tts.jets.synthesizer import Synthesizer
from models.tts.pitch_shifts import SHIFTS, frame_shifts, measure
from processors.pitch_response import PitchResponse
from tests.tiny_voice import STATISTICS, make_experiment
from utils.errors import UserError

RATE, HOP = 22050, 256


class Singer:
    """A voice that hums at 200 Hz and follows a shift as `response` says."""

    sample_rate, hop_size = RATE, HOP
    config = SimpleNamespace(preprocess=SimpleNamespace(f0_min=71.0, f0_max=500.0), inference=SimpleNamespace())
    script = SimpleNamespace(lines=lambda text, settings: [SimpleNamespace(ids=(1, 2, 3))])

    def __init__(self, response: object) -> None:
        self.response = response

    def synthesize_ids(self, ids: list, pitch: float = 0.0, **controls: float) -> list[np.ndarray]:
        """Half a second of a tone with harmonics for each."""
        f0 = 200.0 * 2 ** (self.response(pitch) / 12)
        phase = 2 * math.pi * f0 * np.arange(40 * HOP) / RATE
        return [sum(np.sin(k * phase) / k for k in range(1, 6)).astype(np.float32) * 0.2 for _ in ids]


@pytest.mark.parametrize("share", [0.5, 0.9, 1.3])
def test_what_was_measured_is_inverted(share: float) -> None:
    response = measure(Singer(lambda asked: share * asked), "one")
    assert set(response.asked) <= {0.0, *SHIFTS} and {-6.0, 6.0} <= set(response.asked)
    assert response.needed([0.0])[0] == 0.0
    for wanted in (-6.0, -2.5, 3.0, 6.0):
        assert response.needed([wanted])[0] == pytest.approx(wanted / share, abs=0.15)


def test_where_a_voice_stops_following_its_range_ends() -> None:
    response = measure(Singer(lambda asked: 4 * math.tanh(asked / 5)), "one")
    for wanted in (-2.6, -1.0, 2.0, 2.6):
        assert 4 * math.tanh(response.needed([wanted])[0] / 5) == pytest.approx(wanted, abs=0.3)
        assert response.rest([wanted]) == 0
    far, end = response.needed([12.0])[0], response.asked[-1]
    assert far == end < 9.0
    for wanted in (-12.0, 6.0):
        got = 4 * math.tanh(response.needed([wanted])[0] / 5)
        assert got + response.rest([wanted] * 3) == pytest.approx(wanted, abs=0.1)
    assert response.rest([0.0, 0.0, 12.0]) == 0, "what most tokens need"


def test_unmeasured_points_and_voices_that_do_not_move() -> None:
    nan = math.nan
    some = PitchResponse.from_measured("one", [-4, -2, 2, 4, 8], [nan, -1.0, 1.0, 0.5, 6.0])
    assert some.asked == (-2, 0, 2) and some.measured == (-1.0, 0, 1.0)
    still = PitchResponse.from_measured("one", [-4, -2, 2, 4], [0.0] * 4)
    assert still.needed([3.0, -1.0]) == [0.0, 0.0] and still.rest([3.0]) == 3.0
    singer = Singer(float)
    singer.synthesize_ids = lambda ids, **controls: [np.zeros(40 * HOP, np.float32)] * len(ids)
    with pytest.raises(UserError, match="nothing that this voice says is voiced"):
        measure(singer, "one")


def test_it_is_kept_with_the_voice_and_belongs_to_one_checkpoint(tmp_path: Path) -> None:
    folder = make_experiment(tmp_path / "voice", steps=(1, 2))
    assert Synthesizer.from_experiment(folder, "cpu").pitch_response is None
    response = PitchResponse("step_00000002", (-8.0, 0.0, 8.0), (-4.0, 0.0, 4.0))
    response.save(folder)
    voice = Synthesizer.from_experiment(folder, "cpu")
    assert voice.pitch_response == response
    assert Synthesizer.from_experiment(folder, "cpu", "step_00000001").pitch_response is None
    line = next(voice.script.lines("Hello there.", voice.config.inference))
    (marked,) = voice.script.lines(
        '<speak><prosody pitch="+1st">Hello there.</prosody></speak>', voice.config.inference
    )

    def moved(spoken: object, semitones: float) -> float:
        settings = voice.config.inference
        planned = [voice.plan([one], settings.model_copy(update={"pitch_semitones": by}))
                   for one, by in ((line, 0.0), (spoken, semitones))]  # fmt: skip
        shift = (planned[1].log_f0 - planned[0].log_f0) * STATISTICS["log_f0_std"] / (math.log(2) / 12)
        assert planned[0].durations.equal(planned[1].durations)
        return float(shift.median())

    assert moved(line, 3.0) == pytest.approx(6.0, abs=1e-3)
    assert moved(line, -9.0) == pytest.approx(-8.0, abs=1e-3), "as far as it can"
    assert moved(marked, 2.0) == pytest.approx(6.0, abs=1e-3), "the text's own shift counts"


@pytest.mark.parametrize("semitones", [-5.0, 4.0])
def test_the_rest_is_made_from_the_sound(tmp_path: Path, semitones: float) -> None:
    # With this table of tokens the random network hums, and knows nothing of pitch.
    folder = make_experiment(tmp_path / "voice", ("preprocess.phone_extractor=lexicon",), steps=(1,))
    voice = Synthesizer.from_experiment(folder, "cpu")
    voice.pitch_response = PitchResponse("", (-2.0, 0.0, 1.0), (-1.0, 0.0, 1.0))
    text = "Hello there, all of you. And this is another sentence."
    plain, moved = voice.tts(text)[0], voice.tts(text, pitch=semitones)[0]
    assert plain.shape == moved.shape and np.abs(moved).max() <= 1
    (shifts,) = frame_shifts(voice, [plain], [moved])
    rest = semitones - max(-1.0, min(semitones, 1.0))
    assert np.nanmedian(shifts) == pytest.approx(rest, abs=0.2)
    streamed = np.concatenate(list(voice.stream(text, pitch=semitones)))
    assert np.abs(streamed - moved).max() < 1e-4
    both = voice.tts_batch([text, f"<speak>Hello. <prosody pitch='{semitones:+}st'>Hello.</prosody></speak>"])
    assert np.abs(both[0] - plain).max() < 1e-4
