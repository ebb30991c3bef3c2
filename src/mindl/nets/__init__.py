"""Which maps can be learned: plain networks on tensors. They know neither model nor training."""

from mindl.nets.activations import Activation, Coupled, Flux, SplineActivation
from mindl.nets.blocks import DenseBlock, ResidualBlock
from mindl.nets.constraints import normalised, zero_mean
from mindl.nets.convolution import Convolution, TransposedConvolution
from mindl.nets.describe import Description, describe
from mindl.nets.diffusion import DiffusionNet
from mindl.nets.dilated import DilatedNet
from mindl.nets.dncnn import DnCNN
from mindl.nets.ffdnet import FFDNetLike
from mindl.nets.lipschitz import lipschitz_bound
from mindl.nets.plain import PlainCNN
from mindl.nets.resnet import ResNet
from mindl.nets.symmetric import FreeBlock, SymmetricBlock
from mindl.nets.unet import UNet
from mindl.nets.variational import VariationalNetwork
from mindl.nets.vcycle import VCycle

NETWORKS = {
    "DiffusionNet": DiffusionNet,
    "DilatedNet": DilatedNet,
    "DnCNN": DnCNN,
    "FFDNetLike": FFDNetLike,
    "PlainCNN": PlainCNN,
    "ResNet": ResNet,
    "UNet": UNet,
    "VCycle": VCycle,
    "VariationalNetwork": VariationalNetwork,
}
"""The architectures by name, as stored models spell it."""

__all__ = [
    "NETWORKS",
    "Activation",
    "Convolution",
    "Coupled",
    "DenseBlock",
    "Description",
    "DiffusionNet",
    "DilatedNet",
    "DnCNN",
    "FFDNetLike",
    "Flux",
    "FreeBlock",
    "PlainCNN",
    "ResNet",
    "ResidualBlock",
    "SplineActivation",
    "SymmetricBlock",
    "TransposedConvolution",
    "UNet",
    "VCycle",
    "VariationalNetwork",
    "describe",
    "lipschitz_bound",
    "normalised",
    "zero_mean",
]
