"""JETS' part of a training run: its networks, batches, losses and what it shows at validation."""

from __future__ import annotations

from models.base.base_trainer import BaseTrainer, Parts
from models.base.device import device_memory
from models.base.sampler import LengthSampler
from models.tts.jets.config import JetsConfig
from models.tts.jets.dataset import BatchAssembler, JetsBatches, UtteranceTable, merged_statistics, open_corpora
from models.tts.jets.fast_step import FastStep
from models.tts.jets.network import STATISTICS, JetsNetwork
from models.tts.jets.step import TrainStep
from models.tts.jets.validation import Validation
from models.vocoders.discriminators import Discriminators

# With corpus_on_device = "auto", a corpus may take this share of the device's memory.
AUTO_SHARE = 0.25


class Trainer(BaseTrainer):
    """Joint training of text-to-waveform network and discriminators (arXiv 2203.16852, section 2.5)."""

    NETWORKS = ("network", "discriminator")
    METRIC = "generator/mel"
    SHOWN = {
        "mel": "generator/mel",
        "adv": "generator/adversarial",
        "align": "generator/forward_sum",
        "dur": "generator/duration",
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
        if config.evaluate.during_training:
            self.METRIC = f"measures/{config.evaluate.best_metric}"
        corpora = open_corpora(config)
        statistics = merged_statistics(corpora)
        tokens = corpora[0].tokens
        network = JetsNetwork(config.model, len(tokens), config.preprocess.n_mel, statistics).to(device)
        discriminator = Discriminators(**config.model.discriminator.model_dump()).to(device)
        kind = FastStep if device.type == "cuda" else TrainStep
        self.compute = kind(network, discriminator, config, self.precision)

        table = UtteranceTable(corpora, "train")
        sampler = LengthSampler(
            table.frames, table.tokens, table.ids, train.batch_size, train.max_batch_frames, train.random_seed,
            self.processes.rank, self.processes.world_size, table.appearances(config),
        )  # fmt: skip
        self.assembler = BatchAssembler(config.preprocess, statistics, device)
        batches = JetsBatches(table, sampler, self.assembler, self._on_device(table))
        largest = sampler.largest()
        self.validation = Validation(
            UtteranceTable(corpora, "valid"), self.assembler, self.processes, len(largest.indices) * largest.frames,
            train.valid_samples,
        )  # fmt: skip
        self.network = network
        networks = dict(zip(self.NETWORKS, (network, discriminator)))
        return Parts(networks, self.compute, batches, tokens, table.token_counts())

    def loaded(self) -> None:
        """Normalise as the loaded network does, even if the corpus has grown since."""
        self.assembler.statistics = {name: float(getattr(self.network, name)) for name in STATISTICS}

    def validate(self) -> dict[str, float]:
        """Losses and measures on the validation split, and its sounds and pictures."""
        for network in self.parts.networks.values():
            network.eval()
        values = self.validation.losses(self.compute)
        if self.config.evaluate.during_training:
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
