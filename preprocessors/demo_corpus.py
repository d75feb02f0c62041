"""A demonstration corpus that needs no download: espeak-ng's library reads sentences of our own.

It shows that the stages work and what they write; a voice trained on it sounds like a toy. The library comes from the
pip package espeakng-loader (espeak-ng is GPL-3.0-or-later), which nothing but this demonstration needs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile

from preprocessors.download import is_corpus
from utils.errors import UserError
from utils.paths import project_path, shown

SENTENCES = Path(__file__).with_name("demo_sentences.txt")
_VOICE = b"en-us"
_RATE_WORDS_PER_MINUTE = 160

# Constants of espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_RATE_PARAMETER = 1
_CHARACTER_POSITION = 1
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """espeak-ng's library, text in and samples out, without a sound device; it has one state for the whole process."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            raise UserError(
                "the demonstration corpus needs the package espeakng-loader: "
                "pip install -r egs/tts/Jets/requirements-demo.txt"
            ) from None
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise UserError(f"espeak-ng's library cannot be loaded ({error})") from None
        data = os.fsencode(espeakng_loader.get_data_path())
        self.sample_rate = self._library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, ctypes.c_char_p(data), 0)
        if self.sample_rate <= 0:
            raise UserError(f"espeak-ng does not start with its data in {os.fsdecode(data)}")
        self._blocks: list[np.ndarray] = []
        # The library calls it as long as it lives, so it must not be collected.
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(_VOICE) != 0:
            raise UserError(f"espeak-ng has no voice {_VOICE.decode()!r}")
        self._library.espeak_SetParameter(_RATE_PARAMETER, _RATE_WORDS_PER_MINUTE, 0)

    def _receive(self, samples: ctypes._Pointer, count: int, events: int) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, text: str) -> np.ndarray:
        """Samples (N,) int16 at `sample_rate` of one sentence."""
        self._blocks.clear()
        encoded = text.encode("utf-8") + b"\0"
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _CHARACTER_POSITION, 0, _UTF8, None, None
        )
        if status != 0 or not self._blocks:
            raise UserError(f"espeak-ng could not speak {text!r}")
        return np.concatenate(self._blocks)

    def close(self) -> None:
        """The library must not call back into an object that is gone.

        It stays initialised: its memory is the whole process', and phonemes may be asked for after this.
        """
        self._library.espeak_SetSynthCallback(None)


def demo_sentences() -> list[str]:
    """The sentences to read."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def build_demo_corpus(folder: Path) -> float:
    """Write the corpus in LJSpeech's layout unless it is there; returns its length in seconds."""
    if not is_corpus(folder):
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{shown(folder)} exists and is no corpus; move it away")
        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / "wavs").mkdir(parents=True)
        rows = []
        with closing(Espeak()) as espeak:
            for number, sentence in enumerate(demo_sentences(), start=1):
                name = f"demo-{number:03d}"
                soundfile.write(temporary / "wavs" / f"{name}.wav", espeak.speak(sentence), espeak.sample_rate)
                rows.append(f"{name}|{sentence}|{sentence}\n")
        (temporary / "metadata.csv").write_text("".join(rows), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        os.replace(temporary, folder)
    return sum(soundfile.info(path).duration for path in (folder / "wavs").glob("*.wav"))


def main() -> int:
    """Exit status: 0, or 2 for what the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("folder", help="where the corpus goes, relative to the project or absolute")
    folder = project_path(parser.parse_args().folder)
    try:
        seconds = build_demo_corpus(folder)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"demonstration corpus: {len(demo_sentences())} sentences, {seconds / 60:.1f} minutes, in {shown(folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
