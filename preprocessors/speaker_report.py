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
    columns = (found.languages, found.speakers)
    (languages, spoken), (speakers, voice) = (np.unique(names.astype(str), return_inverse=True) for names in columns)
    pairs, which = np.unique(spoken * len(speakers) + voice, return_inverse=True)
    if len(pairs) < 2:
        return []
    own = [str(languages[pair // len(speakers)]) for pair in pairs]
    names = [str(speakers[pair % len(speakers)]) for pair in pairs]
    minutes = np.bincount(which, found.seconds) / 60
    by_length = np.argsort(-minutes, kind="stable")
    listed, others = np.sort(by_length[:MOST_LISTED]), by_length[MOST_LISTED:]
    width = max(len("speaker"), *(len(names[number]) for number in listed)) + 2
    titles = ("utterances", *SPLITS, "minutes", "tokens", "F0")
    lines = [f"{'speaker':<{width}}{'language':<10}" + "".join(f"{title:>11}" for title in titles)]
    lines += [f"{names[n]:<{width}}{own[n]:<10}" + _cells(found, which == n) for n in listed]
    if len(others):
        lines.append(f"and {len(others)} more, of {minutes[others].mean():.1f} minutes on average")
    for number, (language, count) in enumerate(sorted(Counter(own).items())):
        if 1 < count < len(pairs):
            title = f"all {count}"
            lines.append(f"{title:<{width}}{language:<10}" + _cells(found, spoken == number))
    little = [number for number in by_length if minutes[number] < LITTLE_MINUTES]
    if little:
        named = ", ".join(f"{names[number]} {minutes[number]:.1f}" for number in little[:MOST_NAMED])
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
