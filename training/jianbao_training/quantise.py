"""Weights as int8: symmetric, one scale a row (an output, or a token of the vocabulary).

Stored as u8 around 128 (Candle reads no i8), the scales beside them as `NAME.scale`. What is shipped are these
weights; computing in f32 with them is the reference, computing in int8 differs only by the activations.
"""

import torch


def quantise(tensors):
    """Every matrix of the encoder becomes u8 and scales; everything else becomes f16."""
    out = {}
    for name, tensor in tensors.items():
        if tensor.dim() == 2 and not name.startswith("head."):
            scale = (tensor.float().abs().amax(1) / 127).clamp(min=1e-12)
            out[name] = ((tensor.float() / scale[:, None]).round().clamp(-127, 127) + 128).to(torch.uint8)
            out[name + ".scale"] = scale
        else:
            out[name] = tensor.to(torch.float16).contiguous()
    return out


def dequantise(tensors):
    """What the program computes with."""
    out = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale") and name[:-6] in tensors:
            continue
        if name + ".scale" in tensors:
            tensor = (tensor.float() - 128) * tensors[name + ".scale"][:, None]
        out[name] = tensor.float() if tensor.is_floating_point() else tensor
    return out
