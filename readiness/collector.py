"""Python's collector of reference cycles, in processes that serve for long."""

import gc

# Containers made and not given up since the last look. One batch of spans passes Python's 2,000 many times over, and
# each look walks over what that batch holds.
LOOK_AFTER = 100_000


def settle() -> None:
    """Once a process has loaded what it keeps: the collector passes that over from now on, and looks less often.

    Otherwise it walks through every loaded module now and then, and all threads wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(LOOK_AFTER, *gc.get_threshold()[1:])
