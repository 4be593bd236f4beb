"""A running `sluice demo`: the real binary in front of its own simulated peers, on free ports."""

import pathlib

from process import Sluice


class Demo(Sluice):
    """Peers that behave; for the rest there is the stage."""

    def __init__(self, binary: pathlib.Path, seconds: int) -> None:
        arguments = ["demo", "--port", "0", "--admin-port", "0", "--duration", f"{seconds}s"]
        super().__init__(binary, arguments, r"^\s*(proxy|admin)\s+(http://127\.0\.0\.1:\d+)")
