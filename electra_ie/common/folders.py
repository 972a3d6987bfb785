"""The files of a folder, listed by the same rules for every reader, with counts of the files that are left out.

Files are sorted by path; the case of an ending does not matter. Hidden files and folders (with a dot at the start) are
left out. A link is followed if it leads to a path within the folder that is not read already.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from electra_ie.common.errors import UserError
from electra_ie.common.files import repository_of
from electra_ie.common.logs import warn

SHOWN_LINKS = 3
"""Links out of a folder that a warning names; the others are counted."""

SAVED, SAVED_SPLIT = "dataset_dict.json", "state.json"
"""Files of the folders that `save_to_disk` of the library `datasets` writes: of a data set, and of one split."""


def is_saved_data_set(folder: Path) -> bool:
    """Return whether a folder is a data set that `save_to_disk` of `datasets` wrote."""
    return (folder / SAVED).is_file() or (folder / SAVED_SPLIT).is_file()


@dataclass
class Listing:
    """The `files` of a folder with one of `endings`, and what is left out.

    outside: links out of the folder. repeated: links to files that are read already, and cycles. others: files with
    other endings, devices and pipes. Links to nothing and folders that cannot be listed are in `files`, so that reading
    them raises the error.
    """

    folder: Path
    endings: tuple[str, ...]
    files: list[Path] = field(default_factory=list)
    hidden: int = 0
    outside: list[Path] = field(default_factory=list)
    repeated: int = 0
    others: int = 0

    def left_out(self) -> str:
        """Return a description of what is left out, or "" if nothing is."""
        parts = []
        if self.hidden:
            parts.append(count(self.hidden, "hidden file or folder", "hidden files or folders"))
        if self.outside:
            shown = self.outside[:SHOWN_LINKS]
            names = ", ".join(f"{link.relative_to(self.folder)} -> {os.readlink(link)}" for link in shown)
            more = ", ..." if len(self.outside) > SHOWN_LINKS else ""
            links = count(len(self.outside), "link out of the folder", "links out of the folder")
            parts.append(f"{links} ({names}{more}; give the target too to read it)")
        if self.repeated:
            parts.append(count(self.repeated, "link to what is read already", "links to what is read already"))
        if self.others:
            parts.append(f"{count(self.others, 'file', 'files')} with an ending other than {either(self.endings)}")
        return ", ".join(parts)

    def report(self) -> None:
        """Warn of what is left out."""
        if description := self.left_out():
            warn(f"{self.folder}: left out: {description}.")

    def empty_error(self) -> UserError:
        """Return the error for a folder without a file to read."""
        description = self.left_out()
        left_out = f" (left out: {description})" if description else ""
        message = f"there is no {either(self.endings)} in this folder{left_out}."
        return UserError(message, file=self.folder, remedy="Give a folder of texts.")


def files_of(folder: Path, endings: Sequence[str], report: bool = True) -> list[Path]:
    """Return the files below a folder with one of the endings.

    Args:
        folder: the folder.
        endings: endings in lower case, with their dot.
        report: warn of what is left out.

    Raises:
        UserError: there is no such file.
    """
    listing = walk(folder, endings)
    if not listing.files:
        raise listing.empty_error()
    if report:
        listing.report()
    return listing.files


def walk(folder: Path, endings: Sequence[str]) -> Listing:
    """List the files below a folder with one of the endings (in lower case, with their dot)."""
    return _Walk(folder, tuple(endings)).listing


class _Walk:
    """Walk through a folder: first all files and folders that are not links, then the links.

    So a file is listed under its own path even if a link to it comes earlier in the alphabet.
    """

    def __init__(self, folder: Path, endings: tuple[str, ...]) -> None:
        self.listing = Listing(folder, endings)
        self.home, self.cache = folder.resolve(), repository_of(folder)
        self.seen: set[Path] = set()
        self.links: list[Path] = []
        self._descend(folder)
        while self.links:
            self._follow(self.links.pop(0))
        self.listing.files.sort()

    def _descend(self, top: Path) -> None:
        """Add all files below a folder, and queue the links."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            resolved = folder.resolve()
            if resolved in self.seen:
                continue
            self.seen.add(resolved)
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                self.listing.files.append(folder)
                continue
            for entry in entries:
                path = folder / entry.name
                if entry.name.startswith("."):
                    self.listing.hidden += 1
                elif entry.is_symlink():
                    self.links.append(path)
                elif entry.is_dir():
                    waiting.append(path)
                else:
                    self._add(path, resolved / entry.name)

    def _add(self, path: Path, resolved: Path) -> None:
        """Add a file, or a link to it; `resolved` is its path without links."""
        if self._has_ending(path) and resolved.is_file():
            self.listing.files.append(path)
            self.seen.add(resolved)
        else:
            self.listing.others += 1

    def _has_ending(self, path: Path) -> bool:
        return path.name.lower().endswith(self.listing.endings)

    def _follow(self, link: Path) -> None:
        """Add the target of a link, or count the link."""
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:  # Python before 3.13 raises RuntimeError
                self.listing.repeated += 1
            elif self._has_ending(link) or not link.suffix:  # without an ending it may be a link to a missing folder
                self.listing.files.append(link)
            else:
                self.listing.others += 1
            return
        if target.is_relative_to(self.home):
            if target in self.seen:
                self.listing.repeated += 1
            elif target.is_dir():
                self._descend(link)
            else:
                self._add(link, target)
        elif self.cache and target.is_relative_to(self.cache):  # in the Hub's cache, files are links to shared blobs
            self._add(link, target)
        else:
            self.listing.outside.append(link)


def either(endings: Sequence[str]) -> str:
    """Return `.txt, .csv or .jsonl`."""
    *before, last = endings
    return f"{', '.join(before)} or {last}" if before else last


def count(number: int, singular: str, plural: str) -> str:
    """Return `1 link` or `2,000 links`."""
    return f"{number:,} {singular if number == 1 else plural}"
