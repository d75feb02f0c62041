"""What holds for all tests."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

# A shell that starts the tests in the background lets them ignore Ctrl-C, and their child processes inherit that; the
# tests of interruptions need children that can be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much the fault suite tried, in whichever processes."""
    counts: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", None) == "teardown":
            counts.update(dict(report.user_properties))
    for name, count in sorted(counts.items()):
        terminalreporter.write_line(f"{name}: {count:,}")
