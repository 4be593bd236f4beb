"""The token for Hugging Face: from a file, else from the environment. It is never printed."""

import os
from pathlib import Path


class TokenError(Exception):
    """There is none, or its file cannot be read; the message says what to do."""


def token(file: Path | None) -> str:
    """The token."""
    if file is not None:
        return _read(file)
    if found := os.environ.get("HF_TOKEN", "").strip():
        return found
    raise TokenError(
        "no Hugging Face token: make one with read access at huggingface.co/settings/tokens, "
        "and give it in HF_TOKEN or in a file named by TTS_TOKEN_FILE"
    )


def _read(file: Path) -> str:
    try:
        found = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise TokenError(f"the token's file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokenError(f"the token's file {file} holds something else than a token") from None
    if not found or len(found.split()) != 1:
        raise TokenError(f"the token's file {file} must hold the token and nothing else")
    return found
