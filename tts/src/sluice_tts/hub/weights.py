"""Where the weights are on this machine, or why they are not."""

from pathlib import Path

from sluice_tts.engine.base import UnavailableError
from sluice_tts.hub.files import broken, missing
from sluice_tts.settings import Settings


class Weights:
    """The checkpoint that the settings name: a folder, or what `tts fetch` brought. Makes no request."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def folder(self) -> Path:
        """The folder, whole as far as can be seen quickly."""
        folder = self._settings.checkpoint or self._snapshot()
        if not folder.is_dir():
            raise UnavailableError(f"no weights: there is no folder {folder}")
        if absent := missing(folder):
            raise UnavailableError(f"no weights: {folder} has no {', '.join(absent)}; run `tts fetch`")
        for path, fault in broken(folder, thorough=False):
            raise UnavailableError(f"{path} is broken: {fault}; run `tts fetch --force`")
        return folder

    def _snapshot(self) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        settings = self._settings
        try:
            return Path(
                snapshot_download(
                    settings.repository,
                    revision=settings.revision,
                    cache_dir=settings.state_dir / "hub",
                    local_files_only=True,
                )
            )
        except LocalEntryNotFoundError:
            raise UnavailableError("no weights yet: run `tts fetch` once, with a Hugging Face token") from None
