#!/usr/bin/env python3
"""Text first, then its speech: asks a model, shows its answer as it comes, and has it spoken.

    examples/speak.py "Why is the sky blue?"                  # plays it, if a player is installed
    examples/speak.py --out sky.mp3 "Why is the sky blue?"    # writes it
    echo "Why?" | examples/speak.py --voice ann -

Needs Python 3.11 and nothing else. The two requests come one after the other on purpose: both models share a card,
and speech waits for text that still runs.
"""

# ruff: noqa: S310, S603, T201
import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLAYERS = (
    ["mpv", "--really-quiet", "-"],
    ["ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-"],
    ["mpg123", "-q", "-"],
)
LONGEST = 4096  # characters that a request for speech may have
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
STYLE = "Answer in a few plain sentences that are read aloud: no lists, no code, no formatting."


def main() -> int:
    """0, or 1 when one of the two fails."""
    asked = arguments()
    question = sys.stdin.read() if asked.question == "-" else asked.question
    try:
        text = answer(asked, question)
        speak(asked, text)
    except urllib.error.HTTPError as error:
        return failed(f"{error.url}: {error.code}: {reason(error)}")
    except OSError as error:
        return failed(f"{asked.url}: {error}")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Asks a model, and speaks its answer.")
    parser.add_argument("question", help="what to ask; - reads it from standard input")
    parser.add_argument("--url", default=os.environ.get("SLUICE_URL", "http://localhost:8080"))
    parser.add_argument(
        "--key", default=os.environ.get("SLUICE_KEY", "none"), help="a client's key, if one is asked for"
    )
    parser.add_argument("--model", default="auto", help="who answers")
    parser.add_argument("--speech-model", default="tts-1", help="who speaks")
    parser.add_argument("--voice", default="default")
    parser.add_argument("--speed", type=float, default=1.0, help="0.25 to 4")
    parser.add_argument("--out", type=Path, help="the file to write; its ending is the format: " + ", ".join(FORMATS))
    return parser.parse_args()


def answer(asked: argparse.Namespace, question: str) -> str:
    """The model's answer, shown while it comes."""
    messages = [{"role": "system", "content": STYLE}, {"role": "user", "content": question}]
    body = {"model": asked.model, "stream": True, "messages": messages}
    said = []
    for part in chunks(asked, body):
        print(part, end="", flush=True)
        said.append(part)
    print()
    return "".join(said).strip()


def chunks(asked: argparse.Namespace, body: dict[str, Any]) -> Iterator[str]:
    """The text of a streamed answer, piece by piece."""
    with post(asked, "/v1/chat/completions", body) as stream:
        for line in stream:
            data = line.decode().removeprefix("data: ").strip()
            if not data or data == "[DONE]":
                continue
            event = json.loads(data)
            if "error" in event:
                raise OSError(event["error"].get("message", "the answer broke off"))
            for choice in event.get("choices", []):
                yield choice["delta"].get("content") or ""


def speak(asked: argparse.Namespace, text: str) -> None:
    """Writes or plays the speech of a text, while it is still being made."""
    if not text:
        raise OSError("the model gave no text to speak")
    player = None if asked.out else next((found for found in PLAYERS if shutil.which(found[0])), None)
    target = asked.out or Path("answer.mp3")
    kind = target.suffix.removeprefix(".").lower()
    body = {"model": asked.speech_model, "voice": asked.voice, "input": text[:LONGEST], "speed": asked.speed}
    with post(asked, "/v1/audio/speech", {**body, "response_format": kind if kind in FORMATS else "mp3"}) as sound:
        if player is not None:
            play(player, sound)
            return
        with target.open("wb") as file:
            shutil.copyfileobj(sound, file)
    print(f"written to {target}", file=sys.stderr)


def play(player: list[str], sound: Any) -> None:
    """Through the player's standard input."""
    # a player that is closed takes no more
    with subprocess.Popen(player, stdin=subprocess.PIPE) as running, contextlib.suppress(BrokenPipeError):
        shutil.copyfileobj(sound, running.stdin or sys.stdout.buffer)


def post(asked: argparse.Namespace, path: str, body: dict[str, Any]) -> Any:
    """The open answer to a request."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {asked.key}"}
    request = urllib.request.Request(asked.url.rstrip("/") + path, json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=600)


def reason(error: urllib.error.HTTPError) -> str:
    """What a server says about a failure, in OpenAI's shape or its own."""
    said = error.read().decode(errors="replace")
    try:
        return str(json.loads(said)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return said[:200]


def failed(why: str) -> int:
    """Says so."""
    print(f"speak: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
