"""Start a training script through `accelerate launch` on the devices of CUDA_VISIBLE_DEVICES, or on the CPU.

usage: python bins/launch.py SCRIPT [its arguments]

The script starts with SIGINT and SIGTERM blocked, and unblocks them once Ctrl-C finds it ready, as bins/train.py does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import command


@command
def main() -> int:
    """Exit status of the script, 2 when it cannot be started, 130 after Ctrl-C before its start."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    from utils import launch

    requested = launch.requested_devices(os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
    available = launch.cuda_device_count() if requested else 0
    processes = launch.processes_for(requested, available)
    if not available:
        print("note: no CUDA device is visible, so training runs on the CPU, slowly", file=sys.stderr)
    environment = {**os.environ, **launch.nccl_switches(launch.card_names(), os.environ)}
    command = launch.launch_command(sys.argv[1:], processes, on_cpu=not available)
    return launch.run_and_forward(command, environment)


if __name__ == "__main__":
    sys.exit(main())
