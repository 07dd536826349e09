"""What this package refuses, in sentences that a person can act on."""

from web import problems


class MetricsError(problems.Problem):
    """Root of the package's refusals. `permanent` tells a worker whether trying again could help."""

    permanent = True


class NotFound(MetricsError, problems.NotFound):
    pass


class Forbidden(MetricsError, problems.Forbidden):
    pass


class Invalid(MetricsError, problems.Invalid):
    pass


class TooLarge(MetricsError, problems.TooLarge):
    pass


class Unreadable(MetricsError):
    """A file or an answer is not what its tool would write, or does not add up."""

    status = 422
    code = "unreadable"


class Mismatch(MetricsError):
    """The answer is about something else than was asked: another release, dataset, component or time."""

    status = 409
    code = "mismatch"


class SourceFailed(MetricsError):
    """The source gave no usable answer this time; it may the next."""

    status = 502
    code = "source-failed"
    permanent = False


class EgressError(MetricsError):
    """Nothing came back from where we were sent."""


class EgressRefused(EgressError):
    """We do not go there, whoever asks."""

    status = 422
    code = "egress-refused"


class EgressFailed(EgressError, SourceFailed):
    """We went, and no whole answer came in time; it may the next time."""
