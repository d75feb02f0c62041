"""Flags in messages: those of the program, or of run.sh where it started the program."""

from __future__ import annotations

import pytest

from utils.flags import as_typed


def test_flags_are_those_that_were_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "--mode single and --stream need --text (- for standard input), --text_file or --set; a --textile is none"
    monkeypatch.delenv("JETS_FLAG_PREFIX", raising=False)
    assert as_typed(message) == message
    monkeypatch.setenv("JETS_FLAG_PREFIX", "infer_")
    assert as_typed(message) == (
        "--infer_mode single and --infer_stream need --infer_text (- for standard input), --infer_text_file or --set; "
        "a --textile is none"
    )
    assert as_typed("--infer_text and /a/--text, a--text") == "--infer_text and /a/--text, a--text"
