import socket
import time
from collections.abc import Callable

import pytest

from metrics import egress
from metrics.problems import EgressFailed, EgressRefused
from tests.metrics import hostile

PATIENT = egress.Limits(connect=10, read=10, total=20, max_bytes=1_000_000)
QUICK = egress.Limits(connect=1, read=0.5, total=1, max_bytes=1_000_000)


def get(port: int, limits: egress.Limits = PATIENT, **more: object) -> egress.Response:
    return egress.fetch(f"http://127.0.0.1:{port}/file", allow=[f"127.0.0.1:{port}"], limits=limits, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:5432/",
        "http://localhost/",
        "http://localhost.:80/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.5.4/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://240.0.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[ff02::1]/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:6379/_INFO",
        "//127.0.0.1/",
        "127.0.0.1",
        "http://",
        "http:///path",
        "http://user:secret@93.184.216.34/",
        "http://93.184.216.34:80\\@127.0.0.1/",
        "http://93.184.216.34/\r\nHost: inside",
        "http://93.184.216.34 /",
        "http://93.184.216.34:99999/",
        "http://[fe80::1%25lo]/",
        "javascript:alert(1)",
        "",
    ],
)
def test_hostile_urls_are_refused_before_anything_is_sent(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(*_: object, **__: object) -> None:
        raise AssertionError("it tried to connect")

    monkeypatch.setattr(socket, "create_connection", connected)
    with pytest.raises(EgressRefused) as refused:
        egress.fetch(url, allow=[])
    assert refused.value.permanent
    assert " " in refused.value.detail  # a sentence, not a code


def answers(*addresses: str) -> Callable[..., list[tuple[object, ...]]]:
    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answers("93.184.216.34", "10.0.0.8"))
    with pytest.raises(EgressRefused, match=r"two-faced\.example is at 10\.0\.0\.8"):
        egress.fetch("http://two-faced.example/", allow=[])


def test_the_name_is_resolved_once_and_the_checked_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: a second look-up would give another address. There is none."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *rest: object, **more: object) -> object:
        if host != "rebind.example":
            return real(host, port, *rest, **more)  # type: ignore[arg-type]
        asked.append(host)
        return answers("127.0.0.1" if len(asked) == 1 else "10.9.9.9")(host, port)

    with hostile.serving(hostile.plain(b"here")) as port:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        response = egress.fetch(f"http://rebind.example:{port}/", allow=["127.0.0.0/8"], limits=PATIENT)
    assert (response.status, response.body, asked) == (200, b"here", ["rebind.example"])


def test_an_allowed_host_and_port_is_reached_and_another_port_is_not() -> None:
    with hostile.serving(hostile.plain(b'{"a":1}', headers="Content-Type: application/json\r\n")) as port:
        response = get(port)
        assert (response.ok, response.body, response.headers["content-type"]) == (True, b'{"a":1}', "application/json")
        with pytest.raises(EgressRefused, match=f"READINESS_EGRESS_ALLOW=127.0.0.1:{port}"):
            egress.fetch(f"http://127.0.0.1:{port}/", allow=[f"127.0.0.1:{port + 1}", "localhost:80"])


def test_an_allowed_network_is_reached_also_as_mapped_address() -> None:
    egress.check_url("http://[::ffff:127.0.0.1]:9/", allow=["127.0.0.0/8"])
    egress.check_url("http://10.1.2.3/", allow=["10.0.0.0/8"])
    with pytest.raises(EgressRefused):
        egress.check_url("http://10.1.2.3/", allow=["192.168.0.0/16"])


def test_a_post_arrives_with_its_body_and_headers() -> None:
    seen: list[bytes] = []

    def record(connection: socket.socket, head: bytes) -> None:
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = head.split(b"\r\n\r\n", 1)[1]
        while len(body) < length:
            body += connection.recv(65536)
        seen.append(head.split(b"\r\n\r\n")[0] + b"\n" + body)
        hostile.plain(b"", status="204 No Content")(connection, head)

    with hostile.serving(record) as port:
        response = get(port, method="POST", content=b"y" * 200_000, headers={"Webhook-Id": "msg_1"})
    assert response.status == 204
    assert b"Webhook-Id: msg_1" in seen[0]
    assert f"Host: 127.0.0.1:{port}".encode() in seen[0]
    assert b"Accept-Encoding: identity" in seen[0]
    assert seen[0].endswith(b"y" * 200_000)


def test_a_redirect_is_not_followed_and_says_where_it_points() -> None:
    redirect = hostile.plain(b"", status="302 Found", headers="Location: http://169.254.169.254/\r\n")
    with hostile.serving(redirect) as port:
        response = get(port)
    assert not response.ok
    assert response.problem == "It answered 302 and points to http://169.254.169.254/; redirects are not followed."


@pytest.mark.parametrize("behaviour", [hostile.dripping_head, hostile.dripping_body, hostile.silent])
def test_time_is_bounded_however_slowly_it_drips(behaviour: Callable[[socket.socket, bytes], None]) -> None:
    started = time.monotonic()
    with hostile.serving(behaviour) as port, pytest.raises(EgressFailed, match="did not answer within 1 seconds"):
        get(port, QUICK)
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hostile.endless, "sent more than 1,000,000 bytes"),
        (hostile.endless_head, "could not be reached"),
        (hostile.cut_off, "could not be reached"),
        (hostile.garbage, "could not be reached"),
        (hostile.gzip_bomb, "compressed answer"),
    ],
)
def test_no_whole_answer_is_no_answer(behaviour: Callable[[socket.socket, bytes], None], reason: str) -> None:
    with hostile.serving(behaviour) as port, pytest.raises(EgressFailed, match=reason):
        get(port)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with hostile.serving(hostile.plain(b"direct")) as port:
        assert get(port).body == b"direct"


def test_a_name_without_address_and_a_closed_port_are_failures_that_may_pass() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(EgressFailed, match="could not be reached") as failed:
        get(port)
    assert failed.value.permanent is False
    with pytest.raises(EgressFailed, match="has no address"):
        egress.fetch("http://no-such-name.invalid/", allow=[])
