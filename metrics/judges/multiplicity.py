"""Several tests at once: p-values that still mean what they say together. Pure."""

from collections.abc import Sequence

METHODS = ("none", "holm", "bonferroni")


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of Holm (1979), in the order given: no assumption on how the tests depend on each other."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def bonferroni(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of Bonferroni: each times the number of tests."""
    return [min(1.0, len(p_values) * p_value) for p_value in p_values]


def adjusted(p_values: Sequence[float], method: str) -> list[float]:
    match method:
        case "holm":
            return holm(p_values)
        case "bonferroni":
            return bonferroni(p_values)
        case "none":
            return list(p_values)
    raise ValueError(f"There is no correction {method!r}.")
