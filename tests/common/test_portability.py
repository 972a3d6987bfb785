"""Systems without the modules of Unix: every module of the package can be imported there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import processes
import psutil
import pytest

from electra_ie.common.files import locked
from electra_ie.pretraining import memory

UNIX_ONLY = ("resource", "fcntl", "pwd", "grp", "termios")


def test_every_module_can_be_imported_without_unix_modules():
    """Absent for this package alone: on Unix the standard library itself needs them."""
    script = (
        "import builtins, importlib, pkgutil\n"
        "true = builtins.__import__\n"
        "def absent(name, globals=None, *rest, **more):\n"
        f"    if name in {UNIX_ONLY!r} and str((globals or {{}}).get('__name__')).startswith('electra_ie'):\n"
        "        raise ModuleNotFoundError(f'no module {name}')\n"
        "    return true(name, globals, *rest, **more)\n"
        "builtins.__import__ = absent\n"
        "import electra_ie\n"
        "names = [each.name for each in pkgutil.walk_packages(electra_ie.__path__, 'electra_ie.')]\n"
        "for name in names:\n"
        "    if not name.endswith('__main__'):  # it runs the command\n"
        "        importlib.import_module(name)\n"
        "from pathlib import Path\n"
        "root = Path(electra_ie.__path__[0])\n"
        "parts = [file.relative_to(root).with_suffix('').parts for file in root.rglob('*.py')]\n"
        "files = {'.'.join(('electra_ie', *each)).removesuffix('.__init__') for each in parts}\n"
        "assert files == {'electra_ie', *names}, 'a folder without __init__.py is not walked'\n"
        "from electra_ie.pretraining import memory\n"
        "memory.STATUS = Path('absent')\n"
        "assert memory.peak_memory() is None, 'the module resource is not absent here'\n"
    )
    ended = processes.run(["-c", script], again=["electra_ie"])
    assert ended.code == 0, ended.messages


def test_peak_memory_is_in_mib_or_none_if_unknown(monkeypatch, tmp_path):
    resource = pytest.importorskip("resource")
    status = tmp_path / "status"
    status.write_text("VmPeak:\t   9216 kB\nVmHWM:\t   4096 kB\n")
    monkeypatch.setattr(memory, "STATUS", status)
    assert memory.peak_memory() == 4
    status.unlink()
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=3 * 2**20))  # KiB, as on Linux
    monkeypatch.setattr(sys, "platform", "linux")
    assert memory.peak_memory() == 3 * 2**10
    monkeypatch.setattr(sys, "platform", "darwin")  # bytes
    assert memory.peak_memory() == 3
    monkeypatch.setitem(sys.modules, "resource", None)
    of_windows = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=1, peak_wset=7 * 2**20))
    monkeypatch.setattr(psutil, "Process", lambda: of_windows)
    assert memory.peak_memory() == 7
    of_another = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=1))
    monkeypatch.setattr(psutil, "Process", lambda: of_another)
    assert memory.peak_memory() is None


def test_a_lock_file_is_released_before_it_is_deleted(monkeypatch, tmp_path):
    """Windows refuses to delete a file that is open without the share mode for it, as the lock file is."""
    unlink = Path.unlink

    def unlink_on_windows(path: Path, missing_ok: bool = False) -> None:
        if path.name == ".lock":
            raise PermissionError(13, "The process cannot access the file", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(Path, "unlink", unlink_on_windows)
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()
