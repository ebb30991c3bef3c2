"""From the disk into a network: where images come from, and how they are cut."""

from mindl.data.cache import Cache, Mapped, Memory
from mindl.data.geometry import Placement
from mindl.data.inspection import Finding, Inspection, inspect
from mindl.data.photographs import Photographs
from mindl.data.pictures import DeadLeaves, Phantoms
from mindl.data.places import Place, Places, find
from mindl.data.source import Images, Observed, Sample, Source, Together
from mindl.data.split import check_apart, split

__all__ = [
    "Cache",
    "DeadLeaves",
    "Finding",
    "Images",
    "Inspection",
    "Mapped",
    "Memory",
    "Observed",
    "Phantoms",
    "Photographs",
    "Place",
    "Placement",
    "Places",
    "Sample",
    "Source",
    "Together",
    "check_apart",
    "find",
    "inspect",
    "split",
]
