"""The package's own `from_pretrained`: what `tts fetch` brings is all that it needs. Prints the rate."""

import sys

from checkpoint import shrink

shrink()

from chatterbox.tts_turbo import ChatterboxTurboTTS  # noqa: E402

model = ChatterboxTurboTTS.from_pretrained("cpu")
sys.stdout.write(f"rate {model.sr}\n")
