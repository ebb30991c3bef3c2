"""From the disk into a network: where images come from."""

from mindl.data.source import DeadLeaves, Images, Photographs, Source, Together

__all__ = ["DeadLeaves", "Images", "Photographs", "Source", "Together"]
