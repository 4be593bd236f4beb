"""Fixtures: the whole path, which is started once. Where there is no program for the machine, it is left out."""

import platform
from collections.abc import Iterator

import pytest

from house import PROGRAM, Bridge, House


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """All of it."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("there is no opencode for this machine in tests/clients/node")
    assert PROGRAM.is_file(), f"no opencode at {PROGRAM}: run ./dev setup"
    with House(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def bridge(house: House) -> Bridge:
    """The bridge of the house, without sluice in front of it."""
    return house.bridge
