"""What a call costs: tokens times price, in integer nano-USD.

The system's own price table comes first, then the table of `genai-prices` as it stood on the day of the call. A model
that neither knows has no price, and its cost is unknown: never zero. Pure but for that package's bundled table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from importlib.metadata import version

from genai_prices import Usage, calc_price
from genai_prices.types import ModelPrice, PriceCalculation, TieredPrices

NANO = 1_000_000_000
LONG = 400  # characters of a model's name and its provider's: what is a name is shorter
_TABLE = f"genai-prices/{version('genai-prices')}"


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. Cached input is part of the input, at its own price where one is given."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None

    def of(self, tokens_in: int, tokens_out: int, cached_in: int) -> Decimal:
        """In USD."""
        usd = tokens_in * self.input + tokens_out * self.output
        if self.cached_input is not None:
            usd += min(cached_in, tokens_in) * (self.cached_input - self.input)
        return usd / 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    nanousd: int
    source: str  # which table priced it: recorded, since tables change


def parse_prices(table: Mapping[str, Mapping[str, str]]) -> dict[str, Price]:
    """`{"gpt-4.1-mini": {"input": "0.40", "output": "1.60", "cached_input": "0.10"}}`, USD per million tokens."""
    prices = {}
    for model, row in table.items():
        cached = row.get("cached_input")
        price = Price(Decimal(row["input"]), Decimal(row["output"]), None if cached is None else Decimal(cached))
        for amount in (price.input, price.output, price.cached_input or Decimal(0)):
            if not amount.is_finite() or amount < 0:
                raise ValueError(f"The price of {model} must be zero or more, in USD per million tokens.")
        prices[model] = price
    return prices


def price_call(
    *,
    prices: Mapping[str, Price],
    models: tuple[str, ...],
    provider: str,
    tokens_in: int | None,
    tokens_out: int | None,
    cached_in: int | None,
    at: datetime,
) -> Cost | None:
    """The cost of one call; None where a count or a price is missing.

    `models` are the names to look under, the best one first. An embedding has no output: a missing output count is
    taken as none only where the model's output is free.
    """
    if tokens_in is None:
        return None
    for model in models:
        if own := prices.get(model):
            if tokens_out is None and own.output:
                return None
            return Cost(_nano(own.of(tokens_in, tokens_out or 0, cached_in or 0)), "profile")
    for model in models:
        usd = _from_table(model, provider, tokens_in, tokens_out, cached_in or 0, at.date())
        if usd is not None:
            return Cost(_nano(usd), _TABLE)
    return None


def _from_table(
    model: str, provider: str, tokens_in: int, tokens_out: int | None, cached_in: int, day: date
) -> Decimal | None:
    """The package takes a tenth of a millisecond a call, so it is asked once a day what a token costs, where that is
    all that it knows of a model; where the price depends on how many there are, it is asked each time."""
    found = _asked(model, provider, 0, 0, 0, day)
    if found is None or (tokens_out is None and found.model_price.output_mtok):
        return None
    flat = _flat(found.model_price)
    if flat is not None:
        return flat.of(tokens_in, tokens_out or 0, cached_in)
    exact = _asked(model, provider, tokens_in, tokens_out, min(cached_in, tokens_in), day)
    return exact.total_price if exact else None


def _asked(
    model: str, provider: str, tokens_in: int, tokens_out: int | None, cached_in: int, day: date
) -> PriceCalculation | None:
    """Long names are not remembered, so that no sender decides what memory holds."""
    ask = _calculated if len(model) + len(provider) <= LONG else _calculated.__wrapped__
    return ask(model, provider, tokens_in, tokens_out, cached_in, day)


@lru_cache(maxsize=4096)
def _calculated(
    model: str, provider: str, tokens_in: int, tokens_out: int | None, cached_in: int, day: date
) -> PriceCalculation | None:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=cached_in or None)
    try:
        return calc_price(usage, model, provider_id=provider or None, genai_request_timestamp=at)
    except (LookupError, ValueError):
        return None


def _flat(price: ModelPrice) -> Price | None:
    """So much a token, whatever their number; None where there are tiers, or a price of the request itself."""
    asked, answered, cached = price.input_mtok or Decimal(0), price.output_mtok or Decimal(0), price.cache_read_mtok
    if isinstance(asked, TieredPrices) or isinstance(answered, TieredPrices) or isinstance(cached, TieredPrices):
        return None
    return Price(asked, answered, cached) if price.requests_kcount is None else None


def _nano(usd: Decimal) -> int:
    return int((usd * NANO).to_integral_value(ROUND_HALF_EVEN))
