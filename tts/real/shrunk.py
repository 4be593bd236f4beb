"""The command `tts`, in a process whose model is the small one of checkpoint.py."""

from checkpoint import shrink

from sluice_tts.cli import main

shrink()
main()
