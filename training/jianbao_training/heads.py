"""The heads that read the encoder's hidden states, and how inputs are laid out for them.

The Rust twins are `src/encoder/window.rs` (layout) and `src/model/heads.rs` (networks).
"""

import torch
from torch import nn
from torch.nn import functional as F

from .data import SECTORS

MAX_WINDOW = 512          # tokens a window, marks included
MAX_TITLE = 64            # tokens of the title, repeated in every window
OVERLAP = 64              # tokens that neighbouring windows share
SECTOR_TOKENS = 256       # the sector head reads the mean of so many tokens of title and body, from their windows
SEAM_TOKENS = 24          # on each side of a seam that the continuation head reads
SALIENCE_FEATURES, KEYWORD_FEATURES = 32, 72


def windows(title, body, cls, sep):
    """[(ids, offset)]: windows of one article; `offset` is where the body begins in each; and (start, length)
    of the body tokens that each window owns. Overlapped tokens belong half to one side, half to the other."""
    head = [cls] + (title[:MAX_TITLE] + [sep] if title else [])
    room = MAX_WINDOW - len(head) - 1
    starts = [0] if len(body) <= room else list(range(0, len(body) - OVERLAP, room - OVERLAP))
    out = []
    for k, start in enumerate(starts):
        piece = body[start:start + room]
        own_from = start if k == 0 else start + OVERLAP // 2
        own_to = start + len(piece) if k == len(starts) - 1 else starts[k + 1] + OVERLAP // 2
        out.append((head + piece + [sep], len(head), start, own_from, own_to))
    return out


class Scorer(nn.Module):
    """Two layers: vectors and features → one number."""

    def __init__(self, vectors, features, hidden):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.first = nn.Linear(vectors + features, hidden)
        self.last = nn.Linear(hidden, 1)

    def standardise(self, rows):
        """Takes mean and spread from the training features; a constant feature keeps scale 1."""
        self.mean.copy_(rows.mean(0))
        self.scale.copy_(torch.where(rows.std(0) > 1e-4, 1 / rows.std(0).clamp(min=1e-4), torch.ones(rows.shape[1])))

    def unfold(self, rows):
        """The opposite of `exported`, for training on: a finished head gets its standardisation back."""
        self.standardise(rows)
        vectors = self.first.in_features - len(self.mean)
        with torch.no_grad():
            self.first.weight[:, vectors:] /= self.scale
            self.first.bias += self.first.weight[:, vectors:] @ (self.mean * self.scale)

    def forward(self, vectors, features, dropout=0.0):
        features = (features - self.mean) * self.scale
        x = torch.cat([F.dropout(vectors, dropout, self.training), features], dim=-1)
        return self.last(F.dropout(F.gelu(self.first(x)), dropout, self.training)).squeeze(-1)

    def exported(self):
        """Plain tensors, the standardisation of features folded into the first layer."""
        vectors = self.first.in_features - len(self.mean)
        weight, bias = self.first.weight.detach().clone(), self.first.bias.detach().clone()
        bias -= weight[:, vectors:] @ (self.mean * self.scale)
        weight[:, vectors:] *= self.scale
        return {"first.weight": weight, "first.bias": bias,
                "last.weight": self.last.weight.detach().clone(), "last.bias": self.last.bias.detach().clone()}


class Heads(nn.Module):
    def __init__(self, hidden=384):
        super().__init__()
        self.sector = nn.Linear(hidden, len(SECTORS))
        # How far the n-gram table's logits are trusted beside the encoder's.
        self.ngram_share = nn.Parameter(torch.tensor(0.5))
        self.continuation = Scorer(2 * hidden, 0, 96)
        self.salience = Scorer(3 * hidden, SALIENCE_FEATURES, 96)
        self.keyword = Scorer(4 * hidden, KEYWORD_FEATURES, 96)


def seam(left, right, cls, sep):
    """Token ids of one sequence over a seam, and the places of the two tokens that meet there."""
    left, right = left[-SEAM_TOKENS:], right[:SEAM_TOKENS]
    return [cls, *left, *right, sep], (len(left), len(left) + 1)


def segment_means(states, segments):
    """Means of half-open token ranges, by cumulative sums: (tokens, h), [(start, end)] → (n, h)."""
    total = torch.cat([states.new_zeros(1, states.shape[1]), states.double().cumsum(0).to(states.dtype)])
    start, end = segments[:, 0], segments[:, 1]
    # `index_select` everywhere: on a CPU the gradient of plain indexing takes many times longer.
    return (total.index_select(0, end) - total.index_select(0, start)) / (end - start).clamp(min=1).unsqueeze(1)


def salience_vectors(states, sentences, article):
    s = segment_means(states, sentences)
    a = article.expand_as(s)
    return torch.cat([s, a, s * a], dim=-1)


def keyword_vectors(states, places, owner, count, article):
    """`places` (n, 2) token ranges of occurrences, `owner` (n) the candidate of each, `count` candidates.
    A candidate is the mean over its occurrences of: mean token, first token, last token; and the article."""
    parts = torch.cat([segment_means(states, places), states.index_select(0, places[:, 0]), states.index_select(0, places[:, 1] - 1)], dim=-1)
    total = parts.new_zeros(count, parts.shape[1]).index_add_(0, owner, parts)
    occurrences = parts.new_zeros(count).index_add_(0, owner, torch.ones_like(owner, dtype=parts.dtype))
    mean = total / occurrences.clamp(min=1).unsqueeze(1)
    return torch.cat([mean, article.expand(count, -1)], dim=-1)
