"""A simulated Hugging Face hub on loopback: one repository, tokens, gates, files that arrive whole or broken."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

REPOSITORY = "ResembleAI/chatterbox-turbo"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD, STRANGER = "hf_good", "hf_agreed_to_nothing"
LARGE = ".safetensors"  # kept apart, and named by their checksum


class Hub:
    """Serves the files of a folder; counts what it is asked."""

    def __init__(self, files: Path) -> None:
        self.files = files
        self.asked: list[str] = []
        self.damage: set[str] = set()  # files of which other bytes arrive than are announced
        hub = self

        class Handler(_Handler):
            house = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    house: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Is silent."""

    def _answer(self) -> None:
        self.house.asked.append(f"{self.command} {self.path}")
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if token != GOOD:
            self._send(403 if token == STRANGER else 401, b"no", {"X-Error-Code": "GatedRepo"})
        elif self.path.startswith(f"/api/models/{REPOSITORY}"):
            self._repository()
        else:
            self._file(self.path.removeprefix(f"/{REPOSITORY}/resolve/{COMMIT}/"))

    def _repository(self) -> None:
        if self.path.partition("/revision/")[2] not in ("main", COMMIT):
            self._send(404, b"no", {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [{"rfilename": path.name} for path in sorted(self.house.files.iterdir())]
        about = {"_id": "1", "id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "private": False}
        self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str) -> None:
        path = self.house.files / name
        if not path.is_file():
            self._send(404, b"no", {"X-Error-Code": "EntryNotFound"})
            return
        data = path.read_bytes()
        checksum = hashlib.sha256(data).hexdigest()
        tag = checksum if name.endswith(LARGE) else checksum[:40]
        if name in self.house.damage:
            data = data[:-1] + bytes([data[-1] ^ 1])
        linked = {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(data))} if name.endswith(LARGE) else {}
        self._send(200, data, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, **linked})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
