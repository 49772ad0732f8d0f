"""The heads that read the encoder's hidden states, and how inputs are laid out for them.

The Rust twins are `src/encoder/window.rs` (layout) and `src/model/heads.rs` (networks).
"""

import torch
from torch import nn
from torch.nn import functional as F

from .data import SECTORS

MAX_WINDOW = 512          # tokens a window, marks included
MAX_TITLE = 64            # tokens of the title, repeated in every window
SLACK = 96                # tokens from equal lengths that a cut between sentences is looked for
ENDS, CLOSERS = "。！？!?", "”’』」）)"
SECTOR_TOKENS = 256       # the sector head reads the mean of so many tokens of title and body, from their windows
SEAM_TOKENS = 24          # on each side of a seam that the continuation head reads
SALIENCE_FEATURES, KEYWORD_FEATURES = 32, 72


def marks(tokenizer):
    """Ids of what ends a sentence, and of what may close after it."""
    return tuple({tokenizer.token_to_id(c) for c in chars} for chars in (ENDS, CLOSERS))


def cuts(body, room, sentence_marks):
    """Where windows of at most `room` body tokens end: as few as possible, of about one length, between sentences where one ends near.
    Twin of `cuts` in src/encoder/window.rs."""
    ends, closers = sentence_marks

    def ends_sentence(i):
        if i + 1 < len(body) and body[i + 1] in closers:
            return False
        while i >= 0 and body[i] in closers:
            i -= 1
        return i >= 0 and body[i] in ends

    out, start = [], 0
    while len(body) - start > room:
        rest = len(body) - start
        count = -(-rest // room)
        equal = start - (-rest // count)
        least, most = max(len(body) - (count - 1) * room, equal - SLACK, start + 1), min(start + room, equal + SLACK)
        start = min((e for e in range(least, most + 1) if ends_sentence(e - 1)), key=lambda e: abs(e - equal), default=equal)
        out.append(start)
    return [*out, len(body)]


def windows(title, body, cls, sep, sentence_marks):
    """[(ids, head, start)] of one article: the body tokens from `start` on stand from `head` to before the last id."""
    head = [cls] + (title[:MAX_TITLE] + [sep] if title else [])
    out, start = [], 0
    for end in cuts(body, MAX_WINDOW - len(head) - 1, sentence_marks):
        out.append((head + body[start:end] + [sep], len(head), start))
        start = end
    return out


def first_mean(hidden, marks):
    """What the sector head reads: of each sequence the mean of the first SECTOR_TOKENS states whose mark is 1."""
    keep = (marks * (marks.cumsum(1) <= SECTOR_TOKENS)).unsqueeze(-1).float()
    return (hidden * keep).sum(1) / keep.sum(1).clamp(min=1)


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
        self.scale.copy_(torch.where(rows.std(0) > 1e-4, 1 / rows.std(0).clamp(min=1e-4), 1.0))

    def resume(self, stored):
        """Takes what `exported` gave, to learn on: after `standardise`."""
        vectors = self.first.in_features - len(self.mean)
        weight = stored["first.weight"].clone()
        weight[:, vectors:] /= self.scale
        bias = stored["first.bias"] + weight[:, vectors:] @ (self.mean * self.scale)
        self.load_state_dict(dict(stored) | {"first.weight": weight, "first.bias": bias, "mean": self.mean, "scale": self.scale})

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
