"""A book chapter: memory over time, real-time factor, and whether anything clicks where pieces meet.

    python tests/benchmarks/long_text.py [--expt_dir DIR] [--characters 50000] [--device cpu] [--generator istft]

Resident memory is read after each tenth of the text. A click is a jump between neighbouring samples: the jumps at
sentence ends and at the borders of streamed pieces are laid beside all others of the same speech.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from synthesis_speed import GENERATORS, PARAGRAPH, random_voice  # noqa: E402

from models.tts.jets.synthesizer import Synthesizer  # noqa: E402


def chapter(characters: int) -> Iterator[str]:
    """Sentences of PARAGRAPH in random order, in paragraphs, until there are so many characters."""
    order = random.Random(0)
    sentences = [f"{part.strip('. ')}." for part in PARAGRAPH.split(". ")]
    written = 0
    while written < characters:
        paragraph = " ".join(order.choices(sentences, k=order.randint(2, 7))) + "\n\n"
        written += len(paragraph)
        yield paragraph


def resident_megabytes() -> float:
    """Resident memory of this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--expt_dir", help="a trained experiment instead of random weights")
    parser.add_argument("--generator", choices=GENERATORS, default="istft", help="with random weights")
    parser.add_argument("--characters", type=int, default=50_000)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.expt_dir:
        voice = Synthesizer.from_experiment(arguments.expt_dir, arguments.device)
    else:
        voice = random_voice(arguments.generator, arguments.device)

    characters, seconds, jumps_at_ends = 0, 0.0, []

    def counted() -> Iterator[str]:
        nonlocal characters
        for paragraph in chapter(arguments.characters):
            if characters * 10 // arguments.characters != (characters + len(paragraph)) * 10 // arguments.characters:
                minutes = (time.perf_counter() - started) / 60
                print(f"{characters} characters, {minutes:.1f} min, resident {resident_megabytes():.0f} MB", flush=True)
            characters += len(paragraph)
            yield paragraph

    started, computed = time.perf_counter(), time.process_time()
    last = 0.0
    for wave in voice.narrate(counted(), sentence_silence=0.0, paragraph_silence=0.0):
        jumps_at_ends.append(abs(float(wave[0]) - last))
        last = float(wave[-1])
        seconds += len(wave) / voice.sample_rate
    spent, computed = time.perf_counter() - started, time.process_time() - computed
    print(f"{characters} characters, {seconds / 60:.1f} min of audio in {spent:.1f} s: RTF {spent / seconds:.4f}")
    print(f"processor time {computed:.1f} s: {computed / seconds:.4f} for each second of audio")

    pieces = list(voice.stream(PARAGRAPH * 3, sentence_silence=0.0))
    whole = np.concatenate(pieces)
    jumps = np.abs(np.diff(whole))
    borders = np.array(list(itertools.accumulate(map(len, pieces)))[:-1]) - 1
    print(f"jumps between samples, all: 99.9 % below {np.quantile(jumps, 0.999):.5f}, largest {jumps.max():.5f}")
    print(f"at {len(borders)} borders of streamed pieces: largest {jumps[borders].max():.5f}")
    print(f"at {len(jumps_at_ends)} sentence ends: largest {max(jumps_at_ends):.5f}")
    difference = np.abs(whole - voice.tts(PARAGRAPH * 3, sentence_silence=0.0)[0]).max()
    print(f"stream against one pass: largest difference {difference:.2e}")


if __name__ == "__main__":
    main()
