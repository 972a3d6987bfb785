"""Access to the Hugging Face Hub through `huggingface_hub`: repository names, downloads, uploads.

Every failure becomes a one-line `UserError` that contains no access token.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.hashing import PACKAGE, package_version
from electra_ie.common.logs import notice, warn
from electra_ie.common.process_state import PROCESS_STATE

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

Kind = Literal["model", "dataset"]
Content = Path | bytes
"""The content of a repository file: a local file, or the bytes themselves."""

HUB = "hub:"
"""What stands before the name of a data set on the Hub where a path or a folder could be given."""
NAME = re.compile(r"(?P<repository>(?:[\w.-]+/)?[\w.-]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
COMMIT = re.compile("[0-9a-f]{40}")
SECRET = re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b")
"""The form of a Hub access token."""
TIMEOUT = 30.0
"""Seconds after which the Hub counts as unreachable."""
LOG_IN = "Run: hf auth login, or set HF_TOKEN."


class HubName(NamedTuple):
    """A repository on the Hub, `ORG/NAME` (`NAME` for some old models), and a branch, tag or commit (None: main)."""

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def parse_hub_name(name: str | os.PathLike[str], bare: bool = False) -> HubName | None:
    """Parse `ORG/NAME` or `ORG/NAME@REVISION`; return None for any other form and for an existing local path.

    bare: also accept `NAME` alone, the form of the first encoders on the Hub.

    Raises:
        UserError: the part before the slash is an existing local folder. The name is then most likely a mistyped
            path, which must not be sent to a server.
    """
    text = os.fspath(name)
    match = NAME.fullmatch(text)
    if not match or os.path.exists(text) or _name_fault(match["repository"]):
        return None
    if not (bare or "/" in match["repository"]):
        return None
    parent = text.partition("/")[0]
    if not match["revision"] and os.path.isdir(parent):
        remedy = f"Check the path. For a repository on the Hub write {text}@main."
        raise UserError(f'there is no such folder in "{parent}".', file=text, remedy=remedy)
    return HubName(match["repository"], match["revision"])


def parse_data_set(text: str) -> HubName:
    """Return the data set that `hub:ORG/NAME` or `hub:ORG/NAME@REVISION` names. Raises UserError for another form."""
    match = NAME.fullmatch(text.removeprefix(HUB))
    if not match or "/" not in match["repository"] or _name_fault(match["repository"]):
        raise UserError(
            f'"{text}" names no data set on the Hub.', remedy=f"Give {HUB}ORG/NAME or {HUB}ORG/NAME@REVISION."
        )
    return HubName(match["repository"], match["revision"])


def parse_push_target(repository: str, revision: str | None = None) -> HubName:
    """Return the target of a push. Raises UserError for an invalid repository or branch name."""
    fault = _name_fault(repository) if repository.count("/") == 1 else "it is not of the form ORG/NAME"
    if fault:
        remedy = "Use ORG/NAME with letters, digits, -, _ and ., at most 96 characters; give a branch with --revision."
        raise UserError(f'"{repository}" is not a valid repository name: {fault}.', remedy=remedy)
    if revision is not None and (COMMIT.fullmatch(revision) or not re.fullmatch(r"[\w./-]+", revision)):
        raise UserError(
            f'"{revision}" is not a valid branch name.', remedy="Give the name of a branch with --revision."
        )
    return HubName(repository, revision)


def _name_fault(repository: str) -> str:
    """Return why a repository name is invalid; an empty string for a valid one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        return str(error).partition(f": '{repository}'")[0].rstrip(".")
    return ""


# Downloads


def download(
    name: HubName,
    patterns: Sequence[str],
    *,
    kind: Kind = "model",
    token: str | None = None,
    local_files_only: bool = False,
) -> Path:
    """Download the files of a repository that match `patterns` into the client's cache.

    Returns the snapshot folder, whose name is the commit hash. Raises UserError if the download fails.
    """
    from huggingface_hub import snapshot_download

    with translate_hub_errors(name, token=token):
        folder = snapshot_download(
            name.repository, repo_type=kind, revision=name.revision, allow_patterns=list(patterns), token=token,
            local_files_only=local_files_only,
        )  # fmt: skip
    return Path(folder)


def local_folder(
    name: str | os.PathLike[str],
    patterns: Sequence[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    local_files_only: bool = False,
) -> tuple[Path, HubName | None]:
    """Return the folder of `name`, and the repository that it was downloaded from, None for a local path.

    Args:
        name: A path, which is returned as it is, or `ORG/NAME` or `ORG/NAME@REVISION` on the Hub.
        patterns: The files that are downloaded.
        revision: A branch, tag or commit on the Hub; ignored for a path.
        token: A token for the Hub in place of the stored one.
        local_files_only: Use the download cache only, without network access.

    Raises:
        UserError: the repository cannot be downloaded.
    """
    hub_name = None
    if revision and not os.path.exists(name):
        hub_name = parse_hub_name(f"{os.fspath(name).partition('@')[0]}@{revision}")
    hub_name = hub_name or parse_hub_name(name)
    if hub_name is None:
        return Path(name), None
    return download(hub_name, patterns, token=token, local_files_only=local_files_only), hub_name


def data_set_commit(name: HubName) -> str:
    """Return the commit of a data set at its revision; "" if the Hub cannot be reached, or HF_HUB_OFFLINE is set.

    Raises:
        UserError: there is no such data set or revision, or the user has no access to it.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    with translate_hub_errors(name):
        try:
            return str(HfApi().dataset_info(name.repository, revision=name.revision, timeout=TIMEOUT).sha)
        except HfHubHTTPError:
            raise
        except Exception as error:  # OfflineModeIsEnabled is a ConnectionError
            if not _is_network_failure(error):
                raise
    return ""


def data_set_folders(name: HubName) -> list[str]:
    """Return the folders at the top of a data set. Raises UserError if the Hub cannot be reached."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFolder

    with translate_hub_errors(name):
        entries = HfApi().list_repo_tree(name.repository, revision=name.revision, repo_type="dataset")
        return [entry.path for entry in entries if isinstance(entry, RepoFolder)]


# Uploads


def upload(
    files: Mapping[str, Content],
    name: HubName,
    kind: Kind = "model",
    *,
    private: bool = False,
    token: str | None = None,
    owned: Callable[[Sequence[str], Callable[[str], bytes]], Iterable[str]],
) -> str:
    """Upload files to a repository in a single commit and return its hash. The repository is created if missing.

    With one commit, readers see either the previous state or the complete new one. Large files that an interrupted
    push has already sent are not sent again.

    owned: selects, among the paths of the repository, those that this upload owns, and may read their files with its
        second argument. Those that are not among `files` are deleted, so that no file of an earlier push remains.

    Raises:
        UserError: a file contains an access token, the Hub rejects the upload or cannot be reached, or `private` is
            set and the existing repository is public.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    token = require_token(token)
    refuse_secrets(files, token)
    api = HfApi(token=token, library_name=PACKAGE, library_version=package_version())
    repository: dict[str, Any] = {"repo_id": name.repository, "repo_type": kind}
    with translate_hub_errors(name, writing=True, token=token):
        api.create_repo(**repository, private=private or None, exist_ok=True)
        info = api.repo_info(**repository)
        if private and not info.private:
            remedy = "Make it private on its page, or push to another name."
            raise UserError("the repository exists and is public; nothing was sent.", file=str(name), remedy=remedy)
        if name.revision:
            api.create_branch(**repository, branch=name.revision, exist_ok=True)
            info = api.repo_info(**repository, revision=name.revision)
        earlier = owned(
            api.list_repo_files(**repository, revision=info.sha),
            lambda path: Path(api.hf_hub_download(filename=path, **repository, revision=info.sha)).read_bytes(),
        )
        notice(f"sending {len(files)} files to {name}, which is {'private' if info.private else 'PUBLIC'}")
        if left := [path for path in earlier if path not in files]:
            notice(f"deleting {len(left)} files of an earlier push: {', '.join(left)}")
        operations: list[Any] = [CommitOperationDelete(path) for path in left]
        operations += [CommitOperationAdd(path, content) for path, content in files.items()]
        # The parent commit makes the server reject this push if another one has changed the branch since it was read.
        commit = api.create_commit(
            **repository, operations=operations, commit_message="Push by electra_ie", revision=name.revision,
            parent_commit=info.sha,
        )  # fmt: skip
    return str(commit.oid)


def require_token(token: str | None) -> str:
    """Return the given token, or the one that the client has stored.

    Raises UserError if there is none, or if it contains a character that a token cannot contain: an HTTP header with
    it would fail with an error message that quotes the token.
    """
    from huggingface_hub import get_token

    known = token or get_token()
    if not known:
        raise UserError("no Hub access token is set.", remedy=LOG_IN)
    if not re.fullmatch("[!-~]+", known):
        raise UserError("the Hub access token contains an invalid character.", remedy=LOG_IN)
    return known


def refuse_secrets(files: Mapping[str, Content], token: str | None) -> None:
    """Raise UserError for a file that contains the token, or a string that has the form of a token."""
    for path, content in files.items():
        if path.endswith(".safetensors"):
            continue
        raw = content if isinstance(content, bytes) else content.read_bytes()
        match = SECRET.search(raw)
        position = match.start() if match else raw.find(token.encode()) if token else -1
        if position >= 0:
            line, remedy = raw.count(b"\n", 0, position) + 1, "Remove it, and revoke the token if others have seen it."
            raise UserError("the file contains an access token; nothing was sent.", file=path, line=line, remedy=remedy)


# Errors


@contextmanager
def translate_hub_errors(name: HubName, *, writing: bool = False, token: str | None = None) -> Iterator[None]:
    """Translate errors of the client into one-line UserErrors and its warnings into ours; no bars off a terminal.

    The original error is not chained: it may quote a server response that repeats the token.
    """
    try:
        with PROCESS_STATE, _no_bars_in_files(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    except UserError:
        raise
    except Exception as error:  # the client raises many unrelated types when the network fails
        if isinstance(error, OSError) and error.errno is not None:  # disk full, no permission: a local failure
            raise
        message, remedy = _explain(error, name, writing)
        raise UserError(_redact(token, message), file=str(name), remedy=remedy) from None
    for warning in caught:
        if issubclass(warning.category, UserWarning):  # other categories address developers, not users
            warn(_redact(token, str(warning.message)))


@contextmanager
def _no_bars_in_files() -> Iterator[None]:
    """Disable the client's progress bars unless standard error is a terminal."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    disable = not (sys.stderr.isatty() or are_progress_bars_disabled() or "HF_HUB_DISABLE_PROGRESS_BARS" in os.environ)
    if disable:
        disable_progress_bars()
    try:
        yield
    finally:
        if disable:
            enable_progress_bars()


def _explain(error: Exception, name: HubName, writing: bool) -> tuple[str, str]:
    """Return the message and the remedy for an error of the client.

    `snapshot_download` wraps most failures in a LocalEntryNotFoundError, so the whole chain of causes is searched.
    """
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    retry = "Push again: the repository is unchanged, and files already sent are not sent again."
    retry = retry if writing else "Try again."
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, HfHubHTTPError):
            return _explain_response(cause, name, writing, retry)
    if any(isinstance(cause, OfflineModeIsEnabled) for cause in chain):
        if writing:
            return "HF_HUB_OFFLINE is set.", "Unset it to push."
        return "HF_HUB_OFFLINE is set, and the repository is not in the cache.", "Unset it once to download."
    if isinstance(error, LocalEntryNotFoundError) and len(chain) == 1:
        return "the repository is not in the cache.", "Load it once with network access."
    root = chain[-1]
    failure = "the Hub cannot be reached" if _is_network_failure(root) else "the Hub client failed"
    cause_text = f"{type(root).__name__}: {first_line(str(root))}"
    return f"{failure} ({cause_text}).", f"Check the network and HF_ENDPOINT. {retry}"


def _is_network_failure(error: BaseException) -> bool:
    return isinstance(error, OSError) or type(error).__module__.startswith("http")


def _explain_response(error: HfHubHTTPError, name: HubName, writing: bool, retry: str) -> tuple[str, str]:
    """Return the message and the remedy for an error response: by the client's class, else by the HTTP status.

    The server's own words are added for 400, 402 and 403, where they state the reason.
    """
    message, remedy = _explain_class(error, name, writing) or _explain_status(error, writing, retry)
    if error.server_message and error.response.status_code in (400, 402, 403):
        message = f"{message.rstrip('.')} ({first_line(error.server_message)})."
    return message, remedy


def _explain_class(error: HfHubHTTPError, name: HubName, writing: bool) -> tuple[str, str] | None:
    """Return the message and the remedy for an error that has a class of its own; None for any other."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    match error:
        case GatedRepoError():  # a subclass of RepositoryNotFoundError: must come first
            return "the repository is gated, and you have no access to it.", "Request access on its page on the Hub."
        case DisabledRepoError():
            return "the repository is disabled.", "See its page on the Hub."
        case RepositoryNotFoundError() if writing and error.response.status_code == HTTPStatus.UNAUTHORIZED:
            # Every write carries a token. The Hub replies 401 only if it does not know that token.
            return "the Hub does not accept the token.", LOG_IN
        case RepositoryNotFoundError():
            return (
                "the repository does not exist on the Hub, or it is private.",
                f"Check the name. A private repository needs a token with access to it. {LOG_IN}",
            )
        case RevisionNotFoundError():
            return f'the repository has no revision "{name.revision or "main"}".', "Check the branch, tag or commit."
        case RemoteEntryNotFoundError():
            return "the repository lacks a file that is needed.", "Check the name and the revision."
    return None


def _explain_status(error: HfHubHTTPError, writing: bool, retry: str) -> tuple[str, str]:
    """Return the message and the remedy for an HTTP status for which the client has no class."""
    status = error.response.status_code
    match status:
        case 401:
            return "the Hub does not accept the token." if writing else "the Hub requires a valid token.", LOG_IN
        case 403 if writing:
            return "the token has no write access to the repository.", "Use a token with write access."
        case 403:
            return "the Hub denies access to the repository.", "Request access on its page on the Hub."
        case 404:
            return "the Hub has no such repository or file.", "Check the name, the revision and the token's access."
        case 409:
            return "another push to the repository is in progress.", "Push again."
        case 412:
            return "another push has changed the repository in the meantime.", "Push again."
        case 429:
            seconds = error.response.headers.get("Retry-After", "")
            wait = f"{seconds} seconds" if seconds.isdigit() else "a few minutes"
            return "the Hub has received too many requests.", f"Wait {wait}. {retry}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"the Hub failed (HTTP {status}).", f"Wait a few minutes. {retry}"
    return f"the Hub rejected the request (HTTP {status}).", "Check the name, and update huggingface_hub."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the chain of its causes."""
    while error is not None:
        yield error
        error = error.__cause__


def _redact(token: str | None, text: str) -> str:
    """Replace the token, and every string that has the form of one, by asterisks."""
    text = text.replace(token, "***") if token else text
    return SECRET.sub(b"***", text.encode()).decode()
