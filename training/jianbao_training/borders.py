"""Two tables that say how much a paragraph looks like the first, or the last, of its article.

usage: python -m jianbao_training.borders WORK FEATURES_PROGRAM OUT.bin

Logistic regression on hashed characters at the paragraph's beginning and end (`src/document/page/borders.rs`, which also
says which rows those are), over the paragraphs of all training news: the headline trees, which read it, learn on some of
the same articles.
"""

import json
import pathlib
import random
import subprocess
import sys

import torch
from torch.nn import functional as F

from .hashed import as_bytes
from .trees import SEED

ROWS = 1 << 14                 # as in borders.rs
EPOCHS, BATCH, DECAY = 4, 4096, 3e-6


def table(examples):
    """Logits of each row, from (rows, label)."""
    random.Random(SEED).shuffle(examples)
    longest = max(len(rows) for rows, _ in examples)
    ids = torch.full((len(examples), longest), ROWS)
    for n, (rows, _) in enumerate(examples):
        ids[n, :len(rows)] = torch.tensor(rows, dtype=torch.long)
    target = torch.tensor([label for _, label in examples])
    weights = torch.nn.EmbeddingBag(ROWS + 1, 1, mode="sum", padding_idx=ROWS)
    torch.nn.init.zeros_(weights.weight)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([*weights.parameters(), bias], lr=0.02)
    held = len(ids) // 20
    for epoch in range(EPOCHS):
        for at in range(held, len(ids), BATCH):
            part = slice(at, at + BATCH)
            loss = F.binary_cross_entropy_with_logits(weights(ids[part]).squeeze(1) + bias, target[part])
            loss = loss + DECAY * weights.weight.square().sum()
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        with torch.no_grad():
            scores = weights(ids[:held]).squeeze(1)
        order = scores.argsort()
        ranks = torch.empty_like(scores)
        ranks[order] = torch.arange(1, held + 1, dtype=scores.dtype)
        yes = target[:held] > 0.5
        area = (ranks[yes].mean() - (yes.sum() + 1) / 2) / (~yes).sum()
        print(f"epoch {epoch}: {len(ids)} paragraphs, {target.mean():.3f} yes, held out area under the curve {area:.4f}", flush=True)
    return weights.weight.detach()[:ROWS, 0]


def main():
    work, program, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    with open(work / "news.jsonl", encoding="utf8") as articles:
        text = subprocess.run([program, "borders"], stdin=articles, check=True, capture_output=True, text=True).stdout
    openings, closings = [], []
    for paragraphs in map(json.loads, text.splitlines()):
        if len(paragraphs) < 2:
            continue
        for n, (opening, closing) in enumerate(paragraphs):
            openings.append((opening, float(n == 0)))
            closings.append((closing, float(n == len(paragraphs) - 1)))
    tables = torch.cat([table(openings), table(closings)])
    out.write_bytes(as_bytes(tables).numpy().tobytes())


if __name__ == "__main__":
    main()
