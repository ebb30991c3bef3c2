"""Which maps can be learned: plain networks on tensors. They know neither model nor training."""

from mindl.nets.unet import UNet

NETWORKS = {"UNet": UNet}
"""The architectures by name, as stored models spell it."""

__all__ = ["NETWORKS", "UNet"]
