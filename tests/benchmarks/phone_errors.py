"""Which phones of a voice a recogniser mishears, from reports of stage 4.

Usage: python tests/benchmarks/phone_errors.py REPORT [REPORT ...] [--least 20]

What was said and what was heard both go through the front end and are aligned phone by phone, without stress. So words
that are only written in another way ("grey", "gray") count for nothing, which they do in WER. Of several reports the
phones are added up. If the reports have recordings, those stand beside the voice.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.evaluation.listening import align  # noqa: E402
from models.evaluation.report import read_report  # noqa: E402
from processors.text.arpabet import CONSONANTS, VOWELS  # noqa: E402
from processors.text.characters import TextError  # noqa: E402
from processors.text.frontend import TextFrontEnd  # noqa: E402
from utils.errors import UserError  # noqa: E402


@dataclass
class PhoneErrors:
    """How often each phone was said, and what was heard in its place ("" is nothing); `extra` was heard only."""

    said: Counter[str] = field(default_factory=Counter)
    heard: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    extra: Counter[str] = field(default_factory=Counter)

    def add(self, said: list[str], heard: list[str]) -> None:
        """Count one utterance."""
        self.said.update(said)
        for kind, expected, other in align(said, heard):
            if kind == "extra":
                self.extra[other] += 1
            elif kind != "same":
                self.heard[expected][other] += 1

    def lost(self, phones: Iterable[str]) -> int:
        """How many of these phones were heard as another one or not at all."""
        return sum(self.heard[phone].total() for phone in phones)

    def rate(self, phones: Iterable[str] | None = None) -> float:
        """Per cent of these phones that were lost; of all phones, together with what was heard only."""
        chosen = list(self.said if phones is None else phones)
        errors = self.lost(chosen) + (self.extra.total() if phones is None else 0)
        return 100.0 * errors / max(1, sum(self.said[phone] for phone in chosen))


def phones_of(front_end: TextFrontEnd, text: str) -> list[str]:
    """Phones without stress and punctuation; none of a text that cannot be spoken."""
    try:
        tokens = front_end.phonemise(text)
    except TextError:
        return []
    bare = [token.rstrip("012") for token in tokens]
    return [phone for phone in bare if phone in VOWELS or phone in CONSONANTS]


def main() -> int:
    """Print the share of lost phones, by class and by phone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT")
    parser.add_argument("--least", type=int, default=20, help="leave out phones said less often (default: 20)")
    arguments = parser.parse_args()
    front_end = TextFrontEnd()
    voice, recordings = PhoneErrors(), PhoneErrors()
    try:
        for path in arguments.reports:
            for record in read_report(path)[0].utterances:
                if record.expected is None or record.heard is None:
                    continue
                said = phones_of(front_end, record.expected)
                voice.add(said, phones_of(front_end, record.heard))
                if record.recording_heard is not None:
                    recordings.add(said, phones_of(front_end, record.recording_heard))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not voice.said:
        print("error: these reports hold nothing that was recognised (evaluate.asr_model)", file=sys.stderr)
        return 2

    def beside(phones: Iterable[str] | None) -> str:
        return f"{recordings.rate(phones):.1f}" if recordings.said else "–"

    print("| phones | said | lost % | recordings % | most often heard as |\n| --- | ---: | ---: | ---: | --- |")
    every = f"all, with {voice.extra.total()} heard only | {voice.said.total()}"
    print(f"| {every} | {voice.rate():.1f} | {beside(None)} | |")
    for name, group in (("vowels", VOWELS), ("consonants", CONSONANTS)):
        said = sum(voice.said[phone] for phone in group)
        print(f"| {name} | {said} | {voice.rate(group):.1f} | {beside(group)} | |")
    common = [phone for phone, said in voice.said.items() if said >= arguments.least]
    for phone in sorted(common, key=lambda phone: -voice.rate([phone])):
        shown = ", ".join(f"{heard or 'nothing'} {count}" for heard, count in voice.heard[phone].most_common(3))
        print(f"| {phone} | {voice.said[phone]} | {voice.rate([phone]):.1f} | {beside([phone])} | {shown} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
