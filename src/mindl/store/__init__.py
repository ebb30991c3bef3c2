"""Networks on disk: stored, checked, loaded again."""

from mindl.store.folder import load, save, shipped

__all__ = ["load", "save", "shipped"]
