from decimal import Decimal

import pytest

from metrics.judges.representative import judge, language, words

MAX = Decimal("0.2")
ASKED = [
    "How do I get a refund?",
    "Where is my invoice, please?",
    "Can I cancel my newsletter?",
    "Is my address right?",
]


def many(texts: list[str], count: int = 200) -> list[str]:
    return [texts[n % len(texts)] for n in range(count)]


def test_a_golden_set_like_the_traffic_is_representative() -> None:
    found = judge(many(ASKED, 40), many(ASKED, 400), psi_max=MAX)
    assert (found.outcome, found.cases, found.requests, found.missing) == ("representative", 40, 400, ())
    assert [one.name for one in found.features] == ["length (characters)", "language", "words"]


def test_what_users_ask_and_no_case_does_is_named_with_its_share() -> None:
    found = judge(many(ASKED, 40), many([*ASKED, "My warranty expired yesterday."], 400), psi_max=MAX)
    assert found.outcome == "differs"
    assert dict(found.missing) == {word: Decimal("0.2000") for word in ("warranty", "expired", "yesterday")}


def test_another_language_and_another_length_differ() -> None:
    german = judge(
        many(ASKED, 40), many(["Wie kann ich bitte mein Geld sehen und ist das nicht gut?"], 200), psi_max=MAX
    )
    assert {one.name for one in german.features if one.outcome == "drifted"} >= {"language", "words"}
    long = judge(many(ASKED, 40), many([text * 40 for text in ASKED], 200), psi_max=MAX)
    assert "length (characters)" in {one.name for one in long.features if one.outcome == "drifted"}


@pytest.mark.parametrize(("cases", "requests"), [(0, 0), (40, 0), (0, 400), (29, 400), (40, 29)])
def test_too_few_of_either_are_unknown_and_never_alike(cases: int, requests: int) -> None:
    found = judge(many(ASKED, cases), many(ASKED, requests), psi_max=MAX)
    assert found.outcome == "unknown"
    assert "30 of each are needed" in found.sentence


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("How can I cancel?", "English"),
        ("Wie kann ich kündigen?", "German"),
        ("Comment puis-je annuler ?", "French"),
        ("¿Cómo puedo cancelar?", "Spanish"),
        ("Как отменить заказ?", "Cyrillic"),
        ("返品できますか", "Hiragana"),
        ("xyzzy", "undetermined"),
        ("4711?", "none"),
        ("", "none"),
    ],
)
def test_languages_are_told_by_script_and_short_words(text: str, name: str) -> None:
    assert language(text) == name


def test_words_carry_the_topic_each_once() -> None:
    assert words("Refund, refund: WHERE is my refund for the ☂ 4711 parcel?") == {"refund", "parcel"}
