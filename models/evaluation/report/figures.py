"""How figures are written."""

from __future__ import annotations

import math

from models.evaluation.measures.bootstrap import Estimate
from models.evaluation.measures.definitions import Measure


def number(value: float, measure: Measure, sign: bool = False) -> str:
    """A figure as shown: scaled, with the measure's decimals; a dash for a missing one."""
    if not math.isfinite(value):
        return "–"
    text = f"{value * measure.scale:{'+' if sign else ''}.{measure.decimals}f}"
    return text.replace("-", "−")


def interval(low: float, high: float, measure: Measure) -> str:
    """A confidence interval in brackets; empty where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{number(low, measure)}, {number(high, measure)}]"


def with_interval(estimate: Estimate | None, measure: Measure) -> str:
    """A figure and its interval; a dash for a missing one."""
    if estimate is None:
        return "–"
    return f"{number(estimate.value, measure)} {interval(estimate.low, estimate.high, measure)}".strip()


def named(measure: Measure) -> str:
    """A measure's name with its unit and an arrow to where it is better."""
    arrow = {"lower": " ↓", "higher": " ↑", "one": " →1", "recording": ""}[measure.better]
    return f"{measure.label}{f' ({measure.unit})' if measure.unit else ''}{arrow}"


def p_value(p: float) -> str:
    """A p value with as many digits as mean something."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
