"""What each speaker and each language of one or several corpora has to say: stage 1's table of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from config.schema import ExperimentConfig
from processors.corpus import SPLITS, ProcessedCorpus, corpus_directory, split_rows

LITTLE_MINUTES = 5.0
MOST_LISTED = 40  # speakers, those with the most speech
MOST_NAMED = 8  # of those with little


@dataclass(frozen=True)
class Utterances:
    """What the table needs of each utterance (N,)."""

    speakers: np.ndarray
    languages: np.ndarray
    splits: np.ndarray
    seconds: np.ndarray
    tokens: np.ndarray
    log_f0: np.ndarray  # mean of ln(Hz)

    @classmethod
    def of(cls, corpora: Sequence[ProcessedCorpus]) -> Utterances:
        """Those of all `corpora`."""
        parts = []
        for corpus in corpora:
            names = (corpus.names(column) for column in ("speaker", "language", "split"))
            seconds = corpus.frames * (corpus.hop_size / corpus.sample_rate)
            tokens = np.diff(corpus.phones[1])
            parts.append([*names, seconds, tokens, corpus.column("log_f0_sum") / corpus.frames])
        return cls(*(np.concatenate(column) for column in zip(*parts)))


def speaker_lines(found: Utterances) -> list[str]:
    """A line for each speaker of each language, sums of the languages, and whoever has too little; [] for only one."""
    pairs = sorted(set(zip(found.languages, found.speakers)))
    if len(pairs) < 2:
        return []
    mine = {pair: (found.languages == pair[0]) & (found.speakers == pair[1]) for pair in pairs}
    minutes = {pair: found.seconds[mine[pair]].sum() / 60 for pair in pairs}
    by_length = sorted(pairs, key=lambda pair: -minutes[pair])
    listed = sorted(by_length[:MOST_LISTED])
    width = max(len("speaker"), *(len(speaker) for _, speaker in listed)) + 2
    titles = ("utterances", *SPLITS, "minutes", "tokens", "F0")
    lines = [f"{'speaker':<{width}}{'language':<10}" + "".join(f"{title:>11}" for title in titles)]
    lines += [
        f"{speaker:<{width}}{language:<10}" + _cells(found, mine[language, speaker]) for language, speaker in listed
    ]
    if others := by_length[MOST_LISTED:]:
        rest = sum(minutes[pair] for pair in others) / len(others)
        lines.append(f"and {len(others)} more, of {rest:.1f} minutes on average")
    counts = Counter(language for language, _ in pairs)
    for language, count in sorted(counts.items()):
        if 1 < count < len(pairs):
            title = f"all {count}"
            lines.append(f"{title:<{width}}{language:<10}" + _cells(found, found.languages == language))
    if little := [pair for pair in by_length if minutes[pair] < LITTLE_MINUTES]:
        named = ", ".join(f"{speaker} {minutes[language, speaker]:.1f}" for language, speaker in little[:MOST_NAMED])
        more = f" and {len(little) - MOST_NAMED} more" if len(little) > MOST_NAMED else ""
        lines.append(f"warning: less than {LITTLE_MINUTES:g} minutes of speech, too little to be learnt: {named}{more}")
    return lines


def _cells(found: Utterances, mine: np.ndarray) -> str:
    splits = [int((found.splits[mine] == split).sum()) for split in SPLITS]
    f0 = np.exp(np.average(found.log_f0[mine], weights=found.seconds[mine]))
    counts = "".join(f"{number:>11}" for number in (int(mine.sum()), *splits))
    return f"{counts}{found.seconds[mine].sum() / 60:>11.2f}{int(found.tokens[mine].sum()):>11}{f0:>8.0f} Hz"


def joint_report(config: ExperimentConfig) -> str:
    """The table of all corpora of a config that stage 1 has made, and what training leaves out of one for another."""
    names = config.dataset
    corpora = [ProcessedCorpus.open(corpus_directory(config.preprocess, n), config.preprocess_of(n)) for n in names]
    lines = [f"all corpora: {', '.join(names)}", *speaker_lines(Utterances.of(corpora))]
    left_out = [len(c.rows("train")) - len(rows) for c, rows in zip(corpora, split_rows(corpora, "train"))]
    if any(left_out):
        counts = ", ".join(f"{count} of {name}" for name, count in zip(names, left_out) if count)
        lines.append(f"training leaves out texts that another corpus holds out: {counts}")
    return "\n".join(lines)
