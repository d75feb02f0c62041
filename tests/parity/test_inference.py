"""Speaking freely: the same durations and samples as ESPnet's JETS."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.parity.compare import HOP
from tests.parity.oracle import Pair
from tests.parity.recipe import TOKENS

TOLERANCE = 1e-4


def sentences(count: int, longest: int, seed: int) -> list[Tensor]:
    """Random token sequences."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    return [torch.randint(1, len(TOKENS), (length,), generator=generator) for length in lengths]


@torch.no_grad()
def compare(pair: Pair, texts: list[Tensor], batch_size: int) -> tuple[int, float]:
    """Tokens whose duration differs, and the largest difference of samples, ours alone and in batches of batch_size."""
    pair.jets.eval()
    pair.network.eval()
    theirs = [pair.jets.inference(text) for text in texts]
    alone = [pair.network.infer(text[None], torch.tensor([len(text)])) for text in texts]
    wrong, worst = 0, 0.0
    for expected, ours in zip(theirs, alone):
        wrong += int((ours.durations[0] != expected["duration"]).sum())
        assert ours.waveform.shape[1] == len(expected["wav"]) == int(ours.durations.sum()) * HOP
        worst = max(worst, float((ours.waveform[0] - expected["wav"]).abs().max()))
    for start in range(0, len(texts), batch_size):
        rows = texts[start : start + batch_size]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        ours = pair.network.infer(padded, torch.tensor([len(row) for row in rows]))
        for i, (row, expected) in enumerate(zip(rows, theirs[start:])):
            wrong += int((ours.durations[i, : len(row)] != expected["duration"]).sum())
            samples = len(expected["wav"])
            worst = max(worst, float((ours.waveform[i, :samples] - expected["wav"]).abs().max()))
            assert not ours.waveform[i, samples:].any()
    return wrong, worst


def test_fifty_random_sentences_alone_and_in_batches(pair: Pair) -> None:
    wrong, worst = compare(pair, sentences(50, 18, 0), batch_size=25)
    assert wrong == 0
    assert worst < TOLERANCE


def test_published_size(full_pair: Pair) -> None:
    wrong, worst = compare(full_pair, sentences(3, 8, 1), batch_size=3)
    assert wrong == 0
    assert worst < TOLERANCE


@torch.no_grad()
def test_all_zero_durations_become_one_frame_a_token(pair: Pair) -> None:
    """Both sides lengthen an utterance that would be empty, in the same way."""
    text = sentences(1, 9, 2)[0]
    biases = pair.jets.generator.duration_predictor.linear.bias, pair.network.duration_predictor.out.bias
    kept = [bias.clone() for bias in biases]
    for bias in biases:
        bias.fill_(-20.0)
    try:
        assert compare(pair, [text], 1) == (0, compare(pair, [text], 1)[1])
        assert pair.network.infer(text[None], torch.tensor([len(text)])).durations.tolist() == [[1] * len(text)]
    finally:
        for bias, value in zip(biases, kept):
            bias.copy_(value)


@torch.no_grad()
def test_espnets_batches_run_into_each_other(pair: Pair) -> None:
    """ESPnet's generator spreads a batch over the frames of all its utterances; ours gives each its own."""
    texts = [text for text in sentences(8, 20, 3) if len(text) > 3][:2]
    lengths = torch.tensor([len(text) for text in texts])
    padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    pair.jets.eval()
    theirs, durations = pair.jets.generator.inference(padded, lengths)
    ours = pair.network.eval().infer(padded, lengths)
    assert theirs.shape[1] == int(durations.sum()) * HOP
    assert ours.waveform.shape[1] == int(ours.durations.sum(1).max()) * HOP
    alone = pair.jets.inference(texts[1])["wav"]
    assert float((theirs[1, : len(alone)] - alone).abs().max()) > 0.01
    assert float((ours.waveform[1, : len(alone)] - alone).abs().max()) < TOLERANCE
