"""Steps that were skipped because a loss or gradient was not finite: report them, and stop when they do not end."""

from __future__ import annotations

from collections.abc import Callable

import torch

from models.base.engine import LOSS_SCALE, NORM, SKIPPED
from models.base.meter import StepRecords
from utils.errors import UserError

# Of one window, this many skipped steps are described; the rest is counted.
DESCRIBED = 3


class BadSteps:
    """Counts skipped steps in a row."""

    def __init__(self, limit: int, warn: Callable[[str], None], checkpoint_note: Callable[[], str]) -> None:
        self.limit, self.warn, self.checkpoint_note = limit, warn, checkpoint_note
        self.in_a_row = 0
        self.total = 0

    def check(self, records: StepRecords, seen: int) -> None:
        """Look at the records from row `seen` on; UserError after `limit` skipped steps in a row."""
        if len(records) <= seen:
            return
        skipped = records.column(SKIPPED).tolist()
        described = 0
        for row in range(seen, len(records)):
            if not skipped[row]:
                self.in_a_row = 0
                continue
            self.in_a_row += 1
            self.total += 1
            step = records.first_step + row
            cause = _cause(records, row)
            if self.in_a_row >= self.limit:
                raise UserError(
                    f"training stopped at step {step}: {self.in_a_row} steps in a row had {cause}; "
                    f"{self.checkpoint_note()}; look at those utterances, lower train.learning_rate or set "
                    "train.grad_clip"
                )
            described += 1
            if described <= DESCRIBED:
                self.warn(f"step {step} skipped: {cause}")
        if described > DESCRIBED:
            self.warn(f"{described - DESCRIBED} more steps skipped up to step {records.first_step + len(records) - 1}")


def _cause(records: StepRecords, row: int) -> str:
    """What was not finite in a skipped step, and who was in its batch."""
    odd = [
        name for name, value in zip(records.names, records.values[row])
        if not torch.isfinite(value) and not name.startswith(NORM)
    ]  # fmt: skip
    # Totals and weighted terms follow from the term that went wrong.
    terms = [name for name in odd if not name.endswith(("/total", "/weighted"))] or odd
    ids = records.ids[row]
    who = f"(utterances {', '.join(ids[:16])}{' ...' if len(ids) > 16 else ''})"
    if terms:
        return f"a loss that is not finite: {', '.join(terms)} {who}"
    if LOSS_SCALE in records.names:
        return f"an fp16 overflow at loss scale {float(records.column(LOSS_SCALE)[row]):g}"
    networks = [name[len(NORM) :] for name, value in zip(records.names, records.values[row])
                if name.startswith(NORM) and not torch.isfinite(value)]  # fmt: skip
    return f"a gradient that is not finite: {', '.join(networks) or 'of another process'} {who}"
