"""A program that receives webhooks, in a thread, and verifies each message by an implementation of its own."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "whsec_" + base64.b64encode(b"the receiver's own key, 32 bytes").decode()
VARIABLE = "UNDERSTUDY_TEST_SECRET"


def verified(headers, body: bytes, secret: str = SECRET) -> dict:
    """The body, if one of its signatures is right: as the specification says."""
    name, at, given = (headers[f"webhook-{each}"] for each in ("id", "timestamp", "signature"))
    signed = f"{name}.{at}.".encode() + body
    right = base64.b64encode(hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest())
    found = [part.split(",")[1].encode() for part in given.split(" ") if part.startswith("v1,")]
    assert any(hmac.compare_digest(right, each) for each in found), given
    return json.loads(body)


class Receiver:
    """What has come, and what is answered: the next of `answers`, then 204."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict]] = []
        self.asked: list[tuple[str, str]] = []
        self.answers: list[int | str] = []
        self.slow = 0.0
        self.lock = threading.Lock()

    @property
    def ids(self) -> list[str]:
        return [name for name, _ in self.got]

    @property
    def types(self) -> list[str]:
        return [body["type"] for _, body in self.got]

    def said(self, *names: str) -> list[tuple]:
        """Some parts of the data of what was taken."""
        return [tuple(body["data"].get(name) for name in names) for _, body in self.got]


@contextmanager
def receiving(port: int = 0, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver; its address is `url`."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(receiver.slow)
            with receiver.lock:
                answer = receiver.answers.pop(0) if receiver.answers else 204
                receiver.asked.append((self.path, self.headers["webhook-id"]))
                told = verified(self.headers, body)
                if answer in (200, 204):
                    receiver.got.append((self.headers["webhook-id"], told))
            if answer == "drip":
                self.drip()
            elif answer == "hang up":
                self.close_connection = True
            else:
                self.send_response(answer)
                if answer == 302:
                    self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

        def drip(self) -> None:
            """One byte at a time, for ever."""
            self.close_connection = True
            try:
                for byte in b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 1000:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.1)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server((host, port), Handler)
    receiver.port = server.server_address[1]
    receiver.url = f"http://{host}:{receiver.port}/hook?key=hidden"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
