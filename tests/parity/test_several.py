"""Several speakers and languages: the same steps and speech as ESPnet's JETS, in every form that it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.base.checkpoints import find_checkpoint, load_weights
from models.tts.exchange.espnet_voice import CONFIG_FILE, MODEL_FILE, export_voice, import_voice
from models.tts.jets.conditioning import Roles
from models.tts.jets.synthesizer import Synthesizer
from tests.parity.compare import run_espnet, run_ours
from tests.parity.oracle import Pair, build_pair, random_batch, with_roles
from tests.parity.recipe import G
from tests.parity.test_inference import sentences
from tests.parity.test_step import SEGMENT, check

TOLERANCE = 1e-4
KINDS: dict[str, dict[str, Any]] = {
    "speakers": {G + "spks": 4},
    "languages": {G + "langs": 3},
    "add": {G + "spk_embed_dim": 24},
    "concat": {G + "spk_embed_dim": 24, G + "spk_embed_integration_type": "concat"},
    "all": {G + "spks": 3, G + "langs": 2, G + "spk_embed_dim": 16, G + "spk_embed_integration_type": "concat"},
}


@pytest.fixture(scope="module", params=KINDS)
def several(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    return build_pair(folder, **KINDS[request.param]), folder


def test_a_step_is_the_same(several: tuple[Pair, Path]) -> None:
    pair, _ = several
    batch, starts = random_batch(1, [8, 21], [33, 64], SEGMENT)
    batch = with_roles(batch, pair.config)
    check(run_ours(pair, batch, starts), run_espnet(pair, batch, starts))


def theirs(roles: Roles, i: int) -> dict[str, Tensor]:
    given = {"sids": roles.speakers, "lids": roles.languages, "spembs": roles.vectors}
    found = {name: value[i : i + 1] for name, value in given.items() if value is not None}
    return {name: value[0] if name == "spembs" else value for name, value in found.items()}


@torch.no_grad()
def test_speech_is_the_same_alone_and_together(several: tuple[Pair, Path]) -> None:
    pair, _ = several
    pair.jets.eval(), pair.network.eval()
    texts = sentences(6, 18, 0)
    batch, _ = random_batch(0, [len(text) for text in texts], [40] * len(texts), SEGMENT)
    roles = with_roles(batch, pair.config).roles
    padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    ours = pair.network.infer(padded, torch.tensor([len(text) for text in texts]), roles=roles)
    spoken = []
    for i, text in enumerate(texts):
        expected = pair.jets.inference(text, **theirs(roles, i))
        spoken.append(expected["wav"])
        assert ours.durations[i, : len(text)].tolist() == expected["duration"].tolist()
        assert float((ours.waveform[i, : len(expected["wav"])] - expected["wav"]).abs().max()) < TOLERANCE
    # Whoever is not told speaks otherwise: the comparison is of something.
    others = pair.network.infer(padded, torch.tensor([len(text) for text in texts]))
    size = min(others.waveform.shape[1], len(spoken[0]))
    assert float((others.waveform[0, :size] - spoken[0][:size]).abs().max()) > 10 * TOLERANCE


def test_there_and_back_is_bit_exact(several: tuple[Pair, Path], tmp_path: Path) -> None:
    _, folder = several
    export_voice(folder / "voice", tmp_path / "espnet")
    import_voice(tmp_path / "espnet" / MODEL_FILE, tmp_path / "espnet" / CONFIG_FILE, tmp_path / "again")
    one, other = (load_weights(find_checkpoint(path).path) for path in (folder / "voice", tmp_path / "again"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    voice = Synthesizer.from_experiment(tmp_path / "again", "cpu")
    last = list(voice.script.cast.speakers)[-1:] or [None]
    assert len(voice.tts("Hello there.", speaker=last[0])[0])
