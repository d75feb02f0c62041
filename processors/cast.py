"""The cast of a voice: who can speak, in which languages, and whom a user means by a name."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from processors.corpus import ProcessedCorpus
from processors.text.characters import TextError
from processors.text.prosody import NEUTRAL, Prosody
from utils.errors import UserError, one_line
from utils.files import regular
from utils.strict import nearest

_SHARE = re.compile(r"(.*?)(?::(\d*\.?\d+)|\((\d*\.?\d+)\))?", re.DOTALL)


class UnknownName(UserError):
    """A speaker or a language that the voice does not have; `near` is the known one that looks like it, or None."""

    def __init__(self, problem: str, asked: str, known: Sequence[str]) -> None:
        self.near = nearest(asked, list(known))
        hint = f"did you mean {self.near}? " if self.near else ""
        super().__init__(f"{problem}: {hint}it has {', '.join(known)}")


@dataclass(frozen=True)
class Cast:
    """Speakers and languages of a voice, numbered in their order; voices of before know neither by name."""

    speakers: Mapping[str, str] = field(default_factory=dict)  # name -> the language of most that it was heard in
    languages: tuple[str, ...] = ()
    language: str = ""  # what is spoken where nobody says otherwise
    espeak: str = ""  # release of espeak-ng that read what it was trained on, if any did
    vector_size: int = 0  # of voices whose speakers are vectors in files

    @classmethod
    def of(cls, corpora: Sequence[ProcessedCorpus], language: str, before: Cast | None = None) -> Cast:
        """Who is heard in these corpora, sorted, behind those of a voice that training goes on from."""
        frames: dict[str, Counter[str]] = {}
        languages: set[str] = set()
        for corpus in corpora:
            (speakers, names), (tongues, spoken) = corpus.codes("speaker"), corpus.codes("language")
            languages.update(corpus.present("language"))
            counts = np.bincount(speakers.astype(np.int64) * len(spoken) + tongues, corpus.frames)
            for pair in np.flatnonzero(counts):
                who, tongue = divmod(int(pair), len(spoken))
                frames.setdefault(names[who], Counter())[spoken[tongue]] += int(counts[pair])
        old = before or cls()
        known = dict(old.speakers)
        # The usual language of two that are as usual is the first by name.
        found = {name: min(frames[name], key=lambda one: (-frames[name][one], one)) for name in sorted(frames) if name}
        own = {name: spoken for name, spoken in found.items() if name not in known}
        new = sorted(languages - {""} - set(old.languages))
        release = next((corpus.espeak for corpus in corpora if corpus.espeak), old.espeak)
        return cls({**known, **own}, (*old.languages, *new), language, release)

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Cast:
        """The one in a token table, as `load_tokens` gives it."""
        names = table.get("speakers", {}), tuple(table.get("languages", ()))
        return cls(*names, table["language"], table.get("espeak", ""))

    def table(self) -> dict[str, Any]:
        """What `save_tokens` writes of it."""
        return {"speakers": dict(self.speakers), "languages": list(self.languages), "espeak": self.espeak}

    def numbers(self, corpus: ProcessedCorpus, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Speakers and languages (utterances,) of some rows of a corpus, as numbers; UserError for one not in the cast.

        Where there is no choice they are 0.
        """
        tables: tuple[Sequence[str], ...] = (list(self.speakers), self.languages)
        found = [np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)]
        for number, (column, known) in enumerate(zip(("speaker", "language"), tables)):
            if len(known) < 2:
                continue
            numbers, names = corpus.codes(column)
            places = {name: place for place, name in enumerate(known)}
            found[number] = np.array([places.get(name, -1) for name in names], np.int64)[numbers[rows]]
            if strange := sorted({names[code] for code in numbers[rows][found[number] < 0]}):
                where = f"{corpus.directory.name} has utterances of the {column} {strange[0]!r}"
                raise UnknownName(f"{where}, whom this voice does not know", strange[0], known)
        return found[0], found[1]

    @property
    def main_language(self) -> str:
        """What is spoken where nobody says otherwise."""
        return self.language if self.language in self.languages or not self.languages else self.languages[0]

    def native(self, language: str) -> str:
        """The first speaker of a language, or else the first of all; empty for a voice without names."""
        named = [name for name, own in self.speakers.items() if own == language] or list(self.speakers)
        return named[0] if named else ""

    def manner(self, speaker: str | None, language: str | None, around: Prosody = NEUTRAL) -> Prosody:
        """`around` spoken by whom, and in the language that, a user names.

        A speaker speaks the own language unless another is named, a language is spoken by its first speaker unless
        another is named. UserError that names the nearest known name.
        """
        spoken = None if language is None else self.find_language(language)
        mixed = self.native(spoken or self.main_language) if speaker is None else self.find_speaker(speaker)
        if spoken is None:
            spoken = self.speakers.get(self._largest(mixed), self.main_language) if self.languages else ""
        return replace(around, speaker=mixed, language=spoken)

    def find_language(self, asked: str) -> str:
        """The language that is meant: "en" is "en-us" where there is no other English. UserError."""
        known = self.languages or (self.language,)
        tag = asked.strip().lower().replace("_", "-")
        for part in (lambda name: name, lambda name: name.partition("-")[0]):
            for name in known:
                if part(name.lower()) == part(tag):
                    return name if self.languages else ""
        raise UnknownName(f"this voice does not speak {asked!r}", asked, known)

    def find_speaker(self, asked: str) -> str:
        """The speaker that is meant, or a mixture such as "anna:0.6+ben:0.4" with shares of 1 in all. UserError."""
        name = asked.strip()
        if name in self.speakers:
            return name
        if self.vector_size and name.endswith(".npy"):
            _vector(name, self.vector_size)
            return name
        if not self.speakers:
            wanted = "give a .npy file with a speaker's vector" if self.vector_size else "leave the speaker out"
            raise UserError(f"this voice has no speakers by name, and {asked!r} is asked for: {wanted}")
        shares: Counter[str] = Counter()
        for part in name.split("+"):
            match = _SHARE.fullmatch(part.strip())
            one, share = (match[1].strip(), float(match[2] or match[3] or 1)) if match else (part.strip(), 1.0)
            if one not in self.speakers:
                if ("+" in name and not one) or one.partition(":")[0].strip() in self.speakers:
                    raise UserError(f"the mixture {asked!r} cannot be read; write for instance anna:0.6+ben:0.4")
                raise UnknownName(f"this voice has no speaker {one!r}", one, list(self.speakers))
            shares[one] += share  # type: ignore[assignment]
        whole = sum(shares.values())
        if not whole > 0 or not math.isfinite(whole):
            raise UserError(f"the mixture {asked!r} has no shares above 0; write for instance anna:0.6+ben:0.4")
        if len(shares) == 1:
            return next(iter(shares))
        return "+".join(f"{one}:{share / whole:.9f}" for one, share in shares.items())

    def listed(self, column: str) -> str | None:
        """Who is meant by a column that is a text in other lists; None: it is one. TextError for nearly a name."""
        if column in self.speakers:
            return column
        try:
            return self.find_speaker(column) if len(self.speakers) > 1 else None
        except UserError as error:
            parts = [part.partition(":")[0].strip() for part in column.split("+")]
            # One word that ends as none of a sentence does is a name, too.
            if _is_near(error) or parts == [column] and column.isidentifier() or set(parts) & set(self.speakers):
                raise TextError(str(error)) from None
            return None

    def shares(self, speaker: str) -> list[float]:
        """How much of each speaker is in what `find_speaker` gave; "": the first one's."""
        names = list(self.speakers)
        found = dict.fromkeys(names, 0.0)
        if speaker in found or speaker.endswith(".npy") or not speaker:
            found |= {speaker if speaker in found else name: 1.0 for name in names[:1]}
        else:
            parts = (part.rpartition(":") for part in speaker.split("+"))
            found |= {name: float(share) for name, _, share in parts}
        return list(found.values())

    def vector(self, speaker: str) -> np.ndarray:
        """The vector (vector_size,) of a speaker that is a file; zeros of any other."""
        if speaker.endswith(".npy"):
            return _vector(speaker, self.vector_size)
        return np.zeros(self.vector_size, np.float32)

    def number(self, language: str) -> int:
        """The number of a language; 0 of one without a name."""
        return self.languages.index(language) if language in self.languages else 0

    def lines(self) -> list[str]:
        """What --list_voices prints."""
        if not self.speakers:
            return ["one speaker, who has no name"]
        rows = [f"{name}  {own}" for name, own in self.speakers.items()]
        if len(self.speakers) > 1:
            first, second = list(self.speakers)[:2]
            rows.append(f"any of them in any of: {', '.join(self.languages)}")
            rows.append(f"with torch, mixed: {first}:0.6+{second}:0.4")
        return rows

    def _largest(self, speaker: str) -> str:
        """The speaker with the largest share."""
        shares = self.shares(speaker)
        return list(self.speakers)[shares.index(max(shares))] if shares else ""


class Casting:
    """Who speaks within the elements of an SSML document."""

    def __init__(self, cast: Cast, speaker_asked: bool, language_asked: bool) -> None:
        """`speaker_asked`, `language_asked`: whether somebody has chosen them for the whole document."""
        self.cast = cast
        self._speakers, self._languages = [speaker_asked], [language_asked]  # of each open element: is it chosen?
        self.understood, self.hint = False, ""  # what the last element came to

    def open(self, name: str, attributes: Mapping[str, str], around: Prosody) -> Prosody:
        """The manner inside an element; what the voice has no speaker or language for changes nothing."""
        voice = attributes.get("name") if name == "voice" else None
        tongue = attributes.get("xml:lang")
        if name == "voice":
            tongue = attributes.get("languages", attributes.get("language", tongue))
        self.understood, self.hint = False, ""
        speaker, language = self._known("speaker", voice), self._known("language", tongue)
        self.understood = bool(speaker or language)
        chosen = (self._speakers[-1] or bool(speaker), self._languages[-1] or bool(language))
        if speaker or language:
            # A language moves nobody from the place who was chosen, but <voice languages="de"> asks for somebody.
            stays = around.speaker if chosen[0] or name not in ("voice", "speak") else None
            if name == "voice" and not speaker:
                stays = None
            told = language or (around.language if chosen[1] else None)
            around = self.cast.manner(speaker or stays, told, around)
        self._speakers.append(chosen[0])
        self._languages.append(chosen[1])
        return around

    def close(self) -> None:
        """Leave the last element."""
        self._speakers.pop()
        self._languages.pop()

    def _known(self, kind: str, asked: str | None) -> str | None:
        """What an attribute names, if there is such a speaker or language by name."""
        found = None
        for one in (asked or "").split() if kind == "language" else [asked or ""]:
            try:
                found = found or getattr(self.cast, f"find_{kind}")(one) or None
            except UserError as error:
                self.hint = self.hint or (f" ({error})" if _is_near(error) else "")
        return found


def _is_near(error: UserError) -> bool:
    """Whether a name that is not known looks like one that is."""
    return isinstance(error, UnknownName) and error.near is not None


@lru_cache(maxsize=64)
def _vector(path: str, size: int) -> np.ndarray:
    """A speaker's vector from a file. Raises UserError."""
    try:
        vector = np.load(regular(Path(path)), allow_pickle=False).astype(np.float32).reshape(-1)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the speaker's vector {path} cannot be read ({one_line(error)})") from error
    if len(vector) != size or not np.isfinite(vector).all():
        raise UserError(f"{path} holds {len(vector)} numbers, but this voice's speakers are {size} finite ones")
    return vector
