"""Stage 3, killed at seeded random moments: a wav is whole or absent, and the same run again makes the rest."""

from __future__ import annotations

import io
import json
import os
import random
import wave
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.chains import kill, random_moment
from tests.faults.kills import Moment
from tests.faults.runs import leftovers
from tests.faults.server import Outcome, Server
from tests.tiny_voice import make_corpus, make_experiment

KINDS = ("operation", "bytes", "seconds")
SIZES = ((1, 200), (200, 20_000), (20_000, 120_000))
KILLS_IN_A_CHAIN = 4
SENTENCES = ["The first one is short.", "A second, longer one follows it.", "The third!", "And a last one, the fourth."]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Flags of the three ways to write wavs: a split, lines of id|text, and a long text."""
    folder = tmp_path_factory.mktemp("speaking")
    override = f"preprocess.processed_dir={folder / 'data'}"
    voice = make_experiment(folder / "voice", (override, 'dataset=["tiny"]', 'dataset_path={"tiny": "x"}'), steps=(1,))
    phones = list("^həlˈoʊ.$")
    make_corpus(folder / "data/tiny", [(f"u{n}", f"text {n}", phones * (n + 1)) for n in range(4)])
    (folder / "lines.txt").write_text("".join(f"line{n}|{text}\n" for n, text in enumerate(SENTENCES)))
    (folder / "long.txt").write_text(" ".join(SENTENCES))
    return {
        "batch": {"expt_dir": str(voice), "mode": "batch"},
        "lines": {"expt_dir": str(voice), "text_file": str(folder / "lines.txt")},
        "long": {"expt_dir": str(voice), "text_file": str(folder / "long.txt")},
    }


def results(folder: Path) -> dict[str, Any]:
    """Wavs, and manifest lines without the times."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.glob("*.wav")}
    if (folder / "manifest.jsonl").exists():
        rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        found["manifest"] = [{key: value for key, value in row.items() if key != "rtf"} for row in rows]
    return found


def test_killed_synthesis_leaves_whole_files(
    server: Server, jobs: dict[str, dict[str, Any]], tmp_path: Path, kills: int, tally: Counter[str]
) -> None:
    expected: dict[str, dict[str, Any]] = {}
    whole: dict[str, Outcome] = {}
    for name, flags in jobs.items():
        output = tmp_path / f"whole-{name}"
        whole[name] = server.run("speak", {**flags, "output_dir": str(output)})
        assert whole[name].status == 0, whole[name].output
        expected[name] = results(output)

    def chain(number: int) -> Counter[str]:
        rng = random.Random(3000 + number)
        name = list(jobs)[number % len(jobs)]
        output = tmp_path / f"chain-{number}"

        def check(moment: Moment, outcome: Outcome) -> str:
            for key, content in results(output).items():
                assert content == expected[name][key], f"{key} is not what an uninterrupted run writes"
                if key.endswith(".wav"):
                    with wave.open(io.BytesIO(content)) as file:
                        assert file.getnframes() > 0
            return moment.kind

        moments = [random_moment(KINDS[i % len(KINDS)], whole[name], SIZES, rng) for i in range(KILLS_IN_A_CHAIN)]
        run = lambda moment: server.run("speak", {**jobs[name], "output_dir": str(output)}, moment)  # noqa: E731
        died = kill(run, moments, check)
        assert results(output) == expected[name]
        # A minute after a kill nobody can still be writing; the next run removes what was left.
        for path in output.glob(".*.tmp"):
            os.utime(path, (0, 0))
        assert run(None).status == 0
        assert leftovers(output) == []
        return died

    chains = max(2, round(kills / 5 / KILLS_IN_A_CHAIN))
    with ThreadPoolExecutor(2) as pool:
        died = sum(pool.map(chain, range(chains)), Counter())
    tally.update({f"kills in stage 3, {label}": count for label, count in died.items()})
    assert died.total() >= chains, died
