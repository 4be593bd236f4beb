"""`python -m sluice_bridge` is the command `opencode-bridge`."""

from sluice_bridge.cli import main

if __name__ == "__main__":
    main()
