"""Errors of the lab, as one line for people."""

from __future__ import annotations


class LabError(Exception):
    """A request to the lab failed; the text says what happened, where, and what to do next."""


class MissingPackages(LabError):
    """Debian packages that the lab needs are not installed."""

    def __init__(self, packages: list[str]) -> None:
        super().__init__(f"the lab needs Debian packages: apt-get install {' '.join(packages)}")
        self.packages = packages
