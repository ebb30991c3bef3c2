"""Networks on disk: stored, checked, loaded again."""

from mindl.store.compare import Comparison, TensorDifference, compare
from mindl.store.export import Exported, export
from mindl.store.folder import load, load_regulariser, save, shipped
from mindl.store.parts import STORABLE
from mindl.store.transfer import Transfer, transfer

__all__ = [
    "STORABLE",
    "Comparison",
    "Exported",
    "TensorDifference",
    "Transfer",
    "compare",
    "export",
    "load",
    "load_regulariser",
    "save",
    "shipped",
    "transfer",
]
