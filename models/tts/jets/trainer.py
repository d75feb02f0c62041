"""JETS' part of a training run: its networks, batches, losses and what it shows at validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from models.base.base_trainer import BaseTrainer, Parts
from models.base.device import device_memory
from models.base.engine import StepFunction
from models.base.experiment import TOKENS
from models.base.sampler import LengthSampler
from models.tts.jets.config import JetsConfig
from models.tts.jets.dataset import BatchAssembler, JetsBatches, UtteranceTable, open_corpora
from models.tts.jets.fast_step import FastStep
from models.tts.jets.network import STATISTICS, Batch, JetsNetwork
from models.tts.jets.step import TextStep, TrainStep
from models.tts.jets.validation import Validation
from models.vocoders.discriminators import Discriminators
from processors.cast import Cast
from processors.corpus import ProcessedCorpus
from processors.corpus_statistics import merged_statistics, speaker_statistics
from processors.text.tokens import load_tokens
from utils.errors import UserError
from utils.files import project_path

# Parts of the network that train.finetune_only can name.
PARTS = {
    "speakers": ("conditioning.speakers.",),
    "predictors": ("duration_predictor.", "pitch_predictor.", "energy_predictor."),
    "prosody": ("prosody.",),
    "decoder": ("decoder.", "pitch_embedding.", "energy_embedding."),
    "generator": ("generator.", "generator_film."),
}
# Those that learn without any waveform.
OF_TEXT = {"predictors", "prosody"}
OWN_STATISTICS = "conditioning.speaker_statistics"
# With corpus_on_device = "auto", a corpus may take this share of the device's memory.
AUTO_SHARE = 0.25


class Trainer(BaseTrainer):
    """Joint training of text-to-waveform network and discriminators (arXiv 2203.16852, section 2.5)."""

    NETWORKS: Sequence[str] = ("network", "discriminator")
    METRIC = "generator/mel"
    SHOWN = {
        "mel": "generator/mel",
        "adv": "generator/adversarial",
        "align": "generator/forward_sum",
        "dur": "generator/duration",
        "prosody": "generator/prosody",
        "disc": "discriminator/total",
    }
    MEMORY_SETTINGS = ("train.batch_size", "train.max_batch_frames", "train.segment_size")
    CPU_ADVICE = (
        "on a CPU take small networks, --config egs/tts/Jets/cpu_config.json, or start from a trained voice "
        "(--finetune_from) and train it less (train.max_epoch)"
    )
    CORPUS_ENTRIES = STATISTICS

    config: JetsConfig

    def build(self) -> Parts:
        """Networks with fresh weights, the training step, and the batches of stage 1's corpora."""
        config, device, train = self.config, self.processes.device, self.config.train
        self.of_text = bool(train.finetune_only) and OF_TEXT.issuperset(train.finetune_only)
        self.FROM_AVERAGE = bool(train.finetune_only)
        if self.of_text:
            self.METRIC, self.NETWORKS = "generator/total", self.NETWORKS[:1]
        elif config.evaluate.during_training:
            self.METRIC = f"measures/{config.evaluate.best_metric}"
        if config.model.spk_embed_dim:
            advice = "here recordings have no such vectors; use null"
            raise UserError(f"model.spk_embed_dim is for voices that come from ESPnet: {advice}")
        corpora = open_corpora(config)
        statistics = merged_statistics(corpora)
        tokens = corpora[0].tokens
        before = self.cast_before()
        # A run that began before speakers had names goes on without them.
        nameless = self.resume and before is not None and not before.languages
        cast = Cast() if nameless else Cast.of(corpora, config.preprocess.language, before)
        model = config.model.counted(len(cast.speakers), len(cast.languages))
        network = JetsNetwork(model, len(tokens), config.preprocess.n_mel, statistics).to(device)
        if (rows := self._own_statistics(network)) is not None:
            rows.copy_(speaker_rows(corpora, cast, len(rows), statistics))
        self.network = network
        discriminator = Discriminators(**config.model.discriminator.model_dump()).to(device)
        kind = TextStep if self.of_text else FastStep if device.type == "cuda" else TrainStep
        self.compute = kind(network, discriminator, config, self.precision)

        table = UtteranceTable(corpora, "train", cast)
        sampler = LengthSampler(
            table.frames, table.tokens, table.ids, train.batch_size, train.max_batch_frames, train.random_seed,
            self.processes.rank, self.processes.world_size, table.appearances(config),
        )  # fmt: skip
        self.assembler = BatchAssembler(config.preprocess, statistics, device)
        batches = JetsBatches(table, sampler, self.assembler, self._on_device(table))
        largest = sampler.largest()
        held_out, most = UtteranceTable(corpora, "valid", cast), len(largest.indices) * largest.frames
        self.validation = Validation(held_out, self.assembler, self.processes, most, train.valid_samples)
        networks = dict(zip(self.NETWORKS, (network, discriminator)))
        return Parts(networks, self._partly(self.compute), batches, tokens, table.token_counts(), cast)

    def cast_before(self) -> Cast | None:
        """Those who keep their numbers: of the run that goes on, or of several that a voice of more begins with."""
        folder = self.expt_dir if self.resume else self.finetune_from
        if folder is None or not (project_path(folder) / TOKENS).is_file():
            return None
        cast = Cast.read(load_tokens(project_path(folder) / TOKENS))
        return cast if self.resume or len(cast.speakers) > 1 or len(cast.languages) > 1 else None

    def adapted(self, state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the network takes of a voice: new speakers begin as the mean of those it knows, who stay as they are."""
        taken = super().adapted(state, own)
        taken = {name: value for name, value in taken.items() if name in own or not name.startswith("prosody.")}
        for name, mine in own.items():
            theirs, is_new = state.get(name), "film" in name or name.startswith(("conditioning.", "prosody."))
            if theirs is None and is_new:  # a voice of one learns to be several, or one that is always the same to vary
                taken[name] = mine
            elif theirs is not None and name == OWN_STATISTICS:
                taken[name] = torch.cat([theirs, mine[len(theirs) :].cpu()])
            elif theirs is not None and name.startswith("conditioning.") and len(mine) > len(theirs):
                taken[name] = torch.cat([theirs, theirs.mean(0, keepdim=True).expand(len(mine) - len(theirs), -1)])
        return taken

    def loaded(self) -> None:
        """Normalise as the loaded network does, even if the corpus has grown since."""
        self.assembler.statistics = {name: float(getattr(self.network, name)) for name in STATISTICS}
        self.assembler.speaker_statistics = self._own_statistics(self.network)

    @staticmethod
    def _own_statistics(network: JetsNetwork) -> Tensor | None:
        return None if network.conditioning is None else network.conditioning.speaker_statistics

    def _partly(self, compute: TrainStep) -> StepFunction:
        """The step, of which only the parts in `train.finetune_only` learn, if it names any."""
        wanted = [prefix for part in self.config.train.finetune_only for prefix in PARTS[part]]
        if not wanted:
            return compute
        if self.finetune_from is None and not self.resume:
            raise UserError("train.finetune_only needs --finetune_from: what it leaves as it is would stay random")
        parameters = self.network.named_parameters()
        frozen = [parameter for name, parameter in parameters if not name.startswith(tuple(wanted))]
        if self.of_text:
            for parameter in frozen:
                parameter.requires_grad_(False)
            return compute

        def step(batch: Batch, loss_scale: Tensor) -> dict[str, Tensor]:
            losses = compute(batch, loss_scale)
            torch._foreach_zero_([parameter.grad for parameter in frozen if parameter.grad is not None])
            return losses

        return step

    def validate(self) -> dict[str, float]:
        """Losses and measures on the validation split, and its sounds and pictures."""
        for network in self.parts.networks.values():
            network.eval()
        values = self.validation.losses(self.compute)
        if self.config.evaluate.during_training and not self.of_text:
            values |= self.validation.measures(self.network)
        for index in self.validation.shown if self.processes.is_main else ():
            self.validation.show(index, self.network, self.log, self.step)
        for network in self.parts.networks.values():
            network.train()
        return values

    def _on_device(self, table: UtteranceTable) -> bool:
        wanted = self.config.train.corpus_on_device
        if wanted == "auto":
            return table.size_in_bytes() < AUTO_SHARE * device_memory(self.processes.device)
        return wanted == "always"


def speaker_rows(corpora: Sequence[ProcessedCorpus], cast: Cast, rows: int, overall: Mapping[str, float]) -> Tensor:
    """STATISTICS (rows, 4) of each speaker; of all together where there is nothing of a speaker."""
    own = speaker_statistics(corpora)
    names = [*cast.speakers, *[""] * (rows - len(cast.speakers))]
    return torch.tensor([[own.get(name, overall)[key] for key in STATISTICS] for name in names])
