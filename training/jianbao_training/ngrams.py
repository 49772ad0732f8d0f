"""The n-gram sector table: multinomial logistic regression on hashed character n-grams.

usage: python -m jianbao_training.ngrams WORK SHARED

Reads what `training_features ngrams` wrote; writes WORK/ngrams.safetensors (the table as the program reads it) and
WORK/ngram_logits.pt: logits of every training article from models that have not seen it, so that the sector head
learns how far to trust them.
"""

import json
import pathlib
import sys

import numpy as np
import scipy.sparse
import torch
from safetensors.torch import save_file

from .data import SECTORS, rows, sector_labels, soft_sector

ROWS, FOLDS = 1 << 16, 5            # ROWS as in src/analysis/ngrams.rs
DECAY, STEPS = 4e-6, 60


def counts(path, wanted=None):
    """(ids, titled matrix, untitled matrix) of the wanted ids, or all: articles × ROWS, counts."""
    ids, parts = [], {"titled": ([], [], [0]), "untitled": ([], [], [0])}
    for line in open(path, encoding="utf8"):
        r = json.loads(line)
        if wanted is not None and r["id"] not in wanted:
            continue
        ids.append(r["id"])
        for name, (columns, values, ends) in parts.items():
            pairs = np.array(r[name], dtype=np.int64).reshape(-1, 2)
            columns.append(pairs[:, 0]), values.append(pairs[:, 1])
            ends.append(ends[-1] + len(pairs))
    build = lambda c, v, e: scipy.sparse.csr_matrix((np.concatenate(v).astype(np.float32), np.concatenate(c), e), (len(ids), ROWS))
    return ids, *(build(*parts[name]) for name in ("titled", "untitled"))


def weighted(matrix, idf):
    """ln(1 + count) × idf (in units of 1/20), rows scaled to length 1."""
    m = matrix.copy()
    m.data = np.log1p(m.data) * idf[m.indices] / 20
    norms = np.sqrt(np.asarray(m.multiply(m).sum(1))).ravel()
    return scipy.sparse.diags(1 / np.maximum(norms, 1e-6)).dot(m).tocsr().astype(np.float32)


def fit(x, y):
    """Weights (ROWS × classes) and bias by L-BFGS on the soft cross-entropy with weight decay."""
    tensor = lambda m: torch.sparse_csr_tensor(torch.from_numpy(m.indptr.astype(np.int64)),
                                               torch.from_numpy(m.indices.astype(np.int64)), torch.from_numpy(m.data), m.shape)
    sparse, transposed = tensor(x), tensor(x.T.tocsr())
    w, b = torch.zeros(ROWS, y.shape[1]), torch.zeros(y.shape[1])
    w.requires_grad_(), b.requires_grad_()
    optimizer = torch.optim.LBFGS([w, b], max_iter=STEPS, history_size=8, line_search_fn="strong_wolfe")

    def closure():
        with torch.no_grad():
            logits = sparse @ w + b
            p = logits.softmax(1)
            loss = -(y * logits.log_softmax(1)).sum(1).mean() + DECAY * (w * w).sum()
            d = (p - y) / len(y)
            w.grad = transposed @ d + 2 * DECAY * w
            b.grad = d.sum(0)
        return loss

    optimizer.step(closure)
    return w.detach().numpy(), b.detach().numpy()


def main():
    work, shared = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    data = shared / "data"
    label = sector_labels(data)
    ids, titled, untitled = counts(work / "news.feat.jsonl", label)
    y = torch.tensor([soft_sector(label[i]) for i in ids])
    df = np.asarray((titled > 0).sum(0)).ravel()
    idf = np.clip(np.round(np.log(len(ids) / np.maximum(df, 0.5)) * 20), 0, 255).astype(np.uint8)
    idf[df < 2] = 0                    # met once: nothing to learn from
    with_title, without = weighted(titled, idf.astype(np.float32)), weighted(untitled, idf.astype(np.float32))
    logits = {"titled": np.zeros(y.shape, np.float32), "untitled": np.zeros(y.shape, np.float32)}
    fold = np.arange(len(ids)) % FOLDS
    for k in range(FOLDS):
        w, b = fit(with_title[fold != k], y[torch.from_numpy(fold != k)])
        for name, x in (("titled", with_title), ("untitled", without)):
            logits[name][fold == k] = x[fold == k] @ w + b
        right = (logits["titled"][fold == k].argmax(1) == y.numpy()[fold == k].argmax(1)).mean()
        print(f"fold {k}: accuracy {right:.4f}", flush=True)
    w, b = fit(with_title, y)
    scale = np.abs(w).max(0) / 127
    quantised = np.round(w / scale).astype(np.int8)
    dev_ids, dev_titled, dev_untitled = counts(work / "sec_dev.feat.jsonl")
    dev = {r["id"]: r for r in rows(data / "sectors/dev.jsonl")}
    out = {"ids": ids, "titled": torch.from_numpy(logits["titled"]), "untitled": torch.from_numpy(logits["untitled"]), "dev_ids": dev_ids}
    for name, m in (("titled", dev_titled), ("untitled", dev_untitled)):
        found = weighted(m, idf.astype(np.float32)) @ (quantised * scale) + b
        best = [SECTORS[k] for k in found.argmax(1)]
        right = np.mean([dev[i]["sector"] == s for i, s in zip(dev_ids, best)])
        also = np.mean([s in [dev[i]["sector"], *dev[i]["also"]] for i, s in zip(dev_ids, best)])
        print(f"dev, {name}: {right:.4f} / {also:.4f}", flush=True)
        out["dev_" + name] = torch.from_numpy(found.astype(np.float32))
    torch.save(out, work / "ngram_logits.pt")
    save_file({"ngram.idf": torch.from_numpy(idf), "ngram.weight": torch.from_numpy(quantised),
               "ngram.scale": torch.from_numpy(scale.astype(np.float32)), "ngram.bias": torch.from_numpy(b)}, work / "ngrams.safetensors")


if __name__ == "__main__":
    main()
