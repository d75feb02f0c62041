"""A corpus as it is on the disk now: its rows, with a key for each, in the groups that become shards."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from config.schema import PreprocessConfig
from processors.corpus import UTTERANCE_KEYS, digest, fingerprint

# Utterances that are worked on together and share a file: few enough that little is lost by an interruption.
MEAN_GROUP, LARGEST_GROUP = 64, 128


@dataclass(frozen=True)
class SourceRow:
    """What a corpus says of one utterance. `kind` (for counting) and `reason` say why a row is none.

    `key` changes when anything that the utterance's features depend on changes.
    """

    id: str
    text: str = ""
    audio: Path = Path()
    speaker: str = ""
    language: str = ""
    kind: str = ""
    reason: str = ""
    key: str = ""


def with_keys(rows: Iterable[SourceRow], preprocess: PreprocessConfig) -> list[SourceRow]:
    """The rows with their keys, in which a recording counts by its size and date; those without one are left out."""
    common = fingerprint(preprocess, UTTERANCE_KEYS)
    result = []
    for row in rows:
        if not row.kind:
            name = row.audio.name
            try:
                status = os.stat(row.audio)
            except OSError as error:
                row = replace(row, kind="missing audio", reason=f"{name}: {error.strerror}")
            else:
                key = digest([common, row.id, row.text, name, status.st_size, status.st_mtime_ns])
                row = replace(row, key=key)
        result.append(row)
    return result


def grouped(rows: list[SourceRow]) -> list[list[SourceRow]]:
    """Good rows in groups of neighbours, about MEAN_GROUP each.

    A group ends at an id with a certain hash, so that a row more or less moves no other group's borders.
    """
    groups: list[list[SourceRow]] = [[]]
    for row in rows:
        groups[-1].append(row)
        mark = hashlib.blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=4).digest()
        if len(groups[-1]) == LARGEST_GROUP or int.from_bytes(mark, "big") % MEAN_GROUP == 0:
            groups.append([])
    return [group for group in groups if group]


def group_key(group: list[SourceRow]) -> str:
    """Changes when any of its rows does."""
    return digest([row.key for row in group])
