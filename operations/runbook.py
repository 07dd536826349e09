"""What every runbook must say, and whether it does: found by its headings. Pure; and how its Markdown is shown.

A heading counts when it says the thing in usual words and something stands below it. That a text has a part does not
make it right: a drill with this version does (`tested on`).
"""

import re
from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt


@dataclass(frozen=True)
class Part:
    key: str
    title: str
    why: str
    pattern: str


PARTS = (
    Part("stop", "Stop traffic", "How the harm ends, by whom, with which command.", r"stop|halt|block\b.*traffic"),
    Part("fallback", "Force the fallback", "How users get the fallback instead of the model.", r"fall ?-?back"),
    Part("rollback", "Roll back", "The steps back to the release before.", r"roll(ing)? ?-?back|revert"),
    Part(
        "last-good", "Find the last known good release", "Which release to go back to, and where that is read.",
        r"last[ -](known[ -])?good",
    ),
    Part("call", "Who to call", "Names or rotas, in order, with how to reach them.", r"call|contact|escalat|on-?call"),
    Part("degradation", "Degradation", "What is given up first, and how it comes back.", r"degrad"),
)  # fmt: skip

_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.+?)\s*#*\s*$")
_TAGS = {"h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "strong", "em", "code", "pre", "a", "blockquote",
         "hr", "br", "table", "thead", "tbody", "tr", "th", "td"}  # fmt: skip

TEMPLATE = "\n".join(f"## {part.title}\n\n{part.why}\n" for part in PARTS)


def missing(text: str) -> list[str]:
    """Keys of the parts that the text lacks: no such heading, or nothing below it."""
    sections = _sections(text)
    return [part.key for part in PARTS if not _has(part, sections)]


def parts_of(lacking: list[str]) -> list[tuple[Part, bool]]:
    """Every part, and whether it is there."""
    return [(part, part.key not in lacking) for part in PARTS]


def html(text: str) -> str:
    """The Markdown as HTML of a few harmless tags: whoever writes a runbook writes no page."""
    clean = nh3.clean(MarkdownIt("commonmark").enable("table").render(text), tags=_TAGS, attributes={"a": {"href"}})
    return clean.replace("<pre>", '<pre tabindex="0">')  # a long command scrolls, by keyboard too


def _has(part: Part, sections: list[tuple[str, str]]) -> bool:
    return any(
        re.search(part.pattern, heading, re.IGNORECASE) and body.strip() and body.strip() != part.why
        for heading, body in sections
    )


def _sections(text: str) -> list[tuple[str, str]]:
    """Headings with what stands below each. A fenced block is text, whatever it begins with."""
    found: list[tuple[str, list[str]]] = []
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if heading:
            found.append((heading.group(1), []))
        elif found:
            found[-1][1].append(line)
    return [(heading, "\n".join(lines)) for heading, lines in found]
