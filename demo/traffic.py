"""Sends the demo's application a modest stream of questions, or fills the hours before now with such requests.

    python -m demo.traffic live --target http://127.0.0.1:9001=90 --target http://127.0.0.1:9002=10 --rate 2
    python -m demo.traffic history --hours 24 --rate-per-hour 60 --release 2026.11.2 --otlp ... --token ...

Weights of targets are traffic shares, as a load balancer would hold them. Bounded: it stops after --seconds.
"""

import argparse
import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from demo.assistant import ARTICLES, Assistant
from demo.stub_app import add_options, tracing, variant_from

TENANTS = ("northwind", "contoso", "fabrikam")
QUESTIONS = (
    "What do I need to know about {}?",
    "Please tell me about {}.",
    "This is the third time I ask about {}. Answer me!",
    "Two things: {}, and then my invoice.",
    # People write what they should not; the trail must not keep it.
    "My address is {name}@example.com. What about {}?",
    "Call me on +49 30 901820 about {}.",
)
WORKERS = 16


@dataclass(frozen=True)
class Question:
    text: str
    tenant: str
    request_id: str


def questions(seed: str) -> Iterator[Question]:
    """An endless stream, the same for the same seed. Nothing in it belongs to anybody."""
    luck = random.Random(seed)  # noqa: S311 -- repeatable, not secret
    words = [word for word, _ in ARTICLES.values()]
    while True:
        text = luck.choice(QUESTIONS).format(luck.choice(words), name=luck.choice(("kim", "robin", "alex")))
        yield Question(text, luck.choice(TENANTS), f"req-{luck.getrandbits(48):012x}")


def live(targets: Sequence[tuple[str, float]], *, rate: float, seconds: float, seed: str) -> Counter[str]:
    """Asks at `rate` per second for so many seconds; returns how often which status came."""
    luck = random.Random(f"{seed} targets")  # noqa: S311
    urls, weights = [url for url, _ in targets], [weight for _, weight in targets]
    begun, stream = time.monotonic(), questions(seed)
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = []
        for number in range(max(1, int(rate * seconds))):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            waiting.append(pool.submit(_ask, luck.choices(urls, weights)[0], next(stream)))
        return Counter(future.result() for future in waiting)


def history(assistant: Assistant, *, hours: float, per_hour: float, seed: str, until_ns: int | None = None) -> int:
    """Requests of the hours before now, evenly spread, sent at once with the times at which they would have been."""
    until = until_ns if until_ns is not None else time.time_ns()
    count = int(hours * per_hour)
    stream = questions(seed)
    for number in range(count):
        at = until - int(hours * 3600e9 * (count - number) / count)
        question = next(stream)
        assistant.answer(question.text, request_id=question.request_id, tenant=question.tenant, at_ns=at)
        if number % 200 == 0:
            assistant.provider.force_flush()  # the SDK's queue drops what it cannot hold
    return count


def _ask(url: str, question: Question) -> str:
    body = json.dumps({"question": question.text, "tenant": question.tenant}).encode()
    headers = {"Content-Type": "application/json", "X-Request-Id": question.request_id}
    request = urllib.request.Request(f"{url}/ask", data=body, headers=headers)  # noqa: S310 -- targets of the operator
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return str(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return str(error.code)
    except OSError:
        return "unreachable"


def _target(text: str) -> tuple[str, float]:
    url, _, weight = text.partition("=")
    return url.rstrip("/"), float(weight or 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.traffic", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    now = commands.add_parser("live")
    now.add_argument("--target", type=_target, action="append", required=True, help="URL=weight")
    now.add_argument("--rate", type=float, default=2, help="requests per second")
    now.add_argument("--seconds", type=float, default=3600)
    now.add_argument("--seed", default="live")
    before = commands.add_parser("history")
    add_options(before)
    before.add_argument("--hours", type=float, default=24, help="at most 47: ingest takes no older spans")
    before.add_argument("--rate-per-hour", type=float, default=60)
    before.add_argument("--seed", default="history")
    options = parser.parse_args()
    if options.command == "live":
        answers = live(options.target, rate=options.rate, seconds=options.seconds, seed=options.seed)
        print(json.dumps(dict(answers)))
        return
    provider = tracing(otlp=options.otlp, token=options.token)
    count = history(
        Assistant(variant_from(options), provider),
        hours=min(options.hours, 47),
        per_hour=options.rate_per_hour,
        seed=options.seed,
    )
    provider.shutdown()
    print(json.dumps({"sent": count}))


if __name__ == "__main__":
    main()
