"""The one guarded way out: every URL that a person can enter is fetched here and nowhere else.

The name is resolved once, every address that it has must pass, and the connection goes to an address that was checked,
so a name that answers differently a moment later changes nothing. Redirects are not followed, the environment's proxies
are not used, and time and size are bounded from the first packet to the last. TLS is verified against the name.
"""

import ipaddress
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx
from django.conf import settings

from metrics.problems import EgressError, EgressFailed, EgressRefused

__all__ = ["EgressError", "EgressFailed", "EgressRefused", "Limits", "Response", "check_url", "fetch"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that Python calls global although an IPv4 address is hidden inside, which may be any.
_TUNNELS = tuple(ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes. `total` runs from the first packet to the last, however slowly they drip."""

    connect: float = 5
    read: float = 10
    total: float = 30
    max_bytes: int = 50 * 1024 * 1024


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def problem(self) -> str:
        """Why the answer is not a good one, as a sentence."""
        if 300 <= self.status < 400:
            where = self.headers.get("location", "nowhere")[:200]
            return f"It answered {self.status} and points to {where}; redirects are not followed."
        said = self.body[:200].decode("utf-8", "replace").strip()
        return f"It answered {self.status}" + (f": {said}" if said else ".")


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    limits: Limits = Limits(),
    allow: Sequence[str] | None = None,
) -> Response:
    """Sends one request. Raises EgressRefused where we do not go, EgressFailed where no whole answer came in time.

    Any status is returned as it came; `Response.ok` and `Response.problem` judge it. `allow` (default: the operator's
    EGRESS_ALLOW) names what may be reached although it is not a public address: `host:port`, or a network in CIDR form.
    """
    target = _target(url)
    end = time.monotonic() + limits.total
    address = _checked_address(target, settings.EGRESS_ALLOW if allow is None else allow)
    # Compressed answers are not asked for, and refused: a small one could unfold without end.
    sent = {"User-Agent": "readiness", **(headers or {}), "Accept-Encoding": "identity"}
    timeout = httpx.Timeout(limits.read, connect=limits.connect)
    transport = _Transport(_CheckedBackend(str(address), end))
    try:
        with (
            httpx.Client(transport=transport, timeout=timeout, trust_env=False, follow_redirects=False) as client,
            client.stream(method, target, headers=sent, content=content) as answer,
        ):
            if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
                raise EgressFailed(f"{target.host} sent a compressed answer although we asked it not to.")
            body = _read(answer, limits.max_bytes, target.host)
            return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, body)
    except (httpx.TimeoutException, httpcore.TimeoutException, _OutOfTime):
        raise EgressFailed(f"{target.host} did not answer within {limits.total:g} seconds.") from None
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        httpx.StreamError,
        httpcore.NetworkError,
        httpcore.ProtocolError,
    ) as error:
        raise EgressFailed(f"{target.host} could not be reached: {error}.") from None
    except ValueError as error:
        raise EgressRefused(f"The request cannot be sent: {error}.") from None


def check_url(url: str, *, allow: Sequence[str] | None = None) -> None:
    """Raises what `fetch` would raise before it connects; for forms."""
    _checked_address(_target(url), settings.EGRESS_ALLOW if allow is None else allow)


def _target(url: str) -> httpx.URL:
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in url):
        raise EgressRefused("The address contains blanks, control characters or a backslash.")
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise EgressRefused(f"This is not an address: {error}.") from None
    if target.scheme not in ("http", "https"):
        raise EgressRefused(f"Only http and https are fetched, not {target.scheme or 'an address without a scheme'}.")
    if target.userinfo:
        raise EgressRefused("Put credentials into the credential field, not into the address.")
    if not target.host or "%" in target.host:
        raise EgressRefused("The address names no host.")
    if target.port is not None and not 1 <= target.port <= 65535:
        raise EgressRefused(f"There is no port {target.port}.")
    return target.copy_with(fragment=None)


def _checked_address(target: httpx.URL, allow: Sequence[str]) -> Address:
    """The address to connect to. All addresses of the name must pass: one bad among them means a bad name."""
    port = target.port or (443 if target.scheme == "https" else 80)
    host = target.raw_host.decode().strip("[]").rstrip(".")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise EgressFailed(f"The name {host} has no address.") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if f"{host.lower()}:{port}" not in {entry.lower() for entry in allow}:
        networks = [net for entry in allow if (net := _network(entry))]
        for address in addresses:
            if not _is_public(address) and not any(_plain(address) in net for net in networks):
                raise EgressRefused(
                    f"{host} is at {address}, which is not a public address. If it is meant, the operator allows it: "
                    f"READINESS_EGRESS_ALLOW={host}:{port}"
                )
    # IPv4 first: it works where IPv6 is only configured.
    return min(addresses, key=lambda address: address.version)


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None  # a host:port


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _is_public(address: Address) -> bool:
    plain = _plain(address)
    tunnelled = any(plain.version == net.version and plain in net for net in _TUNNELS)
    return plain.is_global and not (plain.is_multicast or plain.is_reserved or tunnelled)


def _read(answer: httpx.Response, max_bytes: int, host: str) -> bytes:
    parts, size = [], 0
    for part in answer.iter_raw():
        size += len(part)
        if size > max_bytes:
            raise EgressFailed(f"{host} sent more than {max_bytes:,} bytes.")
        parts.append(part)
    return b"".join(parts)


class _OutOfTime(Exception):
    pass


class _Transport(httpx.BaseTransport):
    """httpx over our own backend: the pool keeps name and certificate check, the backend decides where to connect."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=backend, max_connections=1, retries=0
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(status_code=answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to the one address that was checked, whatever name it is asked for, and stops when time is up."""

    def __init__(self, address: str, end: float) -> None:
        self._address, self._end, self._inner = address, end, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(self._address, port, _left(timeout, self._end), None, socket_options)
        return _TimedStream(stream, self._end)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, end: float) -> None:
        self._inner, self._end = inner, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, self._end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In parts: a reader that takes one byte at a time would otherwise renew the limit with each.
        for start in range(0, len(buffer), 65536):
            self._inner.write(buffer[start : start + 65536], _left(timeout, self._end))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, self._end)), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None, end: float) -> float:
    """What remains for one step: its own limit, or what is left of the whole."""
    rest = end - time.monotonic()
    if rest <= 0:
        raise _OutOfTime
    return rest if timeout is None else min(timeout, rest)
