"""`python -m sluice_tts` is the command `tts`."""

from sluice_tts.cli import main

if __name__ == "__main__":
    main()
