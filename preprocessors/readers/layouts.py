"""Which layout a corpus folder has, and its utterances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from preprocessors.features import SourceRow
from preprocessors.readers.audio_files import files_below
from preprocessors.readers.column_tables import TABLES, kind_of_table, read_table
from preprocessors.readers.text_per_file import TEXT_FILES, read_text_files
from utils.errors import UserError

_PLAIN_NAMES = ("ljspeech", "wav|speaker|text", "path|speaker|language|text", "audiofolder")
_EXPECTED = "metadata.csv with wavs/, or another layout that egs/tts/Jets/CORPORA.md lists"


def layout_of(folder: Path, below: bool = True) -> str | None:
    """The layout of a folder, by its name in TABLES or TEXT_FILES; None for none. `below`: look into folders too."""
    for name in ("common_voice", "css10"):
        if (folder / TABLES[name].files[0]).is_file():
            return name
    vctk = TEXT_FILES["vctk"]
    if (folder / vctk.texts).is_dir() and any((folder / name).is_dir() for name in vctk.recordings):
        return "vctk"
    for file in dict.fromkeys(file for name in _PLAIN_NAMES for file in TABLES[name].files):
        if (folder / file).is_file():
            return _if_recorded(folder, kind_of_table(folder / file))
    for path in files_below(folder) if below and folder.is_dir() else ():
        if path.name.endswith(TEXT_FILES["libritts"].ending):
            return "libritts"
        if path.name in TABLES["common_voice"].files:
            return "common_voice"
        if path.name in TABLES["audiofolder"].files:
            kind = kind_of_table(path)
            return "audiofolder" if kind == "audiofolder" else "m_ailabs" if (path.parent / "wavs").is_dir() else None
    return None


def _if_recorded(folder: Path, name: str) -> str | None:
    return name if any((folder / place).is_dir() for place in TABLES[name].recordings) else None


def read_corpus(folder: Path, name: str, layout: str | None = None) -> Iterator[SourceRow]:
    """Rows of the corpus `name` in `folder`, in its order, bad ones among them; `layout` None: found by looking.

    Speaker and language are empty where the corpus does not name them. Raises UserError where there is no corpus.
    """
    hint = f"correct dataset_path.{name} in the config, or get the corpus with stage 0 (run.sh --stage 0)"
    if not folder.is_dir():
        raise UserError(f"the corpus folder {folder} does not exist: {hint}")
    layout = layout or layout_of(folder)
    if layout is None:
        needed = next((part for part in ("metadata.csv", "wavs") if not (folder / part).exists()), "a known layout")
        raise UserError(f"{folder / needed} does not exist, so {folder} is no corpus ({_EXPECTED}): {hint}")
    advice = f"correct corpora.{name}.dataset_format or dataset_path.{name}"
    if layout in TEXT_FILES:
        yield from read_text_files(folder, TEXT_FILES[layout], advice)
        return
    kind = TABLES[layout]
    tables = [folder / file for file in kind.files if (folder / file).is_file()][:1]
    if not tables:
        tables = [path for path in files_below(folder) if path.name in kind.files]
    if not tables:
        raise UserError(
            f"{folder} has no {' or '.join(kind.files)}, so it is no corpus of the layout {layout}: {advice}"
        )
    for path in tables:
        prefix = "" if path.parent == folder else f"{path.parent.relative_to(folder).as_posix()}/"
        for row in read_table(path, kind, prefix):
            # <speaker>/<book>/, or mix/<book>/ where nobody knows who reads.
            yield replace(row, speaker=path.parent.parent.name) if layout == "m_ailabs" else row
