"""The files of a folder, found by one rule for every reader, and a count of whatever is left out.

Files come in the order of their paths; the case of an ending does not matter. Hidden files and folders, whose names
begin with a dot, are left out. A link is followed where it leads to a place within the folder that is not read already.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from electra_ie.common.errors import UserError, warn
from electra_ie.common.files import repository_of

NAMED = 3
"""Links out of a folder that a warning names; of more it gives the number."""


@dataclass
class Listing:
    """The `files` of a folder that end in one of `endings`, and what is left out.

    outside: links to places outside the folder. repeated: links to what is read already, or in a circle. others: files
    with other endings, and devices and pipes. A link that leads nowhere and a folder that cannot be listed are among
    the files, so that reading them gives the error.
    """

    folder: Path
    endings: tuple[str, ...]
    files: list[Path] = field(default_factory=list)
    hidden: int = 0
    outside: list[Path] = field(default_factory=list)
    repeated: int = 0
    others: int = 0

    def left_out(self) -> str:
        """What is left out, in words; nothing where all is read."""
        parts = []
        if self.hidden:
            parts.append(count(self.hidden, "hidden file or folder", "hidden files or folders"))
        if self.outside:
            shown = self.outside[:NAMED]
            names = ", ".join(f"{link.relative_to(self.folder)} -> {os.readlink(link)}" for link in shown)
            more = ", ..." if len(self.outside) > NAMED else ""
            links = count(len(self.outside), "link out of the folder", "links out of the folder")
            parts.append(f"{links} ({names}{more}; give the target too to read it)")
        if self.repeated:
            parts.append(count(self.repeated, "link to what is read already", "links to what is read already"))
        if self.others:
            parts.append(f"{count(self.others, 'file', 'files')} with an ending other than {either(self.endings)}")
        return ", ".join(parts)

    def report(self) -> None:
        """Warns of what is left out, in one line."""
        if told := self.left_out():
            warn(f"{self.folder}: left out: {told}.")

    def nothing(self) -> UserError:
        """The error for a folder without a file to read."""
        told = self.left_out()
        message = f"there is no {either(self.endings)} in this folder{f' (left out: {told})' if told else ''}."
        return UserError(message, file=self.folder, remedy="Give a folder of texts.")


def files_of(folder: Path, endings: Sequence[str], report: bool = True) -> list[Path]:
    """The files below a folder that have one of the endings. report: warn of what is left out.

    Raises:
        UserError: there is no such file.
    """
    found = walk(folder, endings)
    if not found.files:
        raise found.nothing()
    if report:
        found.report()
    return found.files


def walk(folder: Path, endings: Sequence[str]) -> Listing:
    """List the files below a folder that have one of the endings (in lower case, with their dot)."""
    return _Walk(folder, tuple(endings)).found


class _Walk:
    """Goes through a folder: first through all that is no link, then along the links."""

    def __init__(self, folder: Path, endings: tuple[str, ...]):
        self.found = Listing(folder, endings)
        self.home, self.cache = folder.resolve(), repository_of(folder)
        self.seen: set[Path] = set()
        self.links: list[Path] = []
        self._descend(folder)
        while self.links:
            self._follow(self.links.pop(0))
        self.found.files.sort()

    def _descend(self, top: Path) -> None:
        """Take all files below a folder, and note the links."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            place = folder.resolve()
            if place in self.seen:
                continue
            self.seen.add(place)
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                self.found.files.append(folder)
                continue
            for entry in entries:
                path = folder / entry.name
                if entry.name.startswith("."):
                    self.found.hidden += 1
                elif entry.is_symlink():
                    self.links.append(path)
                elif entry.is_dir():
                    waiting.append(path)
                else:
                    self._take(path, place / entry.name)

    def _take(self, path: Path, place: Path) -> None:
        """A file, or a link to it; `place` is where it is without any link."""
        if self._wanted(path) and place.is_file():
            self.found.files.append(path)
            self.seen.add(place)
        else:
            self.found.others += 1

    def _wanted(self, path: Path) -> bool:
        return path.name.lower().endswith(self.found.endings)

    def _follow(self, link: Path) -> None:
        try:
            place = link.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:  # Python before 3.13 raises RuntimeError
                self.found.repeated += 1
            elif self._wanted(link) or not link.suffix:  # without an ending it may have led to a folder of texts
                self.found.files.append(link)
            else:
                self.found.others += 1
            return
        if place.is_relative_to(self.home):
            if place in self.seen:
                self.found.repeated += 1
            elif place.is_dir():
                self._descend(link)
            else:
                self._take(link, place)
        elif self.cache and place.is_relative_to(self.cache):  # the hub's cache: one file for all of the same content
            self._take(link, place)
        else:
            self.found.outside.append(link)


def either(endings: Sequence[str]) -> str:
    """`.txt, .csv or .jsonl`."""
    *before, last = endings
    return f"{', '.join(before)} or {last}" if before else last


def count(number: int, one: str, more: str) -> str:
    """`1 link`, `2,000 links`."""
    return f"{number:,} {one if number == 1 else more}"
