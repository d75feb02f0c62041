"""`accelerate launch` as a process that ends as the training script ended: same exit status, no traceback of its own.

Runs as a script with the arguments of `accelerate launch`; utils/launch.py starts it.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from accelerate.commands import launch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main() -> int:
    """Exit status of the training script; 128 + n when signal n ended it."""
    # Requests to stop are for the training process, which installs its own handlers; the launcher waits for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        launch.main()
    except subprocess.CalledProcessError as error:
        status = error.returncode
    except ChildFailedError as error:
        status = error.get_first_failure()[1].exitcode
    else:
        return 0
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main())
