"""Registration of this package's own model classes with the Auto classes of transformers, when these are loaded.

`import electra_ie` loads neither transformers nor torch. So what registers the classes waits: it is imported as soon as
the modules of the Auto classes are, by any import of them before or after this package (the idea of PEP 369).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

REGISTERING = {
    "transformers.models.auto.configuration_auto": "electra_ie.models.static_config",
    "transformers.models.auto.modeling_auto": "electra_ie.models.static_encoder",
}
"""The modules of the Auto classes, and by each the module that registers with them when it is imported."""


class _Then(Loader):
    """A loader that imports another module after the module that it loads."""

    def __init__(self, loader: Loader, then: str) -> None:
        self.loader, self.then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        import_module(self.then)


class _Registration(MetaPathFinder):
    """Finds the modules of the Auto classes as Python does, with a loader that registers afterwards."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        then = REGISTERING.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if then else None
        if spec is not None and spec.loader is not None and then:
            spec.loader = _Then(spec.loader, then)
        return spec


def register() -> None:
    """Register the classes of this package now where the Auto classes are loaded, and otherwise once they are."""
    if not any(isinstance(finder, _Registration) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Registration())
    for loaded, then in REGISTERING.items():
        if loaded in sys.modules:
            import_module(then)
