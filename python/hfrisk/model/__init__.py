"""The networks: an ECG encoder, a tabular encoder, and the model that joins them.

Every network takes the signal as the store holds it, in µV, and the model scales it to mV itself, so a saved model needs no preprocessing.

Shape suffixes: B batch, L lead, T time, C feature map, F tabular feature, E embedding, M modality.
"""

from hfrisk.model.combined import CombinedModel, build_model
from hfrisk.model.cost import num_parameters, training_flops
from hfrisk.model.device import autocast, choose_device
from hfrisk.model.plane import ECG_EMBEDDING, LEAD_ORDER, NUM_SAMPLES, SAMPLING_RATE_HZ
from hfrisk.model.resnet import ECGEncoder
from hfrisk.model.seed_cnn import SeedCNN
from hfrisk.model.tabular import TABULAR_EMBEDDING, TabularEncoder
from hfrisk.model.xresnet import XResNet50

__all__ = [
    "ECG_EMBEDDING",
    "LEAD_ORDER",
    "NUM_SAMPLES",
    "SAMPLING_RATE_HZ",
    "TABULAR_EMBEDDING",
    "CombinedModel",
    "ECGEncoder",
    "SeedCNN",
    "TabularEncoder",
    "XResNet50",
    "autocast",
    "build_model",
    "choose_device",
    "num_parameters",
    "training_flops",
]
