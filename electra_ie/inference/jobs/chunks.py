"""Groups of documents that are extracted together: the same for the same inputs, wherever and how often a job is run.

A group is what a process is given, and what is written as a whole. Since its documents share forward passes with each
other only, a job that was interrupted gives the same bytes as one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from electra_ie.common.errors import UserError
from electra_ie.data.document import Document
from electra_ie.inference.jobs.inputs import Inbox

CHARACTERS = 2**20
"""The characters at which a group is complete: several pools of the engine, which works on two at a time."""
OVERHEAD = 100
"""The characters that a document counts in addition, so that a group of blank texts ends too."""


@dataclass
class Chunk:
    """Documents in the order of the input, and the inputs between them that could not be read.

    Attributes:
        documents: The documents.
        faults: The errors of what could not be read, before or between these documents.
        characters: The characters of the documents.
        position: The bytes of the inputs that are read when the chunk is complete, about.
    """

    documents: list[Document] = field(default_factory=list)
    faults: list[UserError] = field(default_factory=list)
    characters: int = 0
    position: float = 0.0

    def chained(self, digest: str) -> str:
        """Return a hash of this chunk and, by `digest`, of all before it."""
        chained = hashlib.sha256(digest.encode())
        for document in self.documents:
            for part in (document.id, document.text):
                encoded = part.encode()
                chained.update(f"{len(encoded)}:".encode())
                chained.update(encoded)
        for fault in self.faults:
            chained.update(f"!{fault}".encode("utf-8", "surrogateescape"))
        return chained.hexdigest()


def read_chunks(inbox: Inbox, strict: bool) -> Iterator[Chunk]:
    """Yield the documents of an inbox in chunks; the last one may have faults only.

    Raises:
        UserError: With `strict`, the first input that cannot be read.
    """
    chunk = Chunk()

    def fail(fault: UserError) -> None:
        if strict:
            raise fault
        chunk.faults.append(fault.with_traceback(None))  # a traceback would keep the text in memory

    for document in inbox.read(fail):
        chunk.documents.append(document)
        chunk.characters += len(document.text)
        if chunk.characters + OVERHEAD * len(chunk.documents) >= CHARACTERS:
            chunk.position = inbox.progress()
            yield chunk
            chunk = Chunk()
    chunk.position = inbox.progress()
    if chunk.documents or chunk.faults:
        yield chunk
