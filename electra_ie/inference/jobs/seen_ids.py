"""The ids that are taken, of any number of documents: a table of hashes in a temporary file with a cache."""

from __future__ import annotations

import hashlib
import sqlite3
from types import TracebackType

from electra_ie.common.errors import UserError

CACHE = 16_384
"""KiB of the table that are kept in memory. Up to about 300,000 ids need no file."""
BYTES = 16
"""Bytes of the hash of an id: two ids among a billion share one with a probability below 1e-20."""


class SeenIds:
    """The ids that are taken, with the position of the document that has each. Use it in a `with` block.

    SQLite opens the file without a name, so that nothing is left of it, and it holds no ids, only hashes.
    """

    def __init__(self) -> None:
        """Open an empty table."""
        self.table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE}"):
            self.table.execute(f"PRAGMA {setting}")
        self.table.execute("CREATE TABLE ids (hash BLOB PRIMARY KEY, file INTEGER, line INTEGER) WITHOUT ROWID")
        self.table.execute("BEGIN")

    def __enter__(self) -> SeenIds:
        """Return the table."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.table.close()

    def add(self, id: str, file: int, line: int) -> tuple[int, int] | None:
        """Add an id with the number of its file and its line; return those of the document that has it, if one has.

        Raises:
            UserError: The temporary folder is full.
        """
        digest = hashlib.blake2b(id.encode(), digest_size=BYTES).digest()
        try:
            added = self.table.execute("INSERT OR IGNORE INTO ids VALUES (?, ?, ?)", (digest, file, line)).rowcount
            if added:
                return None
            taken = self.table.execute("SELECT file, line FROM ids WHERE hash = ?", (digest,)).fetchone()
        except sqlite3.OperationalError as error:
            remedy = "Free some space in the folder of temporary files, or name another in TMPDIR."
            raise UserError(f"the table of ids cannot be kept: {error}.", remedy=remedy) from error
        return int(taken[0]), int(taken[1])
