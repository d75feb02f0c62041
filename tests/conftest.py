"""What holds for all tests."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background lets them ignore Ctrl-C, and their child processes inherit that; the
# tests of interruptions need children that can be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)
