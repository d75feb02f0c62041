"""Start a training script through `accelerate launch` on the devices of CUDA_VISIBLE_DEVICES, or on the CPU.

usage: python bins/launch.py SCRIPT [its arguments]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.errors import UserError
from utils.launch import (
    card_names,
    cuda_device_count,
    launch_command,
    nccl_switches,
    processes_for,
    requested_devices,
    run_and_forward,
)


def main() -> int:
    """Exit status of the script, or 2 when it cannot be started."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        requested = requested_devices(os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
        available = cuda_device_count() if requested else 0
        processes = processes_for(requested, available)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not available:
        print("note: no CUDA device is visible, so training runs on the CPU, slowly", file=sys.stderr)
    environment = {**os.environ, **nccl_switches(card_names(), os.environ)}
    return run_and_forward(launch_command(sys.argv[1:], processes, on_cpu=not available), environment)


if __name__ == "__main__":
    sys.exit(main())
