"""Tests of deploy/: `python -m unittest discover --start-directory deploy/tests --top-level-directory deploy`."""
