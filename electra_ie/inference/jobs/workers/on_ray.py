"""Extraction of chunks by actors of Ray, on an existing cluster or on this machine.

The driver reads the inputs, gives each chunk to an actor and gets its records back. An actor holds nothing but the
model: when its process is killed, Ray starts it again, here or on another machine, and its chunks are repeated.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.hashing import package_version
from electra_ie.common.logs import notice
from electra_ie.data.document import Document
from electra_ie.inference.engine.base import TextExtractor
from electra_ie.inference.engine.exported import ExportedExtractor
from electra_ie.inference.jobs.chunks import Chunk
from electra_ie.inference.jobs.workers.in_order import (
    AHEAD,
    Records,
    Report,
    Results,
    extract_in_order,
    identity_of,
    records_of,
)
from electra_ie.inference.loading import load_extractor

REPEATS = 3
"""How often a chunk is repeated whose worker ended: its documents may be what ends the workers."""
PATIENCE = 15.0
"""The seconds after which the user is told that no worker has started."""
LOST = 300.0
"""The seconds in which one must start again, if they end while they load the model. A lost machine takes up to 60."""
REACHABLE = 10.0
"""The seconds in which a cluster accepts a connection. Ray itself tries for minutes."""
LOCAL = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""The environment of a local Ray: no usage statistics, and ports of the loopback device only."""
TOKEN = "RAY_AUTH_TOKEN"
UNITS = {"num_cpus": "CPU", "num_gpus": "GPU"}

Result = TypeVar("Result")


def extract_on_ray(
    run: Path, extractor: TextExtractor, number: int | None, chunks: Iterator[Chunk], report: Report
) -> Results:
    """Yield each chunk with its records, in the order of the input, from actors that each load the run.

    Args:
        run: The folder of the run, which every machine of the cluster sees at the same path.
        extractor: Its extractor in this process.
        number: The actors (default: one on each machine, or on each GPU).
        chunks: The chunks.
        report: Called for each chunk whose records are there.

    Raises:
        UserError: The cluster cannot be reached; or a worker has another model, calibration or version of this package,
            or cannot load the run; or the workers that extract a chunk end again and again.
    """
    with _connected(number):
        pool = _Pool(run.absolute(), extractor, number)
        try:
            yield from extract_in_order(chunks, pool.submit, 2 * len(pool.workers) + AHEAD, report)
        finally:
            pool.close()


@contextmanager
def _connected(number: int | None) -> Iterator[None]:
    """Connect to the cluster at RAY_ADDRESS, or start Ray on this machine, unless the caller has done so; and end it.

    The output of workers and Ray's messages are not shown: Ray writes them to standard output, where findings may go.
    """
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS", "local")
    options: dict[str, Any] = {}
    with ExitStack() as stack:
        if address == "local":
            folder = stack.enter_context(_private_folder())
            stack.enter_context(_environment({**LOCAL, TOKEN: os.environ.get(TOKEN) or _token()}))
            cores = max(number or 1, os.cpu_count() or 1)
            options = {"num_cpus": cores, "include_dashboard": False, "_temp_dir": str(folder / "ray")}
        else:
            _check_reachable(address)
        import ray  # it reads the environment now

        # Ray imports what it serializes when it is used first, while its threads run; that import has failed before.
        ray._private.worker.global_worker.get_serialization_context()
        ray._private.worker._worker_logs_enabled = False
        stack.callback(setattr, ray._private.worker, "_worker_logs_enabled", True)
        stack.callback(ray.shutdown)
        with _handler_kept():
            try:
                ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
            except (ValueError, RuntimeError, OSError, TimeoutError) as error:
                what = "Ray cannot be started" if options else f"the Ray cluster at {address} cannot be used"
                raise UserError(f"{what}: {first_line(error)}.", remedy="" if options else _ADDRESS) from None
        yield


_ADDRESS = "Set RAY_ADDRESS to HOST:PORT of its head node, or to auto on one of its machines."


def _check_reachable(address: str) -> None:
    """Raise UserError if nothing accepts connections at the address of a cluster."""
    if "://" in address:
        raise UserError(f"RAY_ADDRESS is {address}, but the command runs on a machine of the cluster.", remedy=_ADDRESS)
    host, colon, port = address.rpartition(":")
    if not colon:
        return  # such as `auto`, which Ray looks up on this machine
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHABLE).close()
    except (OSError, ValueError, OverflowError) as error:
        message = f"the Ray cluster at {address} cannot be reached: {first_line(error)}."
        raise UserError(message, remedy=_ADDRESS) from None


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a folder of this user only, for sockets, logs, and texts that the shared memory of a local Ray cannot hold.

    It is in $RAY_TMPDIR or, as Ray has it, in /tmp, since the path of a socket has at most 107 bytes.
    """
    parent = os.environ.get("RAY_TMPDIR") or ("/tmp" if Path("/tmp").is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="ray-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@cache
def _token() -> str:
    """Return the secret without which nobody can give work to a local Ray. Ray reads it once in a process."""
    return secrets.token_hex(32)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block; also those that Ray sets are restored after it."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in [name for name in os.environ if name not in before]:
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _handler_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM, which `ray.init` replaces in the main thread."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


class RemoteExtractor:
    """The actor: an extractor that is loaded from its folder when it is needed first."""

    def __init__(self, run: str, identity: str, version: str) -> None:
        """Set the folder, and the identity of the extractor and the version of this package that the driver has."""
        self.run, self.identity, self.version = Path(run), identity, version
        self.extractor: TextExtractor | None = None

    def load(self) -> TextExtractor:
        """Load the extractor.

        Raises:
            UserError: It cannot be loaded, or is not what the driver has.
        """
        if self.extractor is not None:
            return self.extractor
        here = f"on the machine {socket.gethostname()} of the cluster"
        if (version := package_version()) != self.version:
            message = f"{here}, electra_ie has version {version}, and this is {self.version}."
            raise UserError(message, remedy="Install the same version on all machines.")
        same = "Every machine must see the same run at the same path."
        try:
            extractor = load_extractor(self.run)
        except UserError as error:
            raise UserError(f"{here}: {error}", remedy=same) from None
        if (own := identity_of(extractor)) != self.identity:
            message = f"{here}, the run has another model or calibration ({own}; the driver has {self.identity})."
            raise UserError(message, file=self.run, remedy=same)
        self.extractor = extractor
        return extractor

    def is_loaded(self) -> bool:
        """Load the extractor, and return True: an extractor cannot be sent."""
        return self.load() is not None

    def records_of(self, documents: list[Document]) -> Records:
        """Return the records of the documents of a chunk."""
        return records_of(self.load(), documents)


class _Worker:
    """An actor, and the chunks that it has.

    Attributes:
        actor: The actor.
        chunks: The chunks.
        loading: The call in which it loads its model.
        failed: An earlier one, in which its process ended.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.chunks: list[Future[Records]] = []
        self.failed: Future[bool] | None = None
        self._load()

    def _load(self) -> None:
        self.loading: Future[bool] = self.actor.is_loaded.options(max_task_retries=REPEATS).remote().future()

    def is_loaded(self) -> bool:
        """Return whether it can have a chunk: an actor may wait for a free machine for long.

        If its process was killed, Ray starts it again, and it loads its model again.

        Raises:
            UserError: The actor cannot start, or cannot load the model.
        """
        from ray.exceptions import ActorDiedError

        done = [chunk for chunk in self.chunks if chunk.done()]
        self.chunks = [chunk for chunk in self.chunks if not chunk.done()]
        if not self.loading.done():
            return False
        error = self.loading.exception()
        if _ended(error) and not isinstance(error, ActorDiedError):
            self.failed = self.loading
            self._load()
            return False
        if any(_ended(chunk.exception()) for chunk in done):
            self._load()
            return False
        return _result_of(self.loading)

    def extract(self, documents: list[Document]) -> Future[Records]:
        """Give it a chunk."""
        future: Future[Records] = self.actor.records_of.remote(documents).future()
        self.chunks.append(future)
        return future


class _Pool:
    """The actors of a job."""

    def __init__(self, run: Path, extractor: TextExtractor, number: int | None) -> None:
        """Start the actors."""
        import ray

        number, resources = share_of(ray.nodes(), number, not isinstance(extractor, ExportedExtractor))
        actor = ray.remote(RemoteExtractor).options(max_restarts=-1, **resources)
        given = str(run), identity_of(extractor), package_version()
        self.workers = [_Worker(actor.remote(*given)) for _ in range(number)]
        self.resources = resources

    def submit(self, documents: list[Document]) -> _Repeated:
        """Give the documents of a chunk to an actor."""
        return _Repeated(self, documents)

    def extract(self, documents: list[Document]) -> Future[Records]:
        """Give documents to the loaded actor with the fewest chunks; wait until one is loaded."""
        begun, is_told = time.monotonic(), False
        while not (loaded := [worker for worker in self.workers if worker.is_loaded()]):
            waited = time.monotonic() - begun
            if waited > PATIENCE and not is_told:
                needed = " and ".join(f"{amount:g} {UNITS[name]}" for name, amount in self.resources.items())
                notice(f"waiting for a worker of Ray, which needs {needed} and loads the model first.")
                is_told = True
            for failed in [worker.failed for worker in self.workers if worker.failed and waited > LOST]:
                _result_of(failed)
            time.sleep(0.2)
        return min(loaded, key=lambda worker: len(worker.chunks)).extract(documents)

    def close(self) -> None:
        """End the actors."""
        import ray

        for worker in self.workers:
            ray.kill(worker.actor)


class _Repeated:
    """The records of a chunk, which is given to another actor if its own ended."""

    def __init__(self, pool: _Pool, documents: list[Document]) -> None:
        self.pool, self.documents = pool, documents
        self.future = pool.extract(documents)

    def result(self) -> Records:
        """Wait for the records. Raises UserError if the actors end again and again."""
        for _ in range(REPEATS):
            if not _ended(self.future.exception()):
                break
            notice("a worker of Ray ended; its documents are extracted again.")
            self.future = self.pool.extract(self.documents)
        return _result_of(self.future)


def _ended(error: BaseException | None) -> bool:
    """Return whether an error is that of Ray or a machine, and not of the code of the actor."""
    from ray.exceptions import RayError, RayTaskError

    return isinstance(error, RayError) and not isinstance(error, RayTaskError)


def _result_of(future: Future[Result]) -> Result:
    """Return the result of an actor. Raises its UserError, or one if the actor ended."""
    from ray.exceptions import RayTaskError

    error = future.exception()
    if _ended(error):
        message = f"a worker of Ray ended: {first_line(str(error))}."
        remedy = "If the memory is full, give fewer --workers. The same command goes on where this one ended."
        raise UserError(message, remedy=remedy) from None
    if isinstance(error, RayTaskError) and isinstance(error.cause, UserError):
        raise error.cause from None
    return future.result()


def share_of(nodes: Sequence[Mapping[str, Any]], number: int | None, on_gpu: bool) -> tuple[int, dict[str, float]]:
    """Return the number of actors, and the resources of each, with which all of them find a place.

    Args:
        nodes: The machines of the cluster, as `ray.nodes` describes them.
        number: The number of actors, or None for one on each machine, or on each GPU.
        on_gpu: Whether the model can use a GPU.
    """
    found = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = int(sum(each.get("GPU", 0) for each in found)) if on_gpu else 0
    cores = [int(each.get("CPU", 0)) for each in found if each.get("GPU", 0) or not gpus]
    number = number or gpus or max(1, sum(each > 0 for each in cores))
    fitting = (each for each in range(1, max(cores, default=1) + 1) if sum(core // each for core in cores) >= number)
    resources: dict[str, float] = {"num_cpus": max(fitting, default=1)}
    return number, {**resources, "num_gpus": 1 / -(-number // gpus)} if gpus else resources
