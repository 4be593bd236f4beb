"""`tts fetch`: the weights from Hugging Face, once, with progress bars; every failure says what to do."""

import errno
import os
import shutil
from pathlib import Path

import requests
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from sluice_tts.hub.files import PATTERNS, broken, missing
from sluice_tts.hub.token import token
from sluice_tts.settings import Settings


class FetchError(Exception):
    """The weights could not be had; the message says why, for a person."""


def fetch(settings: Settings, *, force: bool = False) -> Path:
    """Downloads what is missing (`force`: everything), checks it, and gives its folder."""
    secret = token(settings.token_file)
    try:
        folder = Path(
            snapshot_download(
                settings.repository,
                revision=settings.revision,
                cache_dir=settings.state_dir / "hub",
                token=secret,
                endpoint=os.environ.get("HF_ENDPOINT"),
                allow_patterns=list(PATTERNS),
                force_download=force,
            )
        )
    except Exception as error:
        raise FetchError(_reason(error, settings)) from error
    _check(folder)
    return folder


def _check(folder: Path) -> None:
    """What is broken is removed: the next `fetch` brings it anew."""
    if absent := missing(folder):
        raise FetchError(f"the download has no {', '.join(absent)}: is it the repository of Chatterbox Turbo?")
    faults = list(broken(folder, thorough=True))
    for path, _ in faults:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    if faults:
        told = "; ".join(f"{path.name}: {fault}" for path, fault in faults)
        raise FetchError(f"broken and removed: {told}. Run `tts fetch` again")


def _reason(error: Exception, settings: Settings) -> str:
    if isinstance(error, HfHubHTTPError) and not isinstance(error, LocalEntryNotFoundError):
        return _refused(error, settings)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set: unset it to download"
    return _unreached(error, settings.state_dir)


def _refused(error: HfHubHTTPError, settings: Settings) -> str:
    """In order: the special kinds of an answer before the general one."""
    page = f"huggingface.co/{settings.repository}"
    if isinstance(error, GatedRepoError | RepositoryNotFoundError) and _status(error) != 403:
        return f"the token is not accepted, or may not see {page}: make a new one with read access"
    if _status(error) == 403:
        return f"the licence is not accepted yet: open {page} with the token's account and agree, then try again"
    if isinstance(error, RevisionNotFoundError):
        return f'{page} has no revision "{settings.revision}"'
    return f"{page} answered {_status(error)}: try again later"


def _unreached(error: Exception, state: Path) -> str:
    if isinstance(error, LocalEntryNotFoundError | requests.RequestException):
        return "the hub cannot be reached: is there a network, is HF_ENDPOINT right? What was downloaded is kept"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        free = shutil.disk_usage(state).free / 1e9
        return f"the disk is full ({free:.1f} GB left in {state}); the weights need about 4 GB"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{state} cannot be written ({error.strerror}): run it as the service's user, or set TTS_STATE_DIR"
    return f"the download failed: {error}"


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)
