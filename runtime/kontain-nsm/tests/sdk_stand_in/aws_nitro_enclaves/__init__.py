from . import nsm  # noqa: F401
