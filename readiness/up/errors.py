class UpError(Exception):
    """Why the start is refused or has failed: one sentence for the person at the terminal."""


class Stopped(Exception):
    """Somebody asked to stop. Raised where the supervisor waits, so that a start can be broken off anywhere."""
