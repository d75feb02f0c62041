"""Speak with an exported voice: numpy, onnxruntime and the text front-end, no torch.

usage: python -m processors.onnx_voice --voice DIR --text TEXT (--out FILE.wav | --stream)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from processors.audio.wav import WavWriter, to_pcm16
from processors.text.frontend import TextError, TextFrontEnd
from processors.text.sentences import split_sentences
from processors.text.tokens import PUNCTUATION, load_tokens
from utils.errors import UserError

MODEL = "voice.onnx"
FIRST_FRAMES = 24  # of the first streamed piece: 0.28 s at 22,050 Hz and hop 256
_FADE_SECONDS = 0.003  # at both ends of a sentence, against clicks


class OnnxVoice:
    """A folder that `bins/export.py` wrote."""

    def __init__(self, directory: Path | str, threads: int = 0) -> None:
        """Load a voice; `threads` of the CPU at most, 0 for all.

        :raises UserError: the folder is no exported voice, or a package is missing.
        """
        folder = Path(directory).expanduser()
        try:
            self.config = json.loads((folder / f"{MODEL}.json").read_text(encoding="utf-8"))
            own = self.config["jets"]
            self.sample_rate, self.hop_size = self.config["audio"]["sample_rate"], self.config["hop_length"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder} is no exported voice: {MODEL}.json cannot be read ({error})") from None
        self.defaults, self._reach = own["inference"], own["receptive_field"]
        tokens, lexicon = folder / "tokens.json", folder / "lexicon.txt"
        self._ids = {token: index for index, token in enumerate(load_tokens(tokens)["tokens"])}
        self.frontend = TextFrontEnd.from_config(
            SimpleNamespace(
                phone_extractor=own["phone_extractor"],
                language=own["language"],
                lexicon_path=str(lexicon) if lexicon.is_file() else None,
                tokens_path=str(tokens),
            )
        )
        self.frontend.phonemise("a")  # dictionaries load at the first text: let that be part of loading
        try:
            import onnxruntime
        except ImportError:
            raise UserError("an exported voice needs onnxruntime: run `pip install onnxruntime`") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes derive from nothing more precise
            raise UserError(f"{folder / MODEL} cannot be loaded ({error}); export the voice again") from None

    def tts(self, text: str, **controls: float) -> tuple[np.ndarray, int]:
        """Speak a text: a waveform (N,) float32 in [-1, 1], and its sample rate in Hz.

        Controls (default: those of the folder): speed (2.0 is twice as fast), pitch (semitones), energy (dB).

        :raises TextError: there is nothing to speak, or phones in braces are wrong.
        """
        return np.concatenate(list(self.narrate(text, **controls))), self.sample_rate

    def narrate(self, text: str | Iterable[str], **controls: float) -> Iterator[np.ndarray]:
        """Speak a text of any length, sentence by sentence: waveforms (N,) float32, silences included."""
        for silence, ids in self._lines(text):
            yield np.concatenate([silence, self.speak_ids(ids, **controls)[0]]) if ids else silence

    def stream(self, text: str | Iterable[str], **controls: float) -> Iterator[np.ndarray]:
        """Speak a text in pieces (n,) float32, the first one as soon as possible; together they are that of `tts`."""
        for silence, ids in self._lines(text):
            if len(silence):
                yield silence
            start, total, count = 0, 1, FIRST_FRAMES
            while ids and start < total:
                began = time.perf_counter()
                wave, durations = self.speak_ids(ids, start, count, **controls)
                yield wave
                total = int(durations.sum())
                # The next piece is as long as can be made while this one plays (the text part is made again each time).
                speed = (count + 2 * self._reach) / (time.perf_counter() - began)
                start += count
                count = max(2 * count, round(0.7 * speed * len(wave) / self.sample_rate))

    def speak_ids(
        self, ids: list[int], first_frame: int = 0, frames: int = 0, *, speed: float | None = None,
        pitch: float | None = None, energy: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Waveform (N,) of token ids, or of `frames` frames of it from `first_frame`, and each token's duration."""
        given = (speed, pitch, energy)
        names = ("speed", "pitch_semitones", "energy_db")
        tempo, semitones, decibels = (self.defaults[n] if g is None else g for n, g in zip(names, given))
        if not 0.25 <= tempo <= 4:
            raise UserError(f"speed must lie between 0.25 and 4, but {tempo} is given")
        scales = np.array([0, 1 / tempo, 0, semitones, decibels, first_frame, frames], dtype=np.float32)
        feeds = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales}
        wave, durations = self._session.run(None, feeds)
        wave, durations = np.clip(wave.reshape(-1), -1, 1), durations[0]
        position = first_frame * self.hop_size + np.arange(0.5, len(wave))
        from_edge = np.minimum(position, durations.sum() * self.hop_size - position)
        ramp = round(_FADE_SECONDS * self.sample_rate)
        return (wave * np.clip(from_edge / ramp, 0, 1)).astype(np.float32), durations

    def _lines(self, text: str | Iterable[str]) -> Iterator[tuple[np.ndarray, list[int]]]:
        """Token ids of each sentence and the silence in front of it; at the end perhaps a silence alone."""
        defaults, limit = self.defaults, self.defaults["max_sentence_chars"]
        pause, refused = defaults["leading_silence"], None
        spoken = False
        for sentence in split_sentences(text, limit):
            try:
                tokens = self.frontend.phonemise(sentence.text)
            except TextError as error:
                refused = error
                if "{" in sentence.text or "}" in sentence.text:
                    raise
            else:
                # As in training: a sentence ends with a mark; what was cut from a longer one goes on. A voice from
                # ESPnet, which knows no end token, is left as ESPnet has it.
                goes_on = len(sentence.text) > limit // 2 and not sentence.ends_paragraph
                mark, end = "," if goes_on else ".", len(tokens) - len(self.frontend.end)
                if self.frontend.end and tokens[end - 1] not in PUNCTUATION and mark in self._ids:
                    tokens.insert(end, mark)
                yield self._silence(pause), [self._ids[token] for token in tokens]
                spoken, pause = True, 0.0
            if spoken:
                kind = "paragraph_silence" if sentence.ends_paragraph else "sentence_silence"
                pause = max(pause, defaults[kind])
        if not spoken:
            raise refused or TextError("the text is empty")
        if defaults["trailing_silence"] > 0:
            yield self._silence(defaults["trailing_silence"]), []

    def _silence(self, seconds: float) -> np.ndarray:
        return np.zeros(round(seconds * self.sample_rate), dtype=np.float32)


def main() -> int:
    """Exit status: 0, or 2 for what the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--voice", required=True, type=Path, help="folder that bins/export.py wrote")
    parser.add_argument("--text", help="text to speak (default: standard input)")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, help="wav file to write")
    where.add_argument("--stream", action="store_true", help="raw 16-bit mono audio to standard output, for aplay")
    parser.add_argument("--speed", type=float, help="tempo, 2 is twice as fast")
    parser.add_argument("--pitch", type=float, help="pitch shift in semitones")
    parser.add_argument("--energy", type=float, help="vocal effort in dB")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    args = parser.parse_args()
    controls = {"speed": args.speed, "pitch": args.pitch, "energy": args.energy}
    text = sys.stdin if args.text is None else args.text
    try:
        voice = OnnxVoice(args.voice, args.threads)
        if args.stream:
            for piece in voice.stream(text, **controls):
                sys.stdout.buffer.write(to_pcm16(piece).tobytes())
                sys.stdout.buffer.flush()
            return 0
        with WavWriter(args.out, voice.sample_rate) as wav:
            for wave in voice.narrate(text, **controls):
                wav.write(wave)
        print(f"{args.out}: {wav.seconds:.2f} s at {voice.sample_rate} Hz")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
