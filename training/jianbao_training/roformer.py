"""RoFormer in plain PyTorch: BERT with rotary positions (Su et al. 2021, arXiv:2104.09864).

The reference for the Rust encoder in `src/encoder/candle/roformer.rs`; both must give the same
hidden states. Parameter names are the ones that the Rust side loads.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Config:
    def __init__(self, vocab_size=12000, hidden_size=384, layers=6, heads=6, intermediate_size=1536,
                 layer_norm_eps=1e-12):
        self.vocab_size, self.hidden_size, self.layers = vocab_size, hidden_size, layers
        self.heads, self.intermediate_size, self.layer_norm_eps = heads, intermediate_size, layer_norm_eps

    def to_json(self):
        return {"model_type": "roformer", "vocab_size": self.vocab_size, "hidden_size": self.hidden_size,
                "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
                "intermediate_size": self.intermediate_size, "hidden_act": "gelu",
                "layer_norm_eps": self.layer_norm_eps}


def rotary_angles(length, head_dim, device=None):
    """cos and sin, each (length, head_dim / 2): angle of pair i at position p is p / 10000^(2i / head_dim)."""
    frequency = torch.exp(torch.arange(0, head_dim, 2, device=device).float() * (-math.log(10000.0) / head_dim))
    angle = torch.arange(length, device=device).float()[:, None] * frequency[None, :]
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """Rotates the neighbouring pairs (x0, x1), (x2, x3), … of the last axis (interleaved layout). Pairs are swapped as a whole:
    taking even and odd places apart costs a CPU twice as much."""
    swapped = x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
    return x * cos.repeat_interleave(2, -1) + swapped * torch.stack((-sin, sin), -1).flatten(-2)


def attention(q, k, v, mask):
    """softmax(q kᵀ / √width) v, of (batch, heads, time, width) each; `mask` is false where keys are padding. On a CPU as plain
    products: PyTorch's own flash attention has a backward pass there that takes twice their time."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = q / math.sqrt(q.shape[-1]) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).to(v.dtype) @ v


_pool = {}


def drop(x, share, training):
    """Dropout from a pool of random masks, each used from a random place on: drawing a fresh number for every element
    takes a seventh of a training step on a CPU."""
    if not training or share == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, share, training)
    size = 1 << 22
    key = (share, x.dtype)
    if key not in _pool:
        _pool[key] = (torch.rand(2 * size) >= share).to(x.dtype) / (1 - share)
    if x.numel() > size:
        return F.dropout(x, share, training)
    at = int(torch.randint(size, ()))
    return x * _pool[key][at:at + x.numel()].view(x.shape)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c.hidden_size
        self.heads = c.heads
        self.query, self.key, self.value = nn.Linear(h, h), nn.Linear(h, h), nn.Linear(h, h)
        self.attention_output = nn.Linear(h, h)
        self.attention_norm = nn.LayerNorm(h, eps=c.layer_norm_eps)
        self.intermediate = nn.Linear(h, c.intermediate_size)
        self.output = nn.Linear(c.intermediate_size, h)
        self.output_norm = nn.LayerNorm(h, eps=c.layer_norm_eps)

    def forward(self, x, mask, cos, sin, dropout):
        b, t, h = x.shape
        split = lambda y: y.view(b, t, self.heads, h // self.heads).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        q, k = rotate(q, cos.to(q.dtype), sin.to(q.dtype)), rotate(k, cos.to(k.dtype), sin.to(k.dtype))
        a = attention(q, k, v, mask)
        a = self.attention_output(a.transpose(1, 2).reshape(b, t, h))
        x = self.attention_norm(x + drop(a, dropout, self.training))
        y = self.output(F.gelu(self.intermediate(x)))
        return self.output_norm(x + drop(y, dropout, self.training))


class RoFormer(nn.Module):
    """Token ids (batch, time), 0 is padding → hidden states (batch, time, hidden_size)."""

    def __init__(self, c):
        super().__init__()
        self.config = c
        self.word_embeddings = nn.Embedding(c.vocab_size, c.hidden_size)
        self.embedding_norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.layer = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.dropout = 0.1

    def forward(self, ids):
        padding = ids == 0
        mask = None if not padding.any() else (~padding)[:, None, None, :]
        head_dim = self.config.hidden_size // self.config.heads
        cos, sin = rotary_angles(ids.shape[1], head_dim, ids.device)
        x = self.embedding_norm(self.word_embeddings(ids))
        x = drop(x, self.dropout, self.training)
        for layer in self.layer:
            x = layer(x, mask, cos, sin, self.dropout)
        return x


    def take_layers(self, tensors, keep):
        """Loads an encoder's tensors by name; layer k is its layer `keep[k]`."""
        def source(name):
            if not name.startswith("layer."):
                return name
            _, k, rest = name.split(".", 2)
            return f"layer.{keep[int(k)]}.{rest}"
        self.load_state_dict({name: tensors[source(name)] for name in self.state_dict()})


class LanguageModelHead(nn.Module):
    """Masked-token prediction; the output matrix is the embedding matrix. Training only, not shipped."""

    def __init__(self, c):
        super().__init__()
        self.dense = nn.Linear(c.hidden_size, c.hidden_size)
        self.norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def forward(self, hidden, embeddings):
        return F.linear(self.norm(F.gelu(self.dense(hidden))), embeddings, self.bias)
