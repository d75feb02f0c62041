"""The Python interface: a tiny random voice loads and speaks; controls, batches and streams do what they say."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from models.tts.jets.synthesizer import Synthesizer
from processors.audio.finish import gain_of
from processors.audio.recording import active_level_db
from processors.text.characters import TextError
from tests.tiny_voice import STATISTICS, make_experiment
from utils.errors import UserError

RATE, HOP = 22050, 256
TEXT = "Hello world. This is Mr. Smith, speaking at 5 p.m. on a rainy day! What do you think?\n\nAnother paragraph."
SILENT = {"leading_silence": 0.0, "trailing_silence": 0.0, "sentence_silence": 0.0, "paragraph_silence": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experiment(tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="module")
def voice(folder: Path) -> Synthesizer:
    return Synthesizer.from_experiment(folder, device="cpu")


def lengths(voice: Synthesizer, text: str, **controls: float) -> int:
    return len(voice.tts(text, **{**SILENT, **controls})[0])


def test_the_same_wave_every_time_and_from_another_instance(voice: Synthesizer, folder: Path) -> None:
    wave, rate = voice.tts(TEXT, **SILENT)
    assert rate == RATE and wave.dtype == np.float32 and wave.ndim == 1
    assert len(wave) % HOP == 0 and len(wave) > RATE and 0 < np.abs(wave).max() <= 1
    assert np.array_equal(wave, voice.tts(TEXT, **SILENT)[0])
    assert np.array_equal(wave, Synthesizer.from_experiment(folder, "cpu").tts(TEXT, **SILENT)[0])


def test_alone_and_in_a_batch(voice: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Hi.", TEXT, "A somewhat longer sentence, with a comma.", "Good bye!"]
    alone = [voice.tts(text)[0] for text in texts]
    for kind in ("cpu", "cuda"):
        # The batches that a GPU would make, computed here.
        monkeypatch.setattr(voice, "batches_generator", kind == "cuda")
        for one, many in zip(alone, voice.tts_batch(texts), strict=True):
            assert one.shape == many.shape and np.abs(one - many).max() < 1e-4
    ids = [voice.script.frontend.encode(text) for text in ("Hi.", "Hello there.", "Hello there, you two.")]
    together = voice.synthesize_ids(ids)
    for row, wave in zip(ids, together, strict=True):
        assert np.abs(voice.synthesize_ids([row])[0] - wave).max() < 1e-4


def test_batches_keep_to_the_limit_of_frames(voice: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    generator = voice.network.generator
    original = generator.forward
    monkeypatch.setattr(
        generator, "forward", lambda frames, lengths=None: made.append(frames.shape[:2]) or original(frames, lengths)
    )
    monkeypatch.setattr(voice, "batches_generator", True)
    texts = [f"This is sentence number {i}, of several." for i in range(12)]
    settings = voice.config.inference.model_copy(update={"max_batch_frames": 2500})
    lines = [(i, line) for i, text in enumerate(texts) for line in voice.script.lines(text, settings)]
    assert [spoken.key for spoken in voice.speak_lines(lines, settings)] == sorted(key for key, _ in lines)
    assert all(rows == 1 or rows * frames <= 2500 for rows, frames in made)
    assert any(rows > 1 for rows, _ in made)


def test_the_stream_is_the_wave(voice: Synthesizer) -> None:
    for text in (TEXT, "Hi.", '<speak>One <prosody volume="soft">two</prosody><break time="1s"/> three.</speak>'):
        controls = {"leading_silence": 0.1, "trailing_silence": 0.2, "pitch": 2.0}
        pieces = list(voice.stream(text, **controls))
        wave = voice.tts(text, **controls)[0]
        joined = np.concatenate(pieces)
        assert joined.shape == wave.shape and np.abs(joined - wave).max() < 1e-4
    assert len(pieces) > 5
    levelled = np.concatenate(list(voice.stream(TEXT, target_level_db=-23.0)))
    assert np.abs(levelled - voice.tts(TEXT, target_level_db=-23.0)[0]).max() < 1e-4


def test_the_first_piece_of_a_stream_is_short_and_no_piece_waits_for_the_next(voice: Synthesizer) -> None:
    calls = []
    original = voice.network.plan
    voice.network.plan = lambda *args, **controls: calls.append(0) or original(*args, **controls)
    try:
        stream = voice.stream("One sentence is here, and it goes on for a while. " * 20, **SILENT)
        assert len(next(stream)) <= 16 * HOP
        assert len(calls) == 1, "only the first sentence has been planned"
    finally:
        voice.network.plan = original


@pytest.mark.parametrize("speed", [0.5, 1.25])
def test_speed_divides_the_length(voice: Synthesizer, speed: float) -> None:
    text = "A rather long sentence, made of many words, shows what the tempo does to it."
    plain = lengths(voice, text)
    assert abs(lengths(voice, text, speed=speed) - plain / speed) <= 0.03 * plain / speed + HOP


def test_pitch_moves_log_f0_and_keeps_durations(voice: Synthesizer) -> None:
    line = next(voice.script.lines("Hello there, you.", voice.config.inference))
    settings = voice.config.inference
    plain = voice.plan([line], settings)
    for semitones in (-6.0, 6.0):
        moved = voice.plan([line], settings.model_copy(update={"pitch_semitones": semitones}))
        assert moved.durations.equal(plain.durations)
        shift = (moved.log_f0 - plain.log_f0) * STATISTICS["log_f0_std"] / (math.log(2) / 12)
        assert shift.numpy() == pytest.approx(np.full(shift.shape, semitones), abs=1e-3)
    louder = voice.plan([line], settings.model_copy(update={"energy_db": 6.0}))
    ratio = (louder.energy * 10 + 20) / (plain.energy * 10 + 20)
    assert ratio.numpy() == pytest.approx(np.full(ratio.shape, 10 ** (6 / 20)), rel=1e-4)


def test_silences_are_exact(voice: Synthesizer) -> None:
    two = "One is here. Two is there.\n\nThree."
    plain = lengths(voice, two)
    for name, count in (("leading", 1), ("trailing", 1), ("sentence", 1), ("paragraph", 1)):
        longer = lengths(voice, two, **{f"{name}_silence": 0.5})
        assert longer - plain == count * round(0.5 * RATE), name
    wave = voice.tts("One.", **{**SILENT, "leading_silence": 0.25, "trailing_silence": 0.5})[0]
    before, behind = wave[: round(0.25 * RATE)], wave[-round(0.5 * RATE) :]
    assert 0 < before.std() < 0.004 and np.array_equal(behind[: len(before)], before), "the same floor"
    assert wave[round(0.25 * RATE) : -round(0.5 * RATE)].std() > 0.004


def test_silences_of_ssml(voice: Synthesizer) -> None:
    def gap(inside: str) -> float:
        controls = {**SILENT, "sentence_silence": 0.2, "paragraph_silence": 0.6}
        lines = list(voice.script.lines(f"<speak>{inside}</speak>", voice.config.inference.model_copy(update=controls)))
        assert len(lines) == 2
        return lines[1].silence

    assert gap("<s>One.</s><s>Two.</s>") == 0.2
    assert gap("<p><s>One.</s></p><p><s>Two.</s></p>") == 0.6
    assert gap("One <break time='1s'/> two.") == 1.0
    assert gap("<s>One.</s><break time='50ms'/><s>Two.</s>") == 0.05, "an explicit break replaces the usual silence"
    assert gap("<p>One.</p><break strength='none'/><p>Two.</p>") == 0.6
    wave = voice.tts("<speak><break time='1s'/>One.<break time='500ms'/></speak>", **SILENT)[0]
    assert wave[:RATE].std() < 0.004 < wave[RATE : -RATE // 2].std() and 0 < wave[-RATE // 2 :].std() < 0.004


def test_prosody_of_ssml_acts_on_its_own_words_only(voice: Synthesizer) -> None:
    settings = voice.config.inference
    marked = '<speak>One two <prosody rate="50%" pitch="+3st" volume="-6dB">three four</prosody> five six.</speak>'
    (line,) = voice.script.lines(marked, settings)
    (plain,) = voice.script.lines("One two three four five six.", settings)
    assert line.ids == plain.ids
    changed = [p.rate == 0.5 and p.semitones == 3.0 and p.gain_db == -6.0 for p in line.prosody]
    first, last = changed.index(True), len(changed) - 1 - changed[::-1].index(True)
    assert all(changed[first : last + 1]) and 0 < first and last < len(changed) - 2
    with_prosody, without = voice.plan([line], settings), voice.plan([plain], settings)
    inside = torch.tensor(changed)
    halved = with_prosody.durations[0][inside].sum() / without.durations[0][inside].sum()
    assert halved == pytest.approx(2.0, rel=0.05)
    assert with_prosody.durations[0][~inside].sum() == pytest.approx(without.durations[0][~inside].sum(), abs=2)
    gain = gain_of(line.prosody, with_prosody.durations[0].numpy() * HOP, RATE)
    assert gain is not None and len(gain) == int(with_prosody.durations.sum()) * HOP
    assert gain[0] == pytest.approx(1.0, abs=1e-4) and gain.min() == pytest.approx(10 ** (-6 / 20), abs=1e-4)
    assert np.abs(np.diff(gain)).max() < 0.01, "no clicks where the gain changes"


def test_levels(voice: Synthesizer) -> None:
    wave = voice.tts('<speak><prosody volume="silent">Nothing at all.</prosody></speak>', **SILENT)[0]
    assert len(wave) > 0 and not wave.any()
    for target in (-30.0, -20.0):
        wave = voice.tts("Hello there, you.", target_level_db=target, **SILENT)[0]
        assert active_level_db(wave, RATE) == pytest.approx(target, abs=0.1) and np.abs(wave).max() < 1
    wave = voice.tts('<speak><prosody volume="+24dB">Hello there.</prosody></speak>', target_level_db=-3.0)[0]
    assert np.abs(wave).max() < 1 and np.isfinite(wave).all(), "loud requests do not clip"


def tokens_of(voice: Synthesizer, text: str) -> list[str]:
    (line,) = voice.script.lines(text, voice.config.inference)
    return [voice.script.frontend.tokens[i] for i in line.ids]


def test_a_mark_is_added_where_a_sentence_has_none(voice: Synthesizer) -> None:
    assert tokens_of(voice, "Hello") == tokens_of(voice, "Hello.") and tokens_of(voice, "Hello")[-2:] == [".", "$"]
    assert tokens_of(voice, "Hello?")[-2:] == ["?", "$"]


def test_sentences_without_words_are_left_out(voice: Synthesizer) -> None:
    assert np.array_equal(voice.tts("One. *** Two.\n\n---\n\nThree.")[0], voice.tts("One. Two.\n\nThree.")[0])


def test_wrong_braces_say_where(voice: Synthesizer) -> None:
    with pytest.raises(TextError, match="QQ.*Then"):
        voice.tts("All is well. Then {QQ AH0} comes.")
    refused: list[TextError] = []
    made = np.concatenate(list(voice.narrate("All is well. Then {QQ AH0} comes. Done.", on_refused=refused.append)))
    assert len(refused) == 1 and np.array_equal(made, voice.tts("All is well. Done.")[0])


@pytest.mark.parametrize(
    ("controls", "what"),
    [({"speed": 9}, "speed"), ({"speed": 0}, "speed"), ({"pitch": math.nan}, "pitch"), ({"energy": 99}, "energy"),
     ({"leading_silence": -1}, "leading_silence"), ({"sentence_silence": math.inf}, "sentence_silence"),
     ({"target_level_db": 3.0}, "target_level_db"), ({"speed": "fast"}, "speed")],
)  # fmt: skip
def test_controls_out_of_range(voice: Synthesizer, controls: dict[str, float], what: str) -> None:
    with pytest.raises(UserError, match=f"^{what}: .* is given$"):
        voice.tts("Hello.", **controls)


def test_unknown_controls_are_named(voice: Synthesizer) -> None:
    with pytest.raises(TypeError, match="'tempo'.*speed"):
        voice.tts("Hello.", tempo=2.0)


def test_out_of_memory_says_what_to_lower(voice: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(frames: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(voice.network.generator, "forward", full)
    for speak in (lambda: voice.tts("Hello."), lambda: list(voice.stream("Hello."))):
        with pytest.raises(UserError, match=r"inference\.max_batch_frames \(now 16000\)"):
            speak()


def test_samples_that_are_no_numbers_are_an_error(voice: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    original = voice.network.generator.forward
    monkeypatch.setattr(voice.network.generator, "forward", lambda frames: original(frames) * math.nan)
    for speak in (lambda: voice.tts("Hello.", target_level_db=-20.0), lambda: list(voice.stream("Hello."))):
        with pytest.raises(UserError, match="no numbers"):
            speak()


def test_what_is_no_experiment(folder: Path, tmp_path: Path) -> None:
    untrained = make_experiment(tmp_path / "untrained", steps=())
    for place, message in ((tmp_path / "absent", "no such folder"), (tmp_path, "no experiment"),
                           (untrained, "no complete checkpoint")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            Synthesizer.from_experiment(place)
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        Synthesizer.from_experiment(folder, "cpu", overrides=["inference.precision=fp16"])
    for device in ("cuda:99", "toaster"):
        with pytest.raises(UserError, match=device):
            Synthesizer.from_experiment(folder, device)


def test_a_config_that_does_not_fit_is_named_by_its_keys(folder: Path) -> None:
    overrides = ["model.hidden_channels=32", "model.discriminator.periods=[3]", "model.encoder.dropout=0"]
    with pytest.raises(UserError) as refused:
        Synthesizer.from_experiment(folder, "cpu", overrides=overrides)
    assert str(refused.value) == (
        f"{folder} does not fit this config: model.hidden_channels is 16 there, 32 here; speak with its own settings: "
        "leave out --config, and --set of these keys"
    )
    # These would load, and speak wrongly.
    for key in ("preprocess.sample_rate=16000", "model.encoder.heads=1"):
        with pytest.raises(UserError, match=rf"does not fit this config: {key.split('=')[0]} is \d+ there, \d+ here; "):
            Synthesizer.from_experiment(folder, "cpu", overrides=[key])


def test_long_text_takes_constant_memory(voice: Synthesizer) -> None:
    def peak(paragraphs: int) -> int:
        text = (f"Yes {'no ' * (i % 7)}it is. So.\n\n" for i in range(paragraphs))
        tracemalloc.start()
        total = sum(len(wave) for wave in voice.narrate(text))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total > paragraphs * RATE // 2
        return used

    peak(10)
    # Audio of 60 more paragraphs would take 5 MB.
    assert peak(80) < peak(20) + 500_000
