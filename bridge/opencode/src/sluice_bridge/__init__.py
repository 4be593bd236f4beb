"""The OpenCode bridge: OpenAI's chat completions, plain and streamed, in front of `opencode serve`."""

__version__ = "0.1.0"
