"""Pure: OpenCode's configuration and surroundings, from the settings. Here is why a chat cannot touch the host.

Tools are taken away three times: the agent may do nothing, no request offers any (`NO_TOOLS`), and `chat/turn.py`
ends an answer at the first call of one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice_bridge.settings import Settings

AGENT = "bridge"
TITLE = "sluice-bridge"  # of each session: without a title OpenCode asks a model for one, and pays for it
NO_TOOLS = {"*": False}
_NOTHING = {"*": "deny"}

# Nothing of these is wanted: they ask the internet, read the machine's own settings, or look through files.
_OFF = (
    *("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS", "SHARE", "CLAUDE_CODE", "EXTERNAL_SKILLS"),
    *("PROJECT_CONFIG", "AUTOCOMPACT", "PRUNE", "EMBEDDED_WEB_UI", "TERMINAL_TITLE"),
)
# Of the service's own environment, what a program needs to find the network, its certificates and its language.
_KEPT = (
    *("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


def config(settings: Settings) -> dict[str, Any]:
    """`opencode.json`. The provider's key is not in it: OpenCode reads that from its file."""
    limit = {"context": settings.context_window, "output": settings.max_output}
    options = {"apiKey": f"{{file:{settings.api_key_file.absolute()}}}"}
    provider: dict[str, Any] = {"models": {settings.provider_model: {"limit": limit}}}
    if settings.base_url:
        options["baseURL"] = settings.base_url
    if settings.provider_package:
        provider["npm"] = settings.provider_package
    model = f"{settings.provider}/{settings.provider_model}"
    agent = {"mode": "primary", "description": "plain chat", "prompt": settings.prompt, "permission": _NOTHING}
    return {
        "$schema": "https://opencode.ai/config.json",
        **{"autoupdate": False, "share": "disabled", "snapshot": False, "lsp": False, "formatter": False},
        "compaction": {"auto": False, "prune": False},
        "enabled_providers": [settings.provider],
        "provider": {settings.provider: {**provider, "options": options}},
        **{"model": model, "small_model": model, "default_agent": AGENT},
        "permission": _NOTHING,
        "agent": {AGENT: agent},
    }


def environment(home: Path, file: Path, work: Path, password: str, own: Mapping[str, str]) -> dict[str, str]:
    """What OpenCode is started with: a home of its own, and nothing that points to somebody's settings or keys."""
    kept = {name: own[name] for name in _KEPT if name in own}
    return {
        **kept,
        **{f"OPENCODE_DISABLE_{name}": "1" for name in _OFF},
        "HOME": str(home),
        "TMPDIR": str(home),
        "PWD": str(work),
        "OPENCODE_CONFIG": str(file),
        "OPENCODE_SERVER_PASSWORD": password,
        # a package that is not in the program would be fetched, and run
        "NPM_CONFIG_REGISTRY": "http://127.0.0.1:9",
    }
