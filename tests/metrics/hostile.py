"""Servers on this machine that behave badly, one way each."""

import gzip
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def serving(answer: Callable[[socket.socket, bytes], None]) -> Iterator[int]:
    """A TCP server that reads the request's head and then does whatever `answer` does with the connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            self.request.settimeout(5)
            while b"\r\n\r\n" not in head and (part := self.request.recv(4096)):
                head += part
            try:
                answer(self.request, head)
            except OSError:
                return  # the client had enough, as it should

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def plain(body: bytes, status: str = "200 OK", headers: str = "") -> Callable[[socket.socket, bytes], None]:
    def answer(connection: socket.socket, _: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return answer


def dripping_head(connection: socket.socket, _: bytes) -> None:
    """Slow-loris: one byte of the head at a time, each well within any read limit."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        connection.sendall(b"X")
        time.sleep(0.05)


def dripping_body(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.05)


def silent(connection: socket.socket, _: bytes) -> None:
    time.sleep(5)


def endless(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while True:
        connection.sendall(part)


def endless_head(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Header: " + b"x" * 1000 + b"\r\n")


def cut_off(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")


def garbage(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"\x00\x01SSH-2.0-what\r\n\r\n")


def gzip_bomb(connection: socket.socket, head: bytes) -> None:
    body = gzip.compress(b"\0" * 10_000_000)
    plain(body, headers="Content-Encoding: gzip\r\n")(connection, head)
