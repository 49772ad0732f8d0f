"""Labelled articles: what people chose and named, beside the sentences and candidates that the program finds."""

import bisect
import re

import torch

from .heads import MAX_TITLE

HELD_OUT = 30             # every so many of our own articles is kept for measuring
MAX_PLACES = 6            # occurrences of a candidate that are read, title first
ALSO = 0.3                # how much of a chosen sentence is one that could have been chosen
UNTITLED = 0.15           # of the articles are read without their titles
squeeze = lambda s: re.sub(r"\s+", "", s)


def among(mine, named):
    """1 for the sentences that people named; ours may be cut a little differently."""
    mine, named = [squeeze(sentence) for sentence in mine], [squeeze(sentence) for sentence in named]
    return [float(any(m == c or (len(m) > 8 and (m in c or c in m)) for c in named)) for m in mine]


def best_keys(keys, scores):
    """The best eight of which none contains another."""
    out = []
    for k in sorted(range(len(keys)), key=lambda k: -scores[k]):
        if len(out) < 8 and not any(keys[k] in other or other in keys[k] for other in out):
            out.append(keys[k])
    return out


def readings_of(gold):
    """All readings of an article: the first, and what others read in it."""
    return [gold, *gold.get("again", [])]


def wanted(gold, sentences, keys):
    """How far each sentence and each key is wanted, 0 to 1: the mean over all readings of the article."""
    salient, named = torch.zeros(len(sentences)), torch.zeros(len(keys))
    readings = readings_of(gold)
    for reading in readings:
        chosen, also = (torch.tensor(among(sentences, [reading["sentences"][i] for i in reading.get(k, [])])) for k in ("sum", "also"))
        salient += (chosen + ALSO * also * (1 - chosen)) / len(readings)
        kw = {k.lower() for k in reading["kw"]}
        named += torch.tensor([float(key in kw) for key in keys]) / len(readings)
    return salient, named


class Places:
    """Character ranges of a text → ranges of its tokens, counted from `base`."""

    def __init__(self, encoding, base):
        self.starts, self.lasts = [o[0] for o in encoding.offsets], [o[1] - 1 for o in encoding.offsets]
        self.base = base

    def __call__(self, start, end):
        """The tokens that lie inside characters [start, end)."""
        a = bisect.bisect_left(self.lasts, start)
        b = bisect.bisect_left(self.starts, end)
        return self.base + a, self.base + max(b, a)


class Article:
    """One feature row as tensors; token positions count title tokens first, then body tokens."""

    def __init__(self, row, gold, tokenizer):
        title, body = (tokenizer.encode(row[k], add_special_tokens=False) for k in ("title", "text"))
        self.id = row["id"]
        self.printed = [row["printed"][a:b] for a, b in row["sentences"]]
        self.title_ids, self.body_ids = title.ids, body.ids
        t = min(len(title.ids), MAX_TITLE)
        in_title, in_body = Places(title, 0), Places(body, t)
        self.sentences = torch.tensor([in_body(a, b) for a, b in row["sentences"]])
        self.salience = torch.tensor(row["salience"])
        places, owner, keep = [], [], []
        for c in row["candidates"]:
            found = [p for p in [in_title(a, b) for a, b in c["title"]] if p[1] <= t and p[0] < p[1]]
            found += [p for p in [in_body(a, b) for a, b in c["text"][:MAX_PLACES]] if p[0] < p[1]]
            if found:
                places += found[:MAX_PLACES]
                owner += [len(keep)] * len(found[:MAX_PLACES])
                keep.append(c)
        self.keys = [c["key"] for c in keep]
        self.places, self.owner = torch.tensor(places), torch.tensor(owner)
        # Half precision: some thousand articles have millions of candidates.
        self.keyword = torch.tensor([c["features"] for c in keep], dtype=torch.float16)
        self.salient, self.named = wanted(gold, self.printed, self.keys)
