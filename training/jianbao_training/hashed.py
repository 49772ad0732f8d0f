"""Tables of logits over hashed characters, as `src/text/hash.rs` reads them."""

import torch

UNIT = 16.0                    # a byte holds a logit in units of 1 / UNIT, around 128


def as_bytes(logits):
    return ((logits * UNIT).round().clamp(-127, 127) + 128).to(torch.uint8)
