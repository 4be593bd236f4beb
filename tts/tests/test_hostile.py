"""What nobody sends by accident: each is refused in OpenAI's shape, names the member, and harms nothing."""

import contextlib
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Start
from running import Running, body, error
from sluice_tts.errors import ApiError
from sluice_tts.web.body import JSON_LIMIT, parse
from sounds import reference

JSON = {"content-type": "application/json"}
SPEECH = "/v1/audio/speech"
GOOD = json.dumps(body())

# What is sent; then the status, the code and the param of the answer.
BODIES: dict[str, tuple[bytes, int, str, str | None]] = {
    "empty": (b"", 400, "invalid_json", None),
    "cut short": (GOOD[:-1].encode(), 400, "invalid_json", None),
    "two documents": ((GOOD + GOOD).encode(), 400, "invalid_json", None),
    "not UTF-8": (b'{"input":"\xff"}', 400, "invalid_json", None),
    "UTF-16": (GOOD.encode("utf-16"), 400, "invalid_json", None),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), 400, "invalid_json", None),
    "half a surrogate pair": (b'{"model":"tts-1","voice":"default","input":"\\ud800"}', 400, "invalid_json", None),
    "half a surrogate pair in a name": (
        b'{"model":"\\udfff","voice":"default","input":"a"}',
        400,
        "invalid_json",
        None,
    ),
    "deep nesting": (b'{"input":' + b"[" * 100_000, 400, "invalid_json", None),
    "deep nesting of objects": (b'{"a":' * 40_000, 400, "invalid_json", None),
    "a member twice": (b'{"model":"tts-1","input":"a","input":"b","voice":"default"}', 400, "invalid_json", None),
    "NaN": (b'{"model":"tts-1","voice":"default","input":"a","speed":NaN}', 400, "invalid_json", None),
    "Infinity": (b'{"model":"tts-1","voice":"default","input":"a","speed":-Infinity}', 400, "invalid_json", None),
    "a number of 5000 digits": (b'{"seed":' + b"9" * 5000 + b"}", 400, "invalid_json", None),
    "an array": (b"[]", 400, "invalid_request", None),
    "a string": (b'"input"', 400, "invalid_request", None),
    "null": (b"null", 400, "invalid_request", None),
    "too large": (b" " * (JSON_LIMIT + 1), 413, "body_too_large", None),
}

# The members that are changed; then the same.
MEMBERS: list[tuple[dict[str, Any], int, str, str]] = [
    ({"model": None}, 400, "invalid_request", "model"),
    ({"model": 1}, 400, "invalid_request", "model"),
    ({"model": ""}, 400, "invalid_request", "model"),
    ({"model": "x" * 300}, 400, "invalid_request", "model"),
    ({"model": "gpt-4"}, 404, "model_not_found", "model"),
    ({"input": None}, 400, "invalid_request", "input"),
    ({"input": ["a"]}, 400, "invalid_request", "input"),
    ({"input": ""}, 400, "invalid_request", "input"),
    ({"input": " \n\t "}, 400, "invalid_request", "input"),
    ({"input": "\x00\x07"}, 400, "invalid_request", "input"),
    ({"input": "?!…"}, 400, "invalid_request", "input"),
    ({"input": "\u202e\u200b\ufeff"}, 400, "invalid_request", "input"),
    ({"input": "a" * 4097}, 400, "invalid_request", "input"),
    ({"input": "😀" * 4097}, 400, "invalid_request", "input"),
    ({"voice": None}, 400, "invalid_request", "voice"),
    ({"voice": 7}, 400, "invalid_request", "voice"),
    ({"voice": {}}, 400, "invalid_request", "voice"),
    ({"voice": {"id": 7}}, 400, "invalid_request", "voice"),
    ({"voice": ""}, 400, "invalid_request", "voice"),
    ({"voice": "nobody"}, 404, "voice_not_found", "voice"),
    ({"voice": "x" * 65}, 400, "invalid_request", "voice"),
    *(
        ({"voice": name}, 400, "invalid_voice", "voice")
        for name in (
            "..",
            ".",
            "../secret",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "a.wav",
            "a\x00b",
            "-rf",
            "voice\n",
            "ä",
            "a b",
            "~",
        )
    ),
    ({"response_format": "ogg"}, 400, "invalid_request", "response_format"),
    ({"response_format": "MP3"}, 400, "invalid_request", "response_format"),
    ({"response_format": ["mp3"]}, 400, "invalid_request", "response_format"),
    ({"stream_format": "websocket"}, 400, "invalid_request", "stream_format"),
    ({"instructions": "x" * 4097}, 400, "invalid_request", "instructions"),
    ({"instructions": {}}, 400, "invalid_request", "instructions"),
    ({"seed": -1}, 400, "invalid_request", "seed"),
    ({"seed": 2**32}, 400, "invalid_request", "seed"),
    ({"seed": 1.5}, 400, "invalid_request", "seed"),
    ({"seed": "1"}, 400, "invalid_request", "seed"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One service for all rows: none of them may harm it."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret.wav").write_bytes(reference())
    with Running(None, {"engine": "standin", "state_dir": folder / "state"}) as running:
        running.wait("ready")
        yield running
        assert running.speak().status_code == 200


@pytest.mark.parametrize("name", BODIES)
def test_bodies(shared: Running, name: str) -> None:
    data, status, code, param = BODIES[name]
    answer = shared.client.post(SPEECH, content=data, headers=JSON)
    found = error(answer)
    assert (answer.status_code, found["code"], found["param"]) == (status, code, param)


@pytest.mark.parametrize(("changed", "status", "code", "param"), MEMBERS)
def test_members(shared: Running, changed: dict[str, Any], status: int, code: str, param: str) -> None:
    answer = shared.speak(**{"text" if name == "input" else name: value for name, value in changed.items()})
    if changed.get("input", 0) is None:
        answer = shared.client.post(SPEECH, json={"model": "tts-1", "voice": "default"})
    found = error(answer)
    assert (answer.status_code, found["code"], found["param"]) == (status, code, param)


@pytest.mark.parametrize(
    "text", ["a" * 4096, "ä" * 4096, "\x00a\x1b[31m", "a\u0301" * 2000, "<speak>hi</speak>", "'; DROP--a", "{{7*7}}"]
)
def test_odd_texts_are_spoken(shared: Running, text: str) -> None:
    with shared.client.stream("POST", SPEECH, json=body(text, response_format="pcm", speed=4.0)) as answer:
        assert answer.status_code == 200
        assert answer.read()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {**JSON, "content-encoding": "gzip"},
    ],
)
def test_types_of_content(shared: Running, headers: dict[str, str]) -> None:
    answer = shared.client.post(SPEECH, content=GOOD.encode(), headers=headers)
    assert (answer.status_code, error(answer)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_by_other_names(shared: Running, charset: str) -> None:
    assert shared.client.post(SPEECH, content=GOOD.encode(), headers={"content-type": charset}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", SPEECH, 405),
        ("PUT", "/v1/audio/voices", 405),
        ("POST", "/health", 405),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/v1/audio/voices/..%2f..%2fsecret", 404),
        ("DELETE", "/v1/audio/voices/..%2fsecret", 404),
        ("DELETE", "/v1/audio/voices/nobody", 404),
        ("DELETE", "/v1/audio/voices/%00", 400),
        ("DELETE", "/v1/audio/voices/secret.wav", 400),
        ("GET", "/v1/models/nothing", 404),
    ],
)
def test_paths(shared: Running, method: str, path: str, status: int) -> None:
    answer = shared.client.request(method, path)
    assert answer.status_code == status
    error(answer)


FORMS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no file": ({"data": {"name": "a"}, "files": {"other": ("a", b"", "audio/wav")}}, 400, "invalid_request"),
    "no name": ({"files": {"file": ("a.wav", reference())}}, 400, "invalid_request"),
    "a file as a name": ({"files": {"name": ("a", b"x"), "file": ("a.wav", reference())}}, 400, "invalid_request"),
    "a text as a file": ({"data": {"name": "a", "file": "x"}, "files": {"z": ("z", b"")}}, 400, "invalid_request"),
    "a path as a name": ({"data": {"name": "../a"}, "files": {"file": ("a.wav", reference())}}, 400, "invalid_voice"),
    "an absolute name": (
        {"data": {"name": "/etc/a"}, "files": {"file": ("a.wav", reference())}},
        400,
        "invalid_voice",
    ),
    "no audio": ({"data": {"name": "a"}, "files": {"file": ("a.wav", b"<html>")}}, 400, "invalid_audio"),
    "an empty file": ({"data": {"name": "a"}, "files": {"file": ("a.wav", b"")}}, 400, "invalid_audio"),
    "too short": ({"data": {"name": "a"}, "files": {"file": ("a.wav", reference(3))}}, 400, "unsuitable_audio"),
    "not a form": ({"json": {"name": "a"}}, 415, "unsupported_media_type"),
    "too large": ({"data": {"name": "a"}, "files": {"file": ("a.wav", b"x" * (11 << 20))}}, 413, "body_too_large"),
    "a flag that is none": (
        {"params": {"convert": "maybe"}, "data": {"name": "a"}, "files": {"file": ("a.wav", b"x")}},
        400,
        "invalid_request",
    ),
    "a broken form": (
        {"content": b"--x\r\nnothing", "headers": {"content-type": "multipart/form-data; boundary=y"}},
        400,
        "invalid_request",
    ),
    "a form without a boundary": (
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        400,
        "invalid_request",
    ),
    "many parts": ({"data": {"name": "a"}, "files": [("file", ("a", b"x"))] * 40}, 400, "invalid_request"),
    "from a web page": (
        {
            "headers": {"origin": "http://evil.example"},
            "data": {"name": "a"},
            "files": {"file": ("a.wav", reference())},
        },
        403,
        "not_allowed",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(shared: Running, name: str) -> None:
    sent, status, code = FORMS[name]
    answer = shared.client.post("/v1/audio/voices", **sent)
    assert (answer.status_code, error(answer)["code"]) == (status, code)
    assert [voice["id"] for voice in shared.client.get("/v1/audio/voices").json()["data"]] == ["default"]


def test_no_name_leaves_the_folder(shared: Running) -> None:
    root = Path(shared.server.service.settings.state_dir).parent
    assert sorted(path.name for path in root.iterdir()) == ["secret.wav", "state"]


def test_a_body_that_does_not_come_is_not_waited_for(start: Start) -> None:
    service = start(body_timeout=0.1)
    answer = raw(
        service,
        f"POST {SPEECH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{{",
    )
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_timeout" in answer
    assert service.speak().status_code == 200


def test_a_head_that_does_not_end_is_cut_off(start: Start) -> None:
    service = start()
    answer = raw(service, "GET /health HTTP/1.1\r\nHost: a\r\nX: " + "a" * 200_000)
    assert answer.startswith(b"HTTP/1.1 400") or answer == b""
    assert service.speak().status_code == 200


def raw(service: Running, head: str) -> bytes:
    """Sends these bytes, and reads until the service closes, or has answered."""
    where = urlsplit(service.url)
    answer = b""
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        try:
            connection.sendall(head.encode())
            while b"}}" not in answer and (part := connection.recv(65536)):
                answer += part
        except ConnectionError:
            pass
    return answer


@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    with contextlib.suppress(ApiError):
        assert isinstance(parse(data), dict)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
MEMBER_NAMES = st.sampled_from(
    ["model", "input", "voice", "response_format", "speed", "stream_format", "instructions", "seed"]
)


@given(st.dictionaries(MEMBER_NAMES, JSON_VALUES))
def test_no_object_breaks_the_service(shared: Running, members: dict[str, Any]) -> None:
    answer = shared.client.post(SPEECH, content=json.dumps({**body(), **members}).encode(), headers=JSON)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        error(answer)
