"""How long a start takes, the first and the second, once the packages are there: `.venv/bin/python bench/start.py`."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def start(data: Path) -> tuple[float, float, float]:
    """Seconds until it is ready, seconds until it has stopped, and seconds of processor time that both took.

    The last says more where other work shares the machine.
    """
    spent = processor_time()
    began = time.monotonic()
    command = [sys.executable, str(CHECKOUT / "manage.py"), "up"]
    env = {"PATH": os.defpath, "HOME": str(Path.home()), "READINESS_DATA_DIR": str(data)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ready." in line:
                break
        else:
            sys.exit("It did not start:\n" + "".join(said))
        ready = time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        process.wait()
    return ready, time.monotonic() - began - ready, processor_time() - spent


def processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        Path(folder).chmod(0o711)
        for name, target in (("first", 60), ("second", 10)):
            ready, stopped, processor = start(Path(folder) / "data")
            times = f"ready in {ready:.1f} s (target {target} s), stopped in {stopped:.1f} s"
            print(f"{name} start: {times}, {processor:.1f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
