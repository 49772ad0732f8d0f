"""Sectors learnt on by a finished model's encoder, held by an anchor: what its other heads read of it stays nearly where it was.

usage: python -m jianbao_training.anchored PACK OUT.safetensors --start models/news/model.safetensors --tokenizer FILE [--anchor A] [--minutes M]

With an anchor of nothing, `--anchor 0`, sectors are all that is learnt; the start may then be an encoder without heads (`language`).

Learnt for sectors alone, an encoder loses what summaries and keywords need; learnt with all heads (`joint`), a step costs three
times as much. Here every step also asks that the first layers of the other heads see what they saw in the model that it starts
from: the squared difference of their inputs, as a share of those inputs' variance, for single tokens, for spans as long as a
clause, and for whole texts. The start reads without dropout: the anchor also asks for one reading whatever is dropped, and
what is printed of it while training is twice what it is without. Now and then a step reads long windows and seams for the anchor alone. Writes every tensor of the
start, the encoder and the sector head new (their moving average); `joint --start OUT --peak 0` fits the other heads to it.
"""

import json
import random
import time

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from .batches import Pack, of_one_length, pad_ids
from .heads import Heads, first_mean, windows
from .joint import NOISY, UNTITLED, WARM, finished, sector_figures, take_sector_head
from .options import parser
from .sectors import encoder_of

LIMIT = 260                # tokens that are read for a sector: what the head reads, and marks
TOKENS = 6_500             # of a step
SPAN = 16                  # tokens
EVERY = 8                  # of so many steps one is for the anchor alone
WINDOWS, SEAMS = 8, 6      # that it reads
HEAD_PEAK = 1e-3
AVERAGED = 20              # the mean of weights leans on one in so many of the steps, the last ones
SEEN = 12                  # batches of either kind that variances are taken from


class Model(nn.Module):
    """Encoder and sector head: what is trained."""

    def __init__(self, tensors):
        super().__init__()
        self.encoder = encoder_of(tensors)
        heads = Heads()
        self.head, self.ngram_share = heads.sector, heads.ngram_share
        take_sector_head(heads, tensors)

    def hidden(self, ids):
        with torch.autocast(ids.device.type, torch.bfloat16):
            return self.encoder(ids).float()

    def sectors(self, hidden, marks, ngrams):
        return self.head(F.dropout(first_mean(hidden, marks), 0.1, self.training)) + self.ngram_share * ngrams

    def exported(self):
        out = {k: v.detach().cpu().float().contiguous() for k, v in self.encoder.state_dict().items()}
        out |= {f"head.sector.{k}": v.detach().cpu().contiguous() for k, v in self.head.state_dict().items()}
        return out | {"head.sector.ngram_share": self.ngram_share.detach().cpu().reshape(1)}


def pooled(hidden, present):
    """Hidden states (batch, time, width) as rows: of single tokens, of spans, of whole sequences; only what is present."""
    mask = present.unsqueeze(-1).float()
    batch, length, width = hidden.shape
    mean = lambda n: (hidden * mask).view(batch, -1, n, width).sum(2) / mask.view(batch, -1, n, 1).sum(2).clamp(min=1)
    whole_spans = present.view(batch, -1, SPAN).all(2)
    return hidden[present], mean(SPAN)[whole_spans], mean(length)[:, 0]


def readers(tensors, text):
    """First layers of the other heads, (out, width) each, by what they read: tokens, spans, texts. `text`: a mean text. Of the heads
    that read in context where there are some."""
    width = len(text)
    block = lambda name, k: tensors[f"head.{name}.first.weight"].float()[:, k * width:(k + 1) * width]
    context = lambda kind, part: [tensors[name].float()] if (name := f"head.context.{kind}.{part}.weight") in tensors else []
    keyword, seam = [block("keyword", k) for k in range(4)], [block("continuation", k) for k in range(2)]
    # The third block of salience reads the product of a sentence and its article.
    sentence, article, product = block("salience", 0), block("salience", 1), block("salience", 2) * text
    return ([*keyword[:3], *context("keyword", "vector"), *seam],
            [sentence, product, *context("salience", "vector")],
            [article, product, keyword[3], *context("salience", "article"), *context("keyword", "article")])


class Anchor:
    """How far two readings of the same ids are from each other, as the other heads see it: shares of variance."""

    def __init__(self, tensors, readings):
        """`readings`: rows of tokens, of spans, of texts, as the start reads them."""
        self.factors = []
        for rows, weights in zip(readings, readers(tensors, readings[2].mean(0).cpu())):
            centred = (rows - rows.mean(0)).cpu().double()
            covariance = centred.T @ centred / len(centred)
            metric = sum(w.T @ w / (w @ covariance @ w.T).trace() for w in map(torch.Tensor.double, weights)) / len(weights)
            values, vectors = torch.linalg.eigh(metric)
            self.factors.append((vectors * values.clamp(min=0).sqrt()).float().to(rows.device))

    def __call__(self, new, old, present):
        """Of tokens, of spans, of texts."""
        pairs = zip(pooled(new, present), pooled(old, present), self.factors)
        return torch.stack([((n - o) @ factor).square().sum(-1).mean() for n, o, factor in pairs])


class Texts:
    """What is read for the anchor: long windows, seams."""

    def __init__(self, pack, device):
        self.pack, self.device = pack, device

    def windows(self, rng):
        pack = self.pack
        of = lambda i: windows(pack.news_title[i].tolist(), pack.news_body[i].tolist(), pack.cls, pack.sep, pack.marks)
        every = [ids for i in rng.sample(range(len(pack.news_body)), WINDOWS) for ids, _, _ in of(i)]
        return pad_ids(rng.sample(every, WINDOWS)).to(self.device)

    def seams(self, rng):
        return self.pack.seams(SEAMS, rng, NOISY)[0].to(self.device)


def main():
    p = parser(__doc__, epochs=3)
    p.add_argument("--anchor", type=float, default=0.5, help="what the anchor weighs beside the sectors' loss")
    p.add_argument("--peak", type=float, default=1e-4)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pack = Pack(a.pack, Tokenizer.from_file(str(a.tokenizer)))
    start = finished(a.start)
    model, average, first = (Model(start).to(device) for _ in range(3))
    average.eval(), first.eval()
    rng, plain, noise = random.Random(a.seed), random.Random(5), np.random.default_rng(a.seed)
    labelled = list(pack.sector_of)
    texts = Texts(pack, device)

    @torch.no_grad()
    def look(model, ids):
        return model.hidden(ids)

    asked = lambda: pack.sectors(plain.sample(labelled, 24), LIMIT)[0].to(device)
    seen = [ids for _ in range(SEEN) for ids in (asked(), texts.windows(plain))] if a.anchor > 0 else []
    anchor = Anchor(start, [torch.cat(rows) for rows in zip(*(pooled(look(first, ids), ids > 0) for ids in seen))]) if seen else None
    away_from_first = lambda hidden, ids: anchor(hidden, look(first, ids), ids > 0) if anchor else torch.zeros(3, device=device)

    def say(model, name):
        away = torch.stack([away_from_first(look(model, ids), ids) for ids in seen]).mean(0).tolist() if seen else []
        figures = sector_figures(lambda ids, marks, ngrams: model.sectors(model.hidden(ids), marks, ngrams), pack, device)
        print(name, json.dumps(figures | dict(zip(("tokens", "spans", "texts"), (round(x, 4) for x in away)))), flush=True)

    if "head.sector.weight" in start:
        say(first, "start")
    length = lambda i: min(LIMIT, len(pack.news_title[i]) + len(pack.news_body[i]))
    jobs = [batch for _ in range(int(np.ceil(a.epochs))) for batch in of_one_length(labelled, length, TOKENS, rng, spread=20)]
    total = max(1, int(len(jobs) * a.epochs / np.ceil(a.epochs)))
    parts = [dict(params=model.encoder.parameters(), lr=a.peak), dict(params=[*model.head.parameters(), model.ngram_share], lr=HEAD_PEAK)]
    optimizer = torch.optim.AdamW(parts, betas=(0.9, 0.98), weight_decay=0.02, fused=True)
    peaks, sums, said_at, began = [g["lr"] for g in parts], [], 0, time.time()
    model.train()
    print(f"{len(labelled)} sectors, {total} steps", flush=True)
    for step, batch in enumerate(jobs):
        progress = max(step / total, (time.time() - began) / 60 / a.minutes)
        if progress >= 1:
            break
        for group, peak in zip(optimizer.param_groups, peaks):
            group["lr"] = peak * min(1.0, (progress + 1e-3) / WARM) * max(0.01, 1 - progress)
        if anchor and step % EVERY == EVERY - 1:
            loss = torch.zeros((), device=device)
            away = sum(away_from_first(model.hidden(ids), ids) for ids in (texts.windows(rng), texts.seams(rng))) / 2
        else:
            ids, marks, ngrams, _ = pack.sectors(batch, LIMIT, noise, UNTITLED, NOISY)
            ids, marks, ngrams = (x.to(device) for x in (ids, marks, ngrams))
            target = torch.from_numpy(np.stack([pack.sector_of[i] for i in batch])).to(device)
            hidden = model.hidden(ids)
            loss = F.cross_entropy(model.sectors(hidden, marks, ngrams), target)
            away = away_from_first(hidden, ids)
        (loss + a.anchor * away.sum()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(), optimizer.zero_grad()
        with torch.no_grad():
            kept = step / (step + AVERAGED)
            for mean, new in zip(average.parameters(), model.parameters()):
                mean.lerp_(new, 1 - kept)
        sums.append([loss.item() / (1 - 1 / EVERY if anchor else 1), *away.tolist()])
        if len(sums) == 50:
            mean = np.mean(sums, 0).round(4).tolist()
            print(f"step {step + 1}/{total} loss, tokens, spans, texts {mean} {(time.time() - began) / (step + 1):.3f} s/step", flush=True)
            sums = []
        if progress >= said_at + 0.5:
            said_at, stopped = progress, time.time()
            say(average, f"{progress:.2f}")
            began += time.time() - stopped
    say(average, "end")
    save_file(start | average.exported(), a.out)
    print(f"{a.out}: {step} steps, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
