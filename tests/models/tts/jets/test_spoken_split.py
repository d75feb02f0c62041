"""Stage 4 on a tiny voice: the split is spoken, also as copy synthesis, and judged with its alignments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config.schema import save_config
from models.base.checkpoints import list_checkpoints, save_checkpoint
from models.base.experiment import Experiment
from models.evaluation.report import read_report
from models.evaluation.stage import run_evaluation
from models.registry import load_config, load_experiment_config
from models.tts.jets.network import JetsNetwork
from models.tts.jets.spoken_split import speak_split
from models.tts.jets.trainer import Trainer
from models.tts.jets.variance import durations_from_log
from processors.corpus import read_meta, write_meta
from processors.text.tokens import ipa_tokens, save_tokens
from utils.errors import UserError
from utils.files import PROJECT_ROOT

QUICK = [
    *(f"evaluate.{name}=false" for name in ("dnsmos", "distillmos", "speaker_similarity")),
    "evaluate.bootstrap_samples=200",
]


@pytest.fixture
def experiment(tmp_path: Path, tiny_corpus: Path, tiny_overrides: list[str]) -> Path:
    """A random voice for the tiny corpus."""
    folder = tmp_path / "runs/voice"
    folder.mkdir(parents=True)
    config = load_config(PROJECT_ROOT / "config/jets.json", [*tiny_overrides, *QUICK])
    save_config(config, folder / "config.json")
    save_tokens(folder / "tokens.json", ipa_tokens(), "ipa", "en-us")
    statistics = json.loads((tiny_corpus / "meta.json").read_text())["statistics"]
    network = JetsNetwork(config.model, len(ipa_tokens()), config.preprocess.n_mel, statistics)
    save_checkpoint(folder, 7, {"network": network.state_dict()}, {}, {})
    return folder


def test_the_split_is_spoken_with_its_alignments(experiment, tmp_path):
    config = load_experiment_config(experiment)
    items, source = speak_split(config, experiment, "valid", tmp_path / "out")
    assert source == {"experiment": "voice", "checkpoint": "step_00000007", "split": "valid"}
    assert [item.id for item in items] == ["utt0-014", "utt0-015"]
    for item, frames in zip(items, (22, 28)):
        recording, _ = soundfile.read(item.recording)
        copy, rate = soundfile.read(item.copy)
        spoken, _ = soundfile.read(item.audio)
        assert rate == 22050 and len(recording) == len(copy) == frames * 256
        alignment = item.alignment
        assert len(spoken) == alignment.durations.sum() * 256
        assert alignment.log_p_attn.shape == (frames, len(alignment.tokens)) and len(alignment.path) == frames
        assert (np.diff(alignment.path) >= 0).all() and alignment.path[-1] == len(alignment.tokens) - 1
        np.testing.assert_allclose(np.exp(alignment.log_p_attn).sum(1), 1, atol=1e-5)


def test_equal_ids_of_two_corpora_are_kept_apart(experiment, tiny_corpus, corpus_writer, tmp_path):
    more = ['dataset=["tiny","more"]', 'dataset_path.more="x"', 'corpora.more.language="de"']
    config = load_experiment_config(experiment, more)
    splits = ["train"] * 14 + ["valid"] * 2
    corpus_writer(tiny_corpus.parent / "more", config.preprocess_of("more"), [20] * 14 + [24, 26], splits)
    items, _ = speak_split(config, experiment, "valid", tmp_path / "out")
    assert [item.id for item in items] == [f"{name}/utt0-0{n}" for name in ("tiny", "more") for n in (14, 15)]
    lengths = [soundfile.info(item.recording).frames // 256 for item in items]
    assert lengths == [22, 28, 24, 26] and {item.speaker for item in items} == {"a"}
    run_evaluation(config, tmp_path / "judged", "valid", wavs=tmp_path / "out/synthesis")
    assert [record.id for record in read_report(tmp_path / "judged")[0].utterances] == [item.id for item in items]


def test_report_of_a_voice(experiment, tmp_path):
    config = load_experiment_config(experiment, ["inference.speed=0.5"])
    run_evaluation(config, None, "valid", expt_dir=experiment, limit=1)
    report, folder = read_report(experiment / "evaluation")
    assert report.system == "voice" and len(report.utterances) == 1 and not report.skipped
    record = report.utterances[0]
    assert (folder / record.audio).is_file() and (folder / record.recording).is_file() and record.copy is not None
    assert {"mcd", "copy_stft_distance", "diagonality", "sharpness", "zero_durations"} <= record.values.keys()
    # What was spoken can be judged again without the voice, with the same figures, by a manifest or by its ids.
    for name, given in (("ids", {"wavs": folder / "synthesis"}), ("list", {"manifest": folder / "manifest.jsonl"})):
        run_evaluation(config, tmp_path / name, "valid", limit=1, **given)
        again = read_report(tmp_path / name)[0].utterances[0]
        assert again.text == record.text == "text 14" and "diagonality" not in again.values
        assert again.values["mcd"] == pytest.approx(record.values["mcd"], rel=1e-6)
    # The config's tempo counts.
    items, _ = speak_split(load_experiment_config(experiment), experiment, "valid", tmp_path / "fast", limit=1)
    assert 2 * items[0].alignment.durations.sum() * 256 == round(record.seconds * 22050)


def test_what_does_not_fit_is_said(experiment, tiny_corpus, tmp_path):
    config = load_experiment_config(experiment)
    with pytest.raises(UserError, match="no split 'dev'"):
        speak_split(config, experiment, "dev", tmp_path / "out")
    write_meta(tiny_corpus, {**read_meta(tiny_corpus), "tokens": [*ipa_tokens(), "new"]})
    with pytest.raises(UserError, match="other tokens"):
        speak_split(config, experiment, "valid", tmp_path / "out")
    other = load_experiment_config(experiment, ["preprocess.f0_min=80"])
    with pytest.raises(UserError, match="stale"):
        speak_split(other, experiment, "valid", tmp_path / "out")


def test_training_measures_copy_synthesis_and_ranks_by_it(tiny_corpus, tiny_overrides):
    """The measures of a run's validation are those of its utterances one at a time, and they rank its checkpoints."""
    measured = ["evaluate.during_training=true", "evaluate.best_metric=stft_distance"]
    config = load_config(PROJECT_ROOT / "config/jets.json", [*tiny_overrides, *measured])
    experiment = Experiment.named("measured", config)
    trainer = Trainer(config, experiment)
    trainer.run()
    best = json.loads((experiment.directory / "checkpoints/best.json").read_text())
    assert best["metric"] == "measures/stft_distance"
    values = [checkpoint.metrics["measures/stft_distance"] for checkpoint in list_checkpoints(experiment.directory)]
    assert best["best"][0]["value"] == min(values)
    trainer.network.eval()
    found = trainer.validation.measures(trainer.network)
    alone = []
    for index in range(2):
        table = trainer.validation.table
        batch = trainer.assembler.read(table, table.in_order(10**6, np.array([index]))[0])
        output, spoken = trainer.network.copy(batch)
        durations = durations_from_log(output.predicted.log_durations, output.text_mask)
        alone.append(((durations - output.aligned.durations).abs().sum() / output.aligned.durations.sum()).item())
        assert spoken.waveform.shape[1] == batch.host_frame_lengths[0] * 256
    assert found["measures/duration_error"] == pytest.approx(np.mean(alone), rel=1e-5)
    both = found["measures/stft_distance"] + found["measures/duration_error"]
    assert found["measures/score"] == pytest.approx(both, rel=1e-5)


def test_what_predictors_miss_is_made_good_as_asked_here(experiment, tmp_path):
    def frames(*overrides):
        config = load_experiment_config(experiment, overrides)
        items, _ = speak_split(config, experiment, "valid", tmp_path / str(len(overrides)))
        return sum(item.alignment.durations.sum() for item in items)

    assert frames("inference.duration_scale=2") > 1.3 * frames()
