"""What the report files hold: round trips, tables, comparisons, and a page that loads nothing."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import soundfile

from config.schema import EvaluateConfig, ExperimentConfig
from models.evaluation.comparison import compare_reports, comparison_markdown, summarise
from models.evaluation.page import make_clip, report_html
from models.evaluation.report import (
    MEASURES,
    Report,
    UtteranceRecord,
    read_report,
    write_report_json,
)
from utils.errors import UserError
from utils.files import PROJECT_ROOT

RATE = 22050


@pytest.fixture
def config(config: ExperimentConfig) -> EvaluateConfig:
    return config.evaluate


def make_report(
    config: EvaluateConfig, system: str = "mine", worse: float = 0.0, seed: int = 0, count: int = 30
) -> Report:
    """Errors, distortion and speaking rate of `count` utterances; `worse` dB more distortion than with 0."""
    generator, noise = np.random.default_rng(0), np.random.default_rng(seed + 1)
    report = Report(system, source={"split": "test"}, settings={"sample_rate": RATE})
    for i in range(count):
        record = UtteranceRecord(f"u{i:02d}", f"text number {i}", f"synthesis/u{i:02d}.wav")
        record.values = {
            "wer": (int(generator.integers(0, 2)), 3),
            "mcd": float(generator.normal(5, 1) + worse + noise.normal(0, 0.1)),
            "characters_per_second": (14.0, 1.0),
        }
        record.recording_values = {"wer": (0, 3), "characters_per_second": (14.0 + i % 2, 1.0)}
        record.expected, record.heard = f"text number {i}", f"text umber {i}" if i % 2 else f"text number {i}"
        report.utterances.append(record)
    summarise(report, config)
    return report


def test_summary_is_the_ratio_of_sums_and_leaves_out_what_is_missing(config):
    report = make_report(config)
    errors = sum(record.values["wer"][0] for record in report.utterances)
    report.utterances[0].values["mcd"] = float("nan")
    del report.utterances[1].values["mcd"]
    summarise(report, config)
    assert report.summary["wer"].value == pytest.approx(errors / 90) and report.summary["wer"].n == 30
    assert report.recordings["characters_per_second"].value == pytest.approx(14.5)
    assert report.summary["wer"].low < report.summary["wer"].value < report.summary["wer"].high
    assert report.summary["mcd"].n == 28 and np.isfinite(report.summary["mcd"].value)
    assert "mcd" not in report.recordings and "dnsmos_sig" not in report.summary


def test_round_trip(config, tmp_path):
    report = make_report(config)
    report.utterances[0].failures = ["silent"]
    report.skipped = [{"id": "x", "reason": "x.wav is missing"}]
    path = write_report_json(report, tmp_path)
    assert "NaN" not in path.read_text()
    for where in (path, tmp_path):
        again, folder = read_report(where)
        assert folder == tmp_path
        assert again.to_json() == report.to_json()
        assert [record.id for record in again.failed] == ["u00"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a report"),
        ("[]", "format version"),
        ('{"format_version": 9}', "found 9"),
        ('{"format_version": 1, "system": "x"}', "damaged"),
        (None, "run stage 4 first"),
    ],
)
def test_bad_report_files(tmp_path, content, message):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_report(tmp_path)


def test_comparison_finds_the_real_difference_and_only_that(config):
    table = compare_reports(make_report(config), make_report(config, "other", worse=0.3, seed=5), config)
    rows = {row.key: row for row in table.rows}
    assert table.utterances == 30
    assert rows["mcd"].real and rows["mcd"].better == "mine"
    assert rows["mcd"].result.difference == pytest.approx(0.3, abs=0.08)
    assert not rows["wer"].real and rows["wer"].result.p == 1
    assert not rows["characters_per_second"].real
    text = comparison_markdown(table)
    assert "**mine is better**" in text and text.count("no difference shown") == 2


def test_comparison_pairs_by_id_and_text(config):
    first, second = make_report(config), make_report(config, count=25)
    second.utterances[3].text = "another text"
    second.settings = {"sample_rate": 16000}
    table = compare_reports(first, second, config)
    assert table.utterances == 24
    assert (table.first, table.second) == ("mine (A)", "mine (B)")
    assert len(table.notes) == 3 and "sample_rate" in table.notes[2]
    for record in second.utterances:
        record.id += "x"
    with pytest.raises(UserError, match="share no utterance"):
        compare_reports(first, second, config)


def test_page_is_self_contained_and_safe(config):
    report = make_report(config, "<b>evil</b> {{media}}")
    report.utterances[0].text = "</script><script>alert(1)</script> {{style}} \u2028"
    audio = (0.2 * np.sin(np.arange(RATE) / 20)).astype(np.float32)
    media = {"u00": {"clips": {"synthesis": make_clip(audio, RATE, "flac")}, "f0": [0.0, 175.5]}}
    page = report_html(report, media, config)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(""", page)
    assert page.count("<script") == 3 and page.count("</script>") == 3
    blocks = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page, re.DOTALL)
    found = {name: json.loads(text) for name, text in blocks}
    assert found["data"]["utterances"][0]["text"] == report.utterances[0].text
    assert found["data"]["system"] == report.system and "&lt;b&gt;evil" in page
    assert found["data"]["diffs"]["u01"]["synthesis"][1] == ["replaced", "number", "umber"]
    clip = found["media"]["u00"]["clips"]["synthesis"]
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(clip["audio"].split(",")[1])), dtype="float32")
    assert rate == RATE and clip["seconds"] == 1
    np.testing.assert_allclose(sound, audio, atol=1 / 32768)
    assert found["media"]["u00"]["f0"] == [0.0, 175.5]


def test_every_measure_is_defined_and_explained_to_readers():
    assert all(measure.definition.endswith(".") for measure in MEASURES.values())
    assert {measure.group for measure in MEASURES.values() if measure.recording} == {"What people hear"}
    text = (PROJECT_ROOT / "egs/tts/Jets/EVALUATION.md").read_text(encoding="utf-8")
    assert not [measure.label for measure in MEASURES.values() if measure.label not in text]


def test_comparison_direction_follows_the_measure(config):
    reports = make_report(config), make_report(config, "other")
    for report, rate in zip(reports, (12.0, 14.4)):  # the recordings have 14.5
        for record in report.utterances:
            record.values |= {"characters_per_second": (rate, 1.0), "log_f0_correlation": rate / 20}
        summarise(report, config)
    better = {row.key: row.better for row in compare_reports(*reports, config).rows}
    assert better["log_f0_correlation"] == better["characters_per_second"] == "other"
