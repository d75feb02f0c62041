"""How often `normalise` reads LJSpeech's second column as its third column does, with the differences by kind.

Usage: python tests/benchmarks/normaliser_agreement.py [--list N] [--corpora ../shared/corpora]

A line counts if its columns differ, or if its second column holds digits, signs or abbreviations. Both columns go
through the same front-end; punctuation, capitals and hyphens are ignored. Also phonemises every line and prints lines
per second.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import re
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from processors.text.frontend import TextFrontEnd  # noqa: E402
from processors.text.normalise import normalise  # noqa: E402
from processors.text.number_words import cardinal, ordinal  # noqa: E402

_MARKED = re.compile(r"[0-9£$&%@#+=/°]|\b(?:[A-Z]\.){1,}|\b(?:Mr|Mrs|Dr|St|Co|Jr|Messrs|No|etc|Maj|Capt)\b\.?")


_DAYS = {cardinal(str(day)).replace("-", " "): ordinal(str(day)).replace("-", " ") for day in range(1, 32)}
_DAYS |= {day: day for day in _DAYS.values()}
_DAY = re.compile(
    r"\b(january|february|march|april|may|june|july|august|september|october|november|december) "
    rf"({'|'.join(sorted(_DAYS, key=len, reverse=True))})(?= |$)"
)


def words(text: str) -> list[str]:
    """Words that are compared: lower case, hyphens split, no punctuation, days of months as ordinals.

    The third column says both "November twenty-two" and "November twenty-second".
    """
    plain = " ".join(re.findall(r"[a-z']+", text.lower().replace("-", " ")))
    return _DAY.sub(lambda match: f"{match[1]} {_DAYS[match[2]]}", plain).split()


def read(path: Path) -> list[list[str]]:
    """Lines of a metadata.csv: id, written, read."""
    return [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()]


_DIGIT_WORDS = frozenset("zero oh one two three four five six seven eight nine".split())


def kind(ours: list[str], theirs: list[str]) -> str:
    """What sort of difference this is, from the words that differ and their neighbours."""
    if (
        "hundred" in ours
        and "thousand" in theirs
        and "thousand" not in ours
        or "hundred" in theirs
        and "thousand" in ours
    ):
        return "hundreds: the reader says both 'fifteen hundred pounds' and 'one thousand two hundred pounds'"
    if "by" in ours and "x" in theirs:
        return "'6.5 x 4 x': we say 'by', the third column keeps x"
    if any(len(word) == 1 and word not in "aix" for word in theirs) and not any(len(word) == 1 for word in ours):
        return "initialisms that the third column spells ('I.Q.' for IQ); the phones are the same"
    digits = sum(word in _DIGIT_WORDS for word in theirs) - sum(word in _DIGIT_WORDS for word in ours)
    if digits > 0:
        return "house numbers and exhibits: the reader says some in pairs, some digit by digit"
    if digits < 0:
        return "serial numbers: one of many is in pairs in the third column, the others are digit by digit"
    if len(ours) != len(theirs):
        return "slips of the third column: a word more or less"
    return "others"


def compare(rows: list[list[str]], shown: int) -> None:
    """Print the agreement of one corpus and its differences."""
    differing = [row for row in rows if row[1] != row[2]]
    marked = [row for row in rows if row[1] != row[2] or _MARKED.search(row[1])]
    found = collections.defaultdict(list)
    for name, written, read_out in marked:
        ours, theirs = words(normalise(written)), words(normalise(read_out))
        if ours == theirs:
            continue
        kinds = []
        for tag, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
            if tag != "equal":
                near_ours, near_theirs = ours[max(0, a - 3) : b + 3], theirs[max(0, c - 3) : d + 3]
                kinds.append((kind(near_ours, near_theirs), near_ours, near_theirs))
        found[kinds[0][0]].append((name, kinds))
    lines = sum(map(len, found.values()))
    print(f"  lines {len(rows)}, columns differ {len(differing)}, with digits, signs or abbreviations {len(marked)}")
    for denominator, label in ((differing, "columns differ"), (marked, "digits, signs, abbreviations")):
        print(f"  disagreeing {lines} = {100 * lines / max(1, len(denominator)):.2f} % of the lines where {label}")
    for name, items in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"  {len(items):4d}  {name}")
        for line, differences in items[:shown]:
            for _, ours, theirs in differences:
                print(f"          {line}: ours {' '.join(ours)!r}, theirs {' '.join(theirs)!r}")


def main() -> None:
    """Measure both corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=PROJECT.parent / "shared" / "corpora")
    parser.add_argument("--list", type=int, default=5, metavar="N", help="differences to show of each kind")
    options = parser.parse_args()
    front_end = TextFrontEnd()
    known = set(front_end.tokens)
    for name in ("ljspeech_text", "kathleen"):
        path = options.corpora / name / "metadata.csv"
        if not path.exists():
            print(f"{name}: {path} is missing; this measurement needs the corpora folder (--corpora)")
            continue
        rows = read(path)
        print(name)
        compare(rows, options.list)
        start = time.process_time()
        for row in rows:
            for text in row[1:3]:
                unknown = set(front_end.phonemise(text)) - known
                if unknown:
                    raise SystemExit(f"{row[0]}: unknown symbols {unknown}")
        seconds = time.process_time() - start
        texts = 2 * len(rows)
        milliseconds = 1000 * seconds / texts
        print(f"  phonemised {texts} texts without an exception, {milliseconds:.2f} ms of CPU time each")


if __name__ == "__main__":
    main()
