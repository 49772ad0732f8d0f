"""A table that says how much a fragment's first characters look like the middle of a sentence.

usage: python -m jianbao_training.starts WORK SHARED

Logistic regression on the first one, two and three characters, hashed; the beginnings of paragraphs against places inside
sentences, of the news articles. Page repair asks it which fragments are worth the encoder's time. Writes WORK/starts.pt.
"""

import pathlib
import random
import sys

import torch
from torch.nn import functional as F

from .data import fold, rows
from .hashed import as_bytes

ROWS = 1 << 14                 # as in src/document/page/starts.rs


def row(text):
    """FNV-1a over code points, as `fnv1a` in src/text/hash.rs."""
    value = 0xcbf29ce484222325
    for c in text:
        value = (value ^ ord(c)) * 0x100000001b3 % (1 << 64)
    return (value ^ (value >> 32)) % ROWS


def grams(text):
    """Rows of the first one, two and three characters; the number of characters is part of what is hashed."""
    text = [c for c in fold(text[:12]) if not c.isspace()]
    return [row([str(n)] + text[:n]) for n in (1, 2, 3) if len(text) >= n]


def main():
    work, shared = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    rng = random.Random(7)
    examples = []
    for article in rows(shared / "data/news.jsonl.gz"):
        for paragraph in article["text"].split("\n"):
            p = paragraph.strip()
            if len(p) < 40 or rng.random() < 0.4:
                continue
            at = rng.randrange(12, len(p) - 12)
            if p[at - 1] in "。！？；：”…" or p[at] in "。！？；，、”）》":
                continue
            examples += [(grams(p), 0.0), (grams(p[at:]), 1.0)]
    rng.shuffle(examples)
    ids = torch.tensor([(g + [ROWS] * 3)[:3] for g, _ in examples])
    target = torch.tensor([y for _, y in examples])
    table = torch.nn.EmbeddingBag(ROWS + 1, 1, mode="sum", padding_idx=ROWS)
    torch.nn.init.zeros_(table.weight)
    held = len(ids) // 20
    optimizer = torch.optim.Adam(table.parameters(), lr=0.05)
    for epoch in range(4):
        for at in range(held, len(ids), 4096):
            loss = F.binary_cross_entropy_with_logits(table(ids[at:at + 4096]).squeeze(1), target[at:at + 4096])
            loss = loss + 2e-6 * table.weight.square().sum()
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        with torch.no_grad():
            right = ((table(ids[:held]).squeeze(1) > 0) == (target[:held] > 0.5)).float().mean()
        print(f"epoch {epoch}: {len(ids)} fragments, held out {right:.4f}", flush=True)
    torch.save(as_bytes(table.weight.detach()[:ROWS, 0]), work / "starts.pt")


if __name__ == "__main__":
    main()
