"""A table that says whether one fragment reads on into another, by the characters that meet.

usage: python -m jianbao_training.seams WORK OUT.bin

Logistic regression on hashed characters left and right of a seam: places inside the sentences of the training news,
against the left side of one place and the right side of another, half of them near. Page repair reads it beside the
encoder's continuation head. The articles of `for_repair` are left out: the trees over it are trained on
those.
"""

import pathlib
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

from .data import fold, for_repair, rows
from .hashed import as_bytes
from .trees import SEED

ROWS = 1 << 20                 # as in src/document/page/seams.rs
GRAMS = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3), (3, 2), (2, 3)]
SIDE = 3                       # characters on each side
PASSES, BATCH, RATE, KEEP, NEAR = 2, 1 << 15, 0.03, 0.5, 1500
NO_END, NO_START = "。！？；：…\n", "。！？；，、：”’）》…\n"


def row(codes):
    """FNV-1a over columns of code points, as `row` in src/text/hash.rs."""
    value = np.full(len(codes[0]), 0xcbf29ce484222325, dtype=np.uint64)
    for column in codes:
        value = (value ^ column) * np.uint64(0x100000001b3)
    return (value ^ (value >> np.uint64(32))) % np.uint64(ROWS)


def seam_rows(text, left, right):
    """Rows of the seams between what ends before `left` and what begins at `right`."""
    bar = np.full(len(left), ord("|"), dtype=np.uint64)
    out = []
    for a, b in GRAMS:
        columns = [text[left - k] for k in range(a, 0, -1)] + [bar] + [text[right + k] for k in range(b)]
        out.append(row(columns))
    return np.stack(out, axis=1).astype(np.int64)


def places(articles):
    """The articles as one array of code points, numbers as 0, no white space; and the places inside sentences."""
    text = "\n\n\n".join("".join(c for c in fold(a["text"]) if c == "\n" or not c.isspace()) for a in articles)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    codes[(codes >= ord("0")) & (codes <= ord("9"))] = ord("0")
    ends, starts = (np.isin(codes, [ord(c) for c in marks]) for marks in (NO_END, NO_START))
    breaks = codes == ord("\n")
    inside = np.ones(len(codes), dtype=bool)
    inside[:SIDE] = inside[-SIDE:] = False
    inside[1:] &= ~ends[:-1]
    inside &= ~starts
    for k in range(1, SIDE + 1):
        inside[k:] &= ~breaks[:-k]
    for k in range(SIDE):
        inside[:len(codes) - k] &= ~breaks[k:]
    return codes, np.flatnonzero(inside)


def others(at, rng):
    """For each place another one: near, or anywhere."""
    near = np.searchsorted(at, at + rng.integers(-NEAR, NEAR, len(at))).clip(0, len(at) - 1)
    anywhere = rng.integers(0, len(at), len(at))
    return at[np.where(rng.random(len(at)) < 0.5, near, anywhere)]


def main():
    work, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    articles = rows(work / "news.jsonl")
    text, at = places([a for a in articles if not for_repair(a)])
    held_text, held = places([a for a in articles if for_repair(a)])
    held = rng.choice(held, 100_000, replace=False)
    held.sort()
    held_rows = [torch.from_numpy(seam_rows(held_text, held, right)) for right in (held, others(held, rng))]
    table = torch.nn.EmbeddingBag(ROWS, 1, mode="sum", sparse=True)
    torch.nn.init.zeros_(table.weight)
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=RATE)
    for n in range(PASSES):
        order, wrong, began = rng.permutation(len(at)), others(at, rng), time.time()
        for first in range(0, len(at), BATCH):
            part = order[first:first + BATCH]
            ids = np.concatenate([seam_rows(text, at[part], right[part]) for right in (at, wrong)])
            target = torch.arange(len(ids)) < len(part)
            # Without some of its characters each time: otherwise rare ones, which only true seams have, explain all.
            kept = (torch.rand(ids.shape) < KEEP).float()
            scores = table(torch.from_numpy(ids), per_sample_weights=kept).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(scores, target.float())
            optimizer.zero_grad(), loss.backward(), optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 - (n + first / len(at)) / PASSES) + 1e-4
        with torch.no_grad():
            right, wrong_ = (table(r).squeeze(1) for r in held_rows)
            said = ((right > 0).float().mean() + (wrong_ < 0).float().mean()) / 2
        print(f"pass {n}: {len(at)} places, held out {said:.4f}, {time.time() - began:.0f} s", flush=True)
    out.write_bytes(as_bytes(table.weight.detach()[:, 0]).numpy().tobytes())


if __name__ == "__main__":
    main()
