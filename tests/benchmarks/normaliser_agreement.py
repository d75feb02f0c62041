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

_MARKED = re.compile(r"[0-9£$&%@#+=/°]|\b(?:[A-Z]\.){1,}|\b(?:Mr|Mrs|Dr|St|Co|Jr|Messrs|No|etc|Maj|Capt)\b\.?")


def words(text: str) -> list[str]:
    """Words that are compared: lower case, hyphens split, no punctuation."""
    return re.findall(r"[a-z']+", text.lower().replace("-", " "))


def read(path: Path) -> list[list[str]]:
    """Lines of a metadata.csv: id, written, read."""
    return [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()]


def kind(written: str, ours: list[str], theirs: list[str]) -> str:
    """What sort of difference this is."""
    number = re.compile(r"\d")
    if set(ours) | set(theirs) <= {"eye", "the", "first", "second", "third", "fourth", "i"}:
        return "Roman numerals"
    if "and" in ours + theirs and len(ours) != len(theirs):
        return "and"
    return "numbers" if number.search(written) else "other"


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
                kinds.append(
                    (kind(written, ours[a:b], theirs[c:d]), ours[max(0, a - 3) : b + 2], theirs[max(0, c - 3) : d + 2])
                )
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
        start = time.perf_counter()
        for row in rows:
            for text in row[1:3]:
                unknown = set(front_end.phonemise(text)) - known
                if unknown:
                    raise SystemExit(f"{row[0]}: unknown symbols {unknown}")
        seconds = time.perf_counter() - start
        print(f"  phonemised {2 * len(rows)} texts without an exception: {2 * len(rows) / seconds:.0f} a second, "
              f"{1000 * seconds / (2 * len(rows)):.2f} ms each")  # fmt: skip


if __name__ == "__main__":
    main()
