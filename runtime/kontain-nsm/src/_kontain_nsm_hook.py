"""Has the AWS Nitro Enclaves Python SDK take its transport from kontain_nsm.

The file kontain_nsm.pth imports this module whenever Python starts, so it
imports nothing itself. It waits for one module of the SDK, and where that is
never imported, looks at the name of each new module is all that it does.
"""

import sys

AWAITED = "aws_nitro_enclaves.nsm._transport"


class _Finder:
    """Stands first among the finders, and only ever finds AWAITED."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != AWAITED:
            return None
        for finder in sys.meta_path:
            if finder is _Finder or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader:
    """Loads the module as its own loader does, then changes one name in it."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        from kontain_nsm.transport import replace_in

        replace_in(module)


def install():
    """Done at start; twice is once. A module that was imported before stays as it is."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


def remove():
    """The SDK keeps its own transport again, where it is not imported yet."""
    if _Finder in sys.meta_path:
        sys.meta_path.remove(_Finder)


install()
