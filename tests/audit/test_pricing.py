from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from audit.pricing import LONG, NANO, Cost, Price, _calculated, parse_prices, price_call

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
OWN = {"own": Price(Decimal("0.40"), Decimal("1.60"), Decimal("0.10")), "embed": Price(Decimal("0.02"), Decimal(0))}


def price(model, tokens_in, tokens_out, cached=None, provider="openai", prices=OWN):
    return price_call(
        prices=prices,
        models=(model,),
        provider=provider,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cached_in=cached,
        at=AT,
    )


def test_own_table_comes_first():
    table = {"gpt-4.1-mini": Price(Decimal(1), Decimal(1))}
    assert price("gpt-4.1-mini", 1_000_000, 0, prices=table) == Cost(NANO, "profile")


def test_cached_input_is_part_of_the_input_at_its_own_price():
    assert price("own", 1000, 100, 200) == Cost(800 * 400 + 200 * 100 + 100 * 1600, "profile")
    assert price("own", 100, 0, 500) == Cost(100 * 100, "profile")  # more cached than sent: all of it


def test_every_model_of_the_public_table_costs_what_the_table_itself_says():
    """Few tokens and so many that tiers count, with and without cached ones."""
    models = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]
    assert len(models) > 1000
    for provider, model in models:
        for tokens_in, tokens_out, cached in ((0, 0, 0), (1234, 77, 200), (300_001, 9000, 250_000)):
            usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=cached or None)
            found = price(model, tokens_in, tokens_out, cached, provider=provider)
            try:
                usd = calc_price(usage, model, provider_id=provider, genai_request_timestamp=AT).total_price
            except LookupError:  # listed there, and not found by its own name
                assert found is None
                continue
            assert found is not None, (provider, model)
            assert found.nanousd == (usd * NANO).to_integral_value(ROUND_HALF_EVEN), (provider, model, tokens_in)
            assert found.source.startswith("genai-prices/")


@pytest.mark.parametrize(
    ("model", "tokens_in", "tokens_out", "provider"),
    [
        ("never-heard-of", 10, 10, "openai"),
        ("gpt-4.1-mini", None, 10, "openai"),
        ("gpt-4.1-mini", 10, None, "openai"),  # its output is not free, so a missing count is a gap
        ("own", 10, None, "openai"),
        ("gpt-4.1-mini", 10, 10, "a-provider-we-do-not-know"),
    ],
)
def test_unknown_is_none_and_never_zero(model, tokens_in, tokens_out, provider):
    assert price(model, tokens_in, tokens_out, provider=provider) is None


def test_an_embedding_needs_no_output_count():
    assert price("embed", 1_000_000, None) == Cost(NANO // 50, "profile")
    found = price("text-embedding-3-small", 1000, None)
    assert found is not None
    assert found.nanousd == 20_000


@given(st.integers(0, 2**31), st.integers(0, 2**31), st.integers(0, 2**31))
def test_exact_to_the_nano_dollar(tokens_in, tokens_out, cached):
    found = price("own", tokens_in, tokens_out, cached)
    used = min(cached, tokens_in)
    assert found is not None
    assert found.nanousd == (tokens_in - used) * 400 + used * 100 + tokens_out * 1600


@pytest.mark.parametrize("row", [{"input": "-1", "output": "0"}, {"input": "NaN", "output": "0"}])
def test_nonsense_prices_are_refused(row):
    with pytest.raises(ValueError, match="model"):
        parse_prices({"model": row})


def test_a_name_that_is_none_is_not_remembered():
    before = _calculated.cache_info().currsize
    assert price("x" * (LONG + 1), 100, 10) is None
    assert price("gpt-4.1-mini" + "-" * LONG, 100, 10) == price("gpt-4.1-mini" + "-" * LONG, 100, 10)
    assert _calculated.cache_info().currsize == before
