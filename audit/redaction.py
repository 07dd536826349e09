"""Personal data and secrets, found by pattern and taken out of text.

Own pattern set, so that its version can be recorded with what it cleaned and its misses can be measured. It finds what
has a form: addresses, phone and card numbers, IBANs, IP addresses, keys. It does not find names: nothing with a regular
expression does.

Text from telemetry is untidy: percent-encoded queries, JSON inside strings (`\\u0040`), values that an exporter cut in
the middle of an address. The patterns expect that. Every pattern runs in linear time: a run of characters is entered
at its start only, and given up as a whole (possessive quantifiers).
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import phonenumbers

VERSION = "1"

# Most strings of a trace are short and repeat (model names, operations): those are looked up, not searched again.
_SHORT = 96


class Pattern(NamedTuple):
    kind: str
    hint: Callable[[str], Any]  # cheap: where it finds nothing, the pattern is not tried
    form: re.Pattern[str]
    # Of what has the form, the length that truly is one (0: none of it).
    accept: Callable[[str], int]


def redact(text: str, found: Counter[str] | None = None) -> str:
    """The text with each finding replaced by `[kind]`; `found` counts them by kind."""
    if not text:
        return text
    clean, kinds = _redact_short(text) if len(text) <= _SHORT else _redact(text)
    if found is not None and kinds:
        found.update(kinds)
    return clean


def redact_value(value: Any, found: Counter[str] | None = None) -> Any:
    """The same for every string inside lists and mappings, keys included."""
    if isinstance(value, str):
        return redact(value, found)
    if isinstance(value, dict):
        return {redact(key, found): redact_value(item, found) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_value(item, found) for item in value]
    return value


def _redact(text: str) -> tuple[str, tuple[str, ...]]:
    kinds: list[str] = []
    text = _without(_WORDS, text, kinds)
    text = _without(_NUMBERS if _may_hold_a_number(text) else _SHORT_NUMBERS, text, kinds)
    return text, tuple(kinds)


def _without(patterns: Iterable[Pattern], text: str, kinds: list[str]) -> str:
    for pattern in patterns:
        if pattern.hint(text):
            text = _replaced(pattern, text, kinds)
    return text


_redact_short = lru_cache(maxsize=16384)(_redact)


def _replaced(pattern: Pattern, text: str, kinds: list[str]) -> str:
    parts: list[str] = []
    done = 0
    for match in pattern.form.finditer(text):
        length = pattern.accept(match[0])
        if length:
            kinds.append(pattern.kind)
            parts += text[done : match.start()], f"[{pattern.kind}]"
            done = match.start() + length
    return "".join((*parts, text[done:])) if parts else text


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _whole(text: str) -> int:
    return len(text)


def _card(text: str) -> int:
    digits = re.sub(r"[ -]", "", text)
    # First digits that card networks use: without this, one in ten long numbers (times, counters) would pass.
    known = re.match(r"4|5[1-5]|2[2-7]|3[4-9]|6", digits)
    return len(text) if known and 13 <= len(digits) <= 19 and luhn(digits) else 0


def _iban(text: str) -> int:
    """ISO 7064 mod 97. A following word may look like one more group: groups are taken off until it adds up."""
    while len(text) >= 15:
        plain = text.replace(" ", "").upper()
        if 15 <= len(plain) <= 34:
            number = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
            if int(number) % 97 == 1:
                return len(text)
        text = text.rpartition(" ")[0]
    return 0


def _ip(text: str) -> int:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return 0
    return 0 if address.is_loopback or address.is_unspecified else len(text)


def _ip6(text: str) -> int:
    # `abc::def` is code more often than an address: an address has digits.
    return _ip(text) if any(character.isdigit() for character in text) else 0


def _phone(text: str) -> int:
    number = re.sub(r"(?i)^(?:00|%2b)", "+", text)
    try:
        parsed = phonenumbers.parse(number, None if number.startswith("+") else "US")
    except phonenumbers.NumberParseException:
        return 0
    return len(text) if phonenumbers.is_valid_number(parsed) else 0


def _may_hold_a_number(text: str) -> bool:
    """Whether the text has what every account, card and phone number has: a word that begins as an IBAN does, or seven
    digits with no letter between them. Most texts have neither, and are spared the three dearest patterns. Text beyond
    ASCII has other digits too, and is not spared."""
    if not text.isascii():
        return True
    outline = b"." + text.encode().translate(_OUTLINE)
    return b".aa00" in outline or b"0000000" in outline.translate(None, b".")


# Digits as 0, letters as a, everything else as a dot.
_OUTLINE = bytes(ord("0" if chr(code).isdigit() else "a" if chr(code).isalpha() else ".") for code in range(256))


def _any_of(*words: str) -> Callable[[str], bool]:
    def here(text: str) -> bool:
        for word in words:  # noqa: SIM110 - a generator takes half as long again, on every text that comes in
            if word in text:
                return True
        return False

    return here


def _any_word_of(*words: str) -> Callable[[str], bool]:
    here = _any_of(*words)
    return lambda text: here(text.lower())


def _may_hold_a_key(text: str) -> bool:
    """Most texts lack the mark that a dozen of these have, and are not searched for one after the other."""
    return _plain(text) or ("_" in text and _with_underscore(text)) or ("-" in text and _with_hyphen(text))


_plain = _any_of("AKIA", "ASIA", "AIza", "eyJ", "://")
_with_underscore = _any_of(
    *("sk_", "rk_", "pk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "npm_", "rdy_")
)
_with_hyphen = _any_of("sk-", "glpat-", "xox", "-----BEGIN")


def _search(form: str) -> Callable[[str], Any]:
    return re.compile(form).search


# The @ of an address as it stands in plain text, in a URL, and in JSON inside a string.
_AT = r"(?:@|%40|\\u0040)"
_LOCAL = r"(?<![\w.+%'-])(?:(?!%40)[\w.+%'-]|\\u(?!0040)[0-9a-fA-F]{4})++"
_HOST = r"(?:[\w-]{1,63}\.){1,10}[^\W\d_]{2,63}"
# Cut by a length limit: whatever host there is ends with the text, and begins like one (`openai@4` is a version).
_CUT = r"(?:[^\W\d_][\w.-]{0,255})?\Z"

PATTERNS = (
    Pattern(
        "secret",
        _may_hold_a_key,
        re.compile(
            r"""
            (?<![A-Za-z0-9])(?:
              sk-[A-Za-z0-9_-]{16,} | [rsp]k_(?:live|test)_\w{10,} | gh[pousr]_\w{20,} | github_pat_\w{20,}
            | glpat-[\w-]{16,} | xox[abposr]-[\w-]{10,} | A[KS]IA[A-Z0-9]{16} | AIza[\w-]{30,} | hf_\w{20,}
            | npm_\w{30,} | rdy_\w{20,} | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*
            )
            | -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----(?s:.*?)(?:-----END\ [A-Z ]{0,30}KEY-----|\Z)
            | (?<=://)[^\s/:@]{1,256}:[^\s/@]{1,256}(?=@)
            """,
            re.VERBOSE,
        ),
        _whole,
    ),
    Pattern(
        "secret",
        _any_word_of("bearer", "passw", "secret", "api-key", "api_key", "apikey", "token"),
        re.compile(
            r"""(?xi)
            (?<![A-Za-z0-9])(?:
              bearer[ ]+[\w.~+/=-]{16,}
            | (?:password|passwd|secret|api[_-]?key|access[_-]?token|client[_-]?secret)
              ["']?\s?[:=]\s?["']?[^\s"',;&}\]]{4,}
            )
            """
        ),
        _whole,
    ),
    Pattern("email", _any_of("@", "%40", r"\u0040"), re.compile(f"{_LOCAL}{_AT}(?:{_HOST}|{_CUT})"), _whole),
    Pattern(
        "iban",
        _search(r"\d{2}(?: ?[A-Za-z0-9]{4}){2}"),
        re.compile(r"(?i)(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}+(?:[ ]?[A-Z0-9]{1,4})?(?![A-Z0-9])"),
        _iban,
    ),
    Pattern("card", _search(r"\d[\d -]{11,}\d"), re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)"), _card),
    Pattern("ip", _search(r"\.\d"), re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)"), _ip),
    Pattern(
        "ip",
        _search(r":[0-9a-fA-F]{0,4}:"),
        re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"),
        _ip6,
    ),
    Pattern(
        "phone",
        _search(r"\+[1-9]|00[1-9]|%2[bB][1-9]|\d{3}\)?[-. ]{0,2}\d{3}[-. ]"),
        re.compile(
            r"""
            (?<![\w+.])(?:\+|00|%2[bB])[1-9](?:[\s().\u00a0-]{0,2}\d){6,13}(?!\d)
            | (?<![\w.-])(?:1[ .-])?(?:\(\d{3}\)[ ]?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])
            """,
            re.VERBOSE,
        ),
        _phone,
    ),
)
_WORDS = tuple(pattern for pattern in PATTERNS if pattern.kind in ("secret", "email"))
_SHORT_NUMBERS = tuple(pattern for pattern in PATTERNS if pattern.kind == "ip")
_NUMBERS = tuple(pattern for pattern in PATTERNS if pattern not in _WORDS)
