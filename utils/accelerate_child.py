"""`accelerate launch` as a process that ends as the training script ended: same exit status, no traceback of its own.

Runs as a script with the arguments of `accelerate launch`; utils/launch.py starts it.
"""

from __future__ import annotations

import signal
import subprocess
import sys


def main() -> int:
    """Exit status of the training script; 128 + n when signal n ended it."""
    try:
        # A shell that started everything in the background may have let it ignore Ctrl-C, which is how requests come.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # utils/launch.py holds signals back until here
        from accelerate.commands import launch
        from torch.distributed.elastic.multiprocessing.api import SignalException
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

        # From here on requests to stop are for the training process, and the launcher waits for it. Not SIG_IGN: the
        # training would inherit it and lose what comes before it can answer, while what is blocked waits there. (What
        # arrives in the milliseconds before it exists is lost: press again.) Blocking alone is not enough here, as
        # threads of the packages may receive the signal.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    except KeyboardInterrupt:
        return 130
    try:
        launch.main()
    except SignalException as error:  # for several processes torch handles signals itself, and has ended them all
        return 128 + error.sigval
    except subprocess.CalledProcessError as error:
        status = error.returncode
    except ChildFailedError as error:
        status = error.get_first_failure()[1].exitcode
    else:
        return 0
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main())
