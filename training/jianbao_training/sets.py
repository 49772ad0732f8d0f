"""Summaries of three sentences as sets: which ones an article could have, and what each is worth by its readings.

A softmax over sentences learns that each chosen sentence is chosen, whatever else is. Here a set has the likelihood that its
sentences' scores sum to, among all sets of three, and is wanted as far as it is like what readers chose: reward-augmented
maximum likelihood (Norouzi et al. 2016, <https://arxiv.org/abs/1609.00150>). A sentence that says what a chosen one says is
so worth nearly as much as that one.
"""

import itertools
from collections import Counter

import torch

from .extracts import among, squeeze

LIKELY, MOST = 12, 16     # sentences that are combined: the likeliest, and of the others those that readers chose
ROUGE = {1: 0.4, 2: 0.3}  # what a set is worth: ROUGE-1, ROUGE-2, and the share of its sentences that readers chose
HITS = 0.3
SHARPNESS = 10.0          # a set that is worth 0.1 more is wanted e times as much
TRIPLES = {n: torch.tensor(list(itertools.combinations(range(n), 3))) for n in range(3, MOST + 1)}


def grams(text, n):
    return Counter(text[i:i + n] for i in range(len(text) - n + 1))


def rouge(sentences, triples, wanted, n):
    """ROUGE-n (F1 of characters) of every triple with `wanted`; what would span two sentences counts in `wanted` alone."""
    gold = grams(wanted, n)
    column = {gram: k for k, gram in enumerate(gold)}
    counts, lengths = torch.zeros(len(sentences), len(gold)), torch.tensor([max(0.0, len(s) - n + 1) for s in sentences])
    for row, sentence in zip(counts, sentences):
        for gram, times in grams(sentence, n).items():
            if gram in column:
                row[column[gram]] = times
    gold = torch.tensor([float(times) for times in gold.values()])
    both = torch.minimum(counts[triples].sum(1), gold).sum(1)
    return 2 * both / (lengths[triples].sum(1) + gold.sum()).clamp(min=1)


class Sets:
    """The sets of one article: `pool` has the places of the sentences that are combined, `worth` what each triple of them is."""

    def __init__(self, sentences, own, target, readings):
        """`own`: first scores, `target`: how far readers want each, (sentences,); `readings`: as `labels/` has them."""
        likely = own.argsort(descending=True)[:LIKELY].tolist()
        chosen = [k for k in target.argsort(descending=True).tolist() if target[k] > 0 and k not in likely]
        self.pool = torch.tensor(sorted(likely + chosen[:MOST - len(likely)]))
        triples, printed = TRIPLES[len(self.pool)], [squeeze(sentences[k]) for k in self.pool.tolist()]
        worth = torch.zeros(len(triples))
        for reading in readings:
            chosen = [squeeze(reading["sentences"][k]) for k in sorted(reading["sum"])]
            worth += HITS * torch.tensor(among(printed, chosen))[triples].mean(1)
            worth += sum(share * rouge(printed, triples, "".join(chosen), n) for n, share in ROUGE.items())
        self.worth = worth / len(readings)

    def loss(self, scores):
        """Cross entropy of the sets by their worth with the sets by `scores`, (sentences,)."""
        likelihood = scores[self.pool][TRIPLES[len(self.pool)]].sum(1).log_softmax(0)
        return -((SHARPNESS * self.worth).softmax(0) * likelihood).sum()
