"""Batches hold exactly what stage 1 packed, wherever the corpus lies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.base.sampler import FRAME_MULTIPLE, BatchPlan, LengthSampler
from models.registry import load_config
from models.tts.jets.dataset import (
    BatchAssembler,
    JetsBatches,
    StoredUtterances,
    UtteranceTable,
    open_corpora,
)
from models.tts.jets.network import Batch
from processors.audio.mel import MelSpectrogram
from processors.corpus import ProcessedCorpus
from processors.corpus_statistics import merged_statistics
from processors.text.tokens import ipa_tokens
from utils.errors import UserError

CPU = torch.device("cpu")
CONFIG = Path(__file__).resolve().parents[4] / "config/jets.json"


@pytest.fixture
def config(tiny_overrides: list[str]):
    return load_config(CONFIG, tiny_overrides)


@pytest.fixture
def make_batches(config, tiny_corpus: Path) -> Callable[..., JetsBatches]:
    def make(on_device: bool, seed: int = 3, rank: int = 0, world_size: int = 1) -> JetsBatches:
        corpora = open_corpora(config)
        table = UtteranceTable(corpora, "train")
        sampler = LengthSampler(table.frames, table.tokens, table.ids, 4, None, seed, rank, world_size)
        assembler = BatchAssembler(config.preprocess, merged_statistics(corpora), CPU)
        return JetsBatches(table, sampler, assembler, on_device)

    return make


def test_batch_equals_the_packed_utterances(make_batches, config, tiny_corpus: Path) -> None:
    corpus = ProcessedCorpus.open(tiny_corpus)
    utterances = {u.id: u for u in corpus.utterances}
    number = {token: i for i, token in enumerate(corpus.tokens)}
    preprocess, statistics = config.preprocess, corpus.statistics
    spectra = MelSpectrogram(
        preprocess.sample_rate, preprocess.n_fft, preprocess.win_size, preprocess.hop_size, preprocess.n_mel
    )
    batches = make_batches(on_device=True)
    seen = set()
    for _ in range(8):
        batch = batches.next()
        size, frames = batch.mel.shape[:2]
        assert frames % FRAME_MULTIPLE == 0 and batch.audio.shape == (size, frames * 256)
        for row, name in enumerate(batch.ids):
            seen.add(name)
            u = utterances[name]
            samples, log_f0, _ = corpus.arrays(u.row)
            sound = samples.astype(np.float32) / 32768
            alone_mel, alone_energy = spectra(torch.from_numpy(sound)[None])
            assert int(batch.frame_lengths[row]) == batch.host_frame_lengths[row] == u.frames
            assert int(batch.text_lengths[row]) == batch.host_text_lengths[row] == len(u.phones)
            assert batch.text[row, : len(u.phones)].tolist() == [number[p] for p in u.phones]
            assert not batch.text[row, len(u.phones) :].any()
            np.testing.assert_array_equal(batch.audio[row, : u.length].numpy(), sound)
            # Not even the last frame depends on how far the batch is padded.
            torch.testing.assert_close(batch.mel[row, : u.frames], alone_mel[0], atol=2e-3, rtol=1e-4)
            energy = (alone_energy[0] - statistics["energy_mean"]) / statistics["energy_std"]
            torch.testing.assert_close(batch.energy[row, : u.frames], energy, atol=1e-4, rtol=1e-4)
            log_f0 = (log_f0 - statistics["log_f0_mean"]) / statistics["log_f0_std"]
            np.testing.assert_allclose(batch.log_f0[row, : u.frames].numpy(), log_f0, atol=1e-5)
            for padding in (batch.mel[row, u.frames :], batch.log_f0[row, u.frames :], batch.energy[row, u.frames :],
                            batch.audio[row, u.length :]):  # fmt: skip
                assert not padding.any()
    assert seen == {u.id for u in corpus.split("train")}  # the 3-frame one, shorter than a segment, included


def _same(one: Batch, other: Batch) -> bool:
    return all(
        torch.equal(value, getattr(other, name)) if isinstance(value, torch.Tensor) else value == getattr(other, name)
        for name, value in vars(one).items()
    )


def test_host_and_device_corpus_give_the_same_batches(make_batches) -> None:
    device, host = make_batches(on_device=True), make_batches(on_device=False)
    try:
        for _ in range(9):
            assert _same(device.next(), host.next())
    finally:
        host.close()


@pytest.mark.parametrize("on_device", [True, False])
def test_state_continues_after_the_last_batch_taken(make_batches, on_device: bool) -> None:
    uninterrupted = make_batches(on_device)
    expected = [uninterrupted.next().ids for _ in range(11)]
    first = make_batches(on_device)
    assert [first.next().ids for _ in range(5)] == expected[:5]
    state = first.state_dict()
    second = make_batches(on_device)
    second.next()
    second.load_state_dict(state)
    assert [second.next().ids for _ in range(6)] == expected[5:]
    for batches in (uninterrupted, first, second):
        batches.close()


def test_datasets_are_concatenated_with_joint_statistics(config, tiny_corpus, tiny_overrides, corpus_writer) -> None:
    corpus_writer(tiny_corpus.parent / "more", config.preprocess, [30, 40], ["train", "train"], seed=5)
    both = load_config(CONFIG, [*tiny_overrides, 'dataset=["tiny", "more"]', 'dataset_path.more="x"'])
    corpora = open_corpora(both)
    table = UtteranceTable(corpora, "train")
    assert len(table) == 16
    all_f0 = np.concatenate([
        corpus.arrays(row)[1] for corpus in corpora for row in corpus.rows("train")
    ])  # fmt: skip
    merged = merged_statistics(corpora)
    assert merged["log_f0_mean"] == pytest.approx(all_f0.mean(), abs=1e-5)
    assert merged["log_f0_std"] == pytest.approx(all_f0.std(), abs=1e-5)
    audio, log_f0 = table.arrays(15)
    assert log_f0.shape == (40,)
    u = corpora[1].split("train")[1]
    np.testing.assert_array_equal(audio.reshape(-1), corpora[1].arrays(u.row)[0])
    assert table.ids(np.array([15, 0])) == [f"more/{u.id}", "tiny/utt0-000"] and table.texts(np.array([15])) == [u.text]
    for index in (0, 13, 14, 15):
        start, count = table.text_offset[index], table.tokens[index]
        corpus, number = corpora[table.corpus_index[index]], table.rows[index]
        phones = tuple(corpus.tokens[token] for token in table.text[start : start + count])
        assert phones == corpus.utterances[number].phones


def test_weights_and_languages_of_corpora_decide_how_often_each_is_heard(
    config, tiny_corpus, tiny_overrides, corpus_writer
) -> None:
    assert UtteranceTable(open_corpora(config), "train").appearances(config) is None
    more = ['dataset=["tiny", "more"]', 'dataset_path.more="x"', 'corpora.more.language="de"']
    both = load_config(CONFIG, [*tiny_overrides, *more, "corpora.more.weight=3"])
    corpus_writer(tiny_corpus.parent / "more", both.preprocess_of("more"), [30, 40], ["train", "train"], seed=5)
    table = UtteranceTable(open_corpora(both), "train")
    often = table.appearances(both)
    assert often[table.corpus_index == 1] == pytest.approx(3 * often[0]) and often @ table.frames == pytest.approx(
        table.frames.sum()
    )


def test_datasets_that_do_not_fit_together_are_refused(config, tiny_corpus, tiny_overrides, corpus_writer) -> None:
    tokens = [token.replace("ə", "XX1") for token in ipa_tokens()]
    corpus_writer(tiny_corpus.parent / "more", config.preprocess, [30], ["train"], tokens=tokens)
    both = load_config(CONFIG, [*tiny_overrides, 'dataset=["tiny", "more"]', 'dataset_path.more="x"'])
    with pytest.raises(UserError, match="tiny and more differ in tokens"):
        open_corpora(both)


def test_speakers_who_were_renamed_since_stage_1_are_refused(tiny_corpus, tiny_overrides) -> None:
    for name, right in (("anna", False), ("*", True), ("a_*", False)):
        config = load_config(CONFIG, [*tiny_overrides, f'corpora.tiny.speaker="{name}"'])
        with contextlib.nullcontext() if right else pytest.raises(UserError, match="run stage 1 again"):
            open_corpora(config)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="nothing is pinned without a GPU")
def test_utterances_on_the_host_are_pinned(config, tiny_corpus) -> None:
    read = StoredUtterances.read(UtteranceTable(open_corpora(config), "train"), np.arange(2), torch.device("cpu"))
    assert all(values.is_pinned() for values in vars(read).values())


def test_validation_batches_hold_every_utterance_once(tiny_corpus: Path) -> None:
    table = UtteranceTable([ProcessedCorpus.open(tiny_corpus)], "train")
    plans = table.in_order(max_frames=130)
    assert sorted(np.concatenate([plan.indices for plan in plans]).tolist()) == list(range(14))
    assert all(len(plan.indices) * plan.frames <= 130 for plan in plans)
    assert all(isinstance(plan, BatchPlan) and plan.frames >= table.frames[plan.indices].max() for plan in plans)


def test_an_error_while_reading_ahead_is_raised_by_next(make_batches, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = make_batches(on_device=False)
    monkeypatch.setattr(batches.table, "arrays", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        batches.next()
    batches.close()
