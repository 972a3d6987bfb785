"""The Hugging Face hub by its own client: names, downloads, uploads. What goes wrong is one line, without a token."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.hashing import PACKAGE, package_version
from electra_ie.common.logs import notice, warn

Kind = Literal["model", "dataset"]
Content = Path | bytes
"""What a file of a repository holds: the bytes of a file here, or these bytes."""

NAME = re.compile(r"(?P<repository>(?:[\w.-]+/)?[\w.-]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
COMMIT = re.compile("[0-9a-f]{40}")
SECRET = re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b")
"""What an access token of the hub looks like."""
NO_TOKEN = "Run: hf auth login, or set HF_TOKEN."
READING = {
    401: ("it is not on the hub, or is private.", f"Check the name; for what is private you need a token. {NO_TOKEN}"),
    403: ("the hub does not let you read it.", "Ask for access on its page there."),
    404: ("it is not on the hub.", "Check the name and the revision, or give a folder that exists."),
}
WRITING = {
    401: ("the hub does not accept the token.", NO_TOKEN),
    403: ("the token may not write here.", "Give one with the right to write, of an account that may."),
    404: ("it is not on the hub, or not yours to see.", "Check the name, the revision and whose token it is."),
    409: ("somebody else is changing it.", "Push again."),
    412: ("somebody else has changed it in the meantime.", "Push again."),
}
"""By HTTP status: what has happened, and what to do."""


class HubName(NamedTuple):
    """`ORG/NAME` on the hub (`NAME` for some old models), and a branch, tag or commit; None is the main branch."""

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def named(name: str | os.PathLike[str], bare: bool = False) -> HubName | None:
    """What `ORG/NAME` or `ORG/NAME@REVISION` names on the hub; None for all else, and for what exists here.

    bare: also `NAME` alone, as the first encoders on the hub are called.

    Raises UserError for a name below a folder that exists here: that is rather a path with a mistake in it, and is not
    told to anybody.
    """
    text = os.fspath(name)
    match = NAME.fullmatch(text)
    if not match or os.path.exists(text) or _invalid(match["repository"]) or not (bare or "/" in match["repository"]):
        return None
    above = text.partition("/")[0]
    if not match["revision"] and os.path.isdir(above):
        remedy = f"Check the path. Or do you mean the hub? Then write {text}@main."
        raise UserError(f'there is no such folder in "{above}".', file=text, remedy=remedy)
    return HubName(match["repository"], match["revision"])


def target(repository: str, revision: str | None = None) -> HubName:
    """Where a push goes. Raises UserError for what cannot be the name of a repository, or of a branch."""
    fault = _invalid(repository) if repository.count("/") == 1 else "it is not of the form ORG/NAME"
    if fault:
        remedy = "Give ORG/NAME: letters, digits, -, _ and ., at most 96 of them; the branch with --revision."
        raise UserError(f'"{repository}" cannot be the name of a repository: {fault}.', remedy=remedy)
    if revision is not None and (COMMIT.fullmatch(revision) or not re.fullmatch(r"[\w./-]+", revision)):
        raise UserError(f'"{revision}" cannot be pushed to.', remedy="Give the name of a branch with --revision.")
    return HubName(repository, revision)


def _invalid(repository: str) -> str:
    """What is wrong with the name of a repository; nothing for a good one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        return str(error).partition(f": '{repository}'")[0].rstrip(".")
    return ""


# Downloads


def download(
    name: HubName, patterns: Sequence[str], *, token: str | None = None, local_files_only: bool = False
) -> Path:
    """The folder in the client's cache that holds a repository's files of these patterns. Its name is the commit."""
    from huggingface_hub import snapshot_download

    with translate_hub_errors(name, READING, token):
        folder = snapshot_download(
            name.repository, revision=name.revision, allow_patterns=list(patterns), token=token,
            local_files_only=local_files_only,
        )  # fmt: skip
    return Path(folder)


# Uploads


def upload(
    files: Mapping[str, Content],
    name: HubName,
    kind: Kind = "model",
    *,
    private: bool = False,
    token: str | None = None,
    replaces: Callable[[str], bool],
) -> str:
    """Send files to a repository, made if need be, as one commit, whose hash is returned: all of it is seen at once,
    and nothing before. Large files that were sent by a push that broke off are not sent again.

    replaces: the paths whose files go where they are not among these, so that nothing of an earlier push is left.

    Raises UserError for all that may go wrong, and where a private repository is wanted but the one there is public.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    token = known_token(token)
    refuse_secrets(files, token)
    api = HfApi(token=token, library_name=PACKAGE, library_version=package_version())
    where: dict[str, Any] = {"repo_id": name.repository, "repo_type": kind}
    with translate_hub_errors(name, WRITING, token):
        api.create_repo(**where, private=private or None, exist_ok=True)
        there = api.repo_info(**where)
        if private and not there.private:
            remedy = "Make it private on its page, or push to another name."
            raise UserError("this repository exists and is public; nothing was sent.", file=str(name), remedy=remedy)
        if name.revision:
            api.create_branch(**where, branch=name.revision, exist_ok=True)
            there = api.repo_info(**where, revision=name.revision)
        old = [path for path in api.list_repo_files(**where, revision=there.sha) if replaces(path)]
        notice(f"sending {len(files)} files to {name}, which is {'private' if there.private else 'PUBLIC'}")
        operations: list[Any] = [CommitOperationDelete(path) for path in old if path not in files]
        operations += [CommitOperationAdd(path, content) for path, content in files.items()]
        done = api.create_commit(
            **where, operations=operations, commit_message="Push by electra_ie", revision=name.revision,
            parent_commit=there.sha,
        )  # fmt: skip
    return str(done.oid)


def known_token(token: str | None) -> str:
    """The token given, or the one that the client knows. Raises UserError where there is none, or none that may be."""
    from huggingface_hub import get_token

    found = token or get_token()
    if not found:
        raise UserError("no token of the hub is known.", remedy=NO_TOKEN)
    if not re.fullmatch("[!-~]+", found):
        raise UserError("the token holds a character that no token has.", remedy=NO_TOKEN)
    return found


def refuse_secrets(files: Mapping[str, Content], token: str | None) -> None:
    """Raises UserError for a text with the token in it, or with what looks like one."""
    for path, content in files.items():
        if path.endswith(".safetensors"):
            continue
        raw = content if isinstance(content, bytes) else content.read_bytes()
        found = SECRET.search(raw)
        place = found.start() if found else raw.find(token.encode()) if token else -1
        if place >= 0:
            line, remedy = raw.count(b"\n", 0, place) + 1, "Take it out, and revoke it if it was seen."
            raise UserError("this looks like an access token; nothing was sent.", file=path, line=line, remedy=remedy)


# What goes wrong


@contextmanager
def translate_hub_errors(name: HubName, told: Mapping[int, tuple[str, str]], token: str | None) -> Iterator[None]:
    """Turn what the client raises into one line and what it warns of into another, and keep its bars to terminals.

    The client's own error is left behind, since it may quote a server that quotes the token.
    """
    try:
        with _bars_on_terminals(), warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            yield
    except UserError:
        raise
    except Exception as error:  # the client has errors of many kinds for a network that fails
        if isinstance(error, OSError) and error.errno is not None:  # no space, no permission: not the hub's doing
            raise
        raise _user_error(error, name, told, token) from None
    for each in heard:
        if issubclass(each.category, UserWarning):  # others are between the client and its libraries
            warn(_without(token, str(each.message)))


@contextmanager
def _bars_on_terminals() -> Iterator[None]:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    mine = not (sys.stderr.isatty() or are_progress_bars_disabled() or "HF_HUB_DISABLE_PROGRESS_BARS" in os.environ)
    if mine:
        disable_progress_bars()
    try:
        yield
    finally:
        if mine:
            enable_progress_bars()


def _user_error(error: Exception, name: HubName, told: Mapping[int, tuple[str, str]], token: str | None) -> UserError:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    writing = told is WRITING
    again = "Push again: nothing is seen of it yet, and what was sent is not sent twice." if writing else "Try again."
    chain = list(_chain(error))
    answer: Any = next((each for each in chain if isinstance(each, HfHubHTTPError)), None)
    if answer:
        message, remedy = _answered(answer.response, told, again)
        if answer.server_message and answer.response.status_code in (400, 402, 403):
            message = f"{message.rstrip('.')} ({first_line(answer.server_message)})."
    elif any(isinstance(each, OfflineModeIsEnabled) for each in chain):
        message = "HF_HUB_OFFLINE is set" + ("." if writing else ", and it is not in the cache.")
        remedy = "Unset it to push." if writing else "Unset it once, to fetch it."
    elif isinstance(error, LocalEntryNotFoundError) and len(chain) == 1:
        message, remedy = "it is not in the cache.", "Load it once with a network."
    else:
        cause = chain[-1]
        network = isinstance(cause, OSError) or type(cause).__module__.startswith("http")
        what = "the hub cannot be reached" if network else "the hub's client gives up"
        message = f"{what} ({type(cause).__name__}: {first_line(str(cause))})."
        remedy = f"Check the network and HF_ENDPOINT. {again}"
    return UserError(_without(token, message), file=str(name), remedy=remedy)


def _answered(response: Any, told: Mapping[int, tuple[str, str]], again: str) -> tuple[str, str]:
    """What a status of the hub means, and what to do about it."""
    status = response.status_code
    if status in told:
        return told[status]
    if status == 429:
        asked = response.headers.get("Retry-After", "")
        wait = f"{asked} seconds" if asked.isdigit() else "a while"
        return "the hub has had too many requests.", f"Wait {wait}. {again}"
    if status >= 500:
        return f"the hub fails (HTTP {status}).", f"Wait a while. {again}"
    return f"the hub refuses this (HTTP {status}).", "Check the name, and that the client is not too old."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__


def _without(token: str | None, text: str) -> str:
    """A text that may quote a request, with stars for whatever in it is a token."""
    hidden = text.replace(token, "***") if token else text
    return SECRET.sub(b"***", hidden.encode()).decode()
