"""What to ask a voice for so that its pitch moves as far as is wanted, by what `bins/calibrate.py` measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.files import read_json, write_json

PITCH_RESPONSE = "pitch_response.json"
# Where more is asked for and less than this share of it comes, the voice's range ends.
LEAST_SLOPE = 0.4
LEAST_REST = 0.1  # semitones; less is not worth changing the sound for


@dataclass(frozen=True)
class PitchResponse:
    """Measured shifts (semitones) for those that were asked for, both rising, 0 for 0.

    `inference` are settings of config.inference, above 0 and at most 3, that make good for what was measured, too.
    """

    checkpoint: str
    asked: tuple[float, ...]
    measured: tuple[float, ...]
    inference: dict[str, float] = field(default_factory=dict)

    def needed(self, semitones: Sequence[float]) -> list[float]:
        """What to ask for so that the voice moves by each of `semitones`, or as far as it can."""
        return np.interp(semitones, self.measured, self.asked).tolist()

    def rest(self, semitones: Sequence[float]) -> float:
        """How much of `semitones`, which may differ from token to token, the voice leaves undone: the median."""
        rest = np.median(np.subtract(semitones, np.clip(semitones, self.measured[0], self.measured[-1])))
        return float(rest) if abs(rest) > LEAST_REST else 0.0

    @classmethod
    def from_measured(cls, checkpoint: str, asked: Sequence[float], measured: Sequence[float]) -> PitchResponse:
        """From measurements at `asked` in any order, up to the end of the range; NaN where there is none."""
        curve = {0.0: 0.0}
        for sign in (-1, 1):
            last = (0.0, 0.0)
            for wanted, got in sorted(zip(asked, measured), key=lambda pair: abs(pair[0])):
                if wanted * sign <= 0:
                    continue
                if not np.isfinite(got) or (got - last[1]) * sign < LEAST_SLOPE * (wanted - last[0]) * sign:
                    break
                curve[wanted] = got
                last = (wanted, got)
        return cls(checkpoint, tuple(sorted(curve)), tuple(curve[wanted] for wanted in sorted(curve)))

    @classmethod
    def load(cls, folder: Path, checkpoint: str) -> PitchResponse | None:
        """The one in an experiment's folder, if it was measured on this checkpoint."""
        path = folder / PITCH_RESPONSE
        if not path.is_file():
            return None
        try:
            found = read_json(path)
            settings = {name: float(value) for name, value in dict(found.get("inference", {})).items()}
            response = cls(found["checkpoint"], tuple(found["asked"]), tuple(found["measured"]), settings)
            rising = all(a < b for row in (response.asked, response.measured) for a, b in zip(row, row[1:]))
            usable = all(0 < value <= 3 for value in settings.values())
            if not rising or not usable or not len(response.asked) == len(response.measured) > 0:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path} is damaged: delete it, and measure the voice again") from None
        return response if response.checkpoint == checkpoint else None

    def save(self, folder: Path) -> None:
        """Write it into an experiment's folder."""
        write_json(folder / PITCH_RESPONSE, asdict(self))
