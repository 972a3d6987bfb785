"""Text of HTML and PDF files, by libraries of the extra `documents`."""

from __future__ import annotations

import codecs
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.packages import require_package
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.common.text_files import UTF_8_MARK, decode, reading

CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
DECLARED = 2048
"""The bytes at the beginning of a page that may declare its encoding."""
EXTRA = "'electra_ie[documents]'"
PAGE_END = "\n\n"
"""What is between the texts of two pages of a PDF."""


def text_of_page(path: Path) -> str:
    """Return the text of an HTML file as it would be displayed: paragraphs and cells apart, no scripts and styles.

    Raises:
        UserError: It cannot be read, is not in the encoding that it declares (by default UTF-8), or has no text.
    """
    require_package("inscriptis", "HTML", file=path, install=EXTRA)
    with reading(path):
        raw = path.read_bytes()
    page = _decoded(raw, path)
    with _converting(path, "HTML"):
        from inscriptis import get_text

        text: str = get_text(page) if page.strip() else ""
    return _not_blank(text, path, "the page has no text.", "If a script writes it, save the page as text.")


def _decoded(raw: bytes, path: Path) -> str:
    """Return a page as text, strictly in the encoding that it declares."""
    match = CHARSET.search(raw[:DECLARED])
    name = match[1].decode("ascii") if match and not raw.startswith(UTF_8_MARK) else "utf-8"
    try:
        encoding = codecs.lookup(name).name
        if encoding in ("utf-8", "ascii"):
            return decode(raw.removeprefix(UTF_8_MARK), path)
        # Browsers read these as their extensions by Microsoft.
        return raw.decode({"iso8859-1": "cp1252", "gb2312": "gb18030"}.get(encoding, encoding))
    except (LookupError, UnicodeError) as error:
        if isinstance(error, UserError):
            raise
        message = f"this page is not in the encoding {name} that it declares."
        raise UserError(message, file=path, remedy="Save it as UTF-8.") from None


def text_of_pdf(path: Path) -> str:
    """Return the text of a PDF, with a blank line between pages.

    Raises:
        UserError: It cannot be read, needs a password, or has no text, as a scan.
    """
    require_package("pypdf", "PDF", file=path, install=EXTRA)
    with reading(path), path.open("rb") as file, _quiet_pypdf(), _converting(path, "PDF"):
        from pypdf import PdfReader

        document = PdfReader(file)
        if document.is_encrypted and not document.decrypt(""):
            raise UserError("this PDF needs a password.", file=path, remedy="Save it without one.")
        text = PAGE_END.join(page.extract_text() for page in document.pages)
    text = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")  # fonts may map glyphs to half characters
    return _not_blank(text, path, "this PDF has no text.", "If it is a scan, recognize its text first (OCR).")


def _not_blank(text: str, path: Path, message: str, remedy: str) -> str:
    if not text.strip():
        raise UserError(message, file=path, remedy=remedy)
    return text


@contextmanager
def _converting(path: Path, kind: str) -> Iterator[None]:
    """Convert the errors of a library, which are of any type for a damaged file."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        message = f"this {kind} cannot be read ({type(error).__name__}: {first_line(error)})."
        raise UserError(message, file=path, remedy="Save it again, or convert it to .txt.") from None


@contextmanager
def _quiet_pypdf() -> Iterator[None]:
    """Silence the messages of pypdf, which name neither the file nor a remedy."""
    logger = logging.getLogger("pypdf")
    with PROCESS_STATE:
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
