"""The heads that read in context: small transformers over the sentences, and over the candidates, of one article.

usage: python -m jianbao_training.context WORK SHARED MODEL_DIR [--held-out N]

Reads WORK/context.feat.jsonl, context_untitled.feat.jsonl and context_dev.feat.jsonl (`training_features context`: what the
finished encoder and its heads say of every labelled article, of some without their titles), trains both heads in some minutes
(that of sentences at last by the worth of whole summaries, `sets.py`), prints figures for held-out articles, and puts the heads
into MODEL_DIR. The encoder stays as it is. Rust twins: `src/analysis/context.rs` (features),
`src/encoder/candle/context.rs` (network), `src/model/context.rs` (layout).
"""

import argparse
import hashlib
import json
import pathlib
import random
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from .data import UNTITLED_SHARE, own_extracts, rows
from .extracts import HELD_OUT, UNTITLED, among, best_keys, readings_of, squeeze, wanted
from .sets import Sets

SEED = 17
SHAPE = dict(hidden=128, layers=2, attention_heads=4, last_hidden=64)
WIDTH = 384
SPREADS = 4               # features are kept within so many standard deviations
DROPOUT, VECTOR_DROPOUT = 0.2, 0.3
BATCH = 16
PEAK, DECAY = 1e-3, 0.05
# Two runs from one start, one shorter, and the mean of their weights: better than either.
EPOCHS = dict(salience=(7, 12), keyword=(5, 8))
# Then sentences by the sets of three that they make, one pass; the softmax over sentences still counts a little, and two fifths of
# the articles that were read without their titles too are seen so.
SETS_PEAK, SETS_SOFTMAX, SETS_UNTITLED = 3e-4, 0.3, 0.4
MADE = 20                 # items of the tests' fixture: more than a vector register holds
FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "tests/fixtures"


class Layer(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.attention, self.attention_output = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.wide, self.narrow = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, hidden)
        nn.init.xavier_uniform_(self.attention.weight)

    def forward(self, x, present, dropout):
        batch, items, hidden = x.shape
        parts = self.attention(self.attention_norm(x)).view(batch, items, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(*parts, attn_mask=present[:, None, None, :], dropout_p=dropout)
        x = x + F.dropout(self.attention_output(read.transpose(1, 2).reshape(batch, items, hidden)), dropout)
        wide = F.dropout(F.gelu(self.wide(self.norm(x))), dropout)
        return x + F.dropout(self.narrow(wide), dropout)


class ContextHead(nn.Module):
    def __init__(self, features):
        super().__init__()
        hidden, last = SHAPE["hidden"], SHAPE["last_hidden"]
        self.features, self.vector, self.article = nn.Linear(features, hidden), nn.Linear(WIDTH, hidden), nn.Linear(WIDTH, hidden)
        self.layer = nn.ModuleList(Layer(hidden, SHAPE["attention_heads"]) for _ in range(SHAPE["layers"]))
        self.norm, self.first, self.last = nn.LayerNorm(hidden), nn.Linear(hidden, last), nn.Linear(last, 1)
        self.trust = nn.Parameter(torch.ones(1))
        for name, width in (("features", features), ("states", WIDTH)):
            self.register_buffer(name + "_mean", torch.zeros(width))
            self.register_buffer(name + "_scale", torch.ones(width))
        self.register_buffer("lowest", torch.zeros(features))
        self.register_buffer("highest", torch.zeros(features))

    def standardise(self, articles):
        self.take(torch.cat([a.features for a in articles]), torch.cat([a.vectors[::4].float() for a in articles]))

    def take(self, features, states):
        """Means and spreads of all features, and of some states."""
        mean, spread = features.mean(0), features.std(0)
        # A constant feature says nothing.
        self.features_mean.copy_(mean), self.features_scale.copy_(torch.where(spread > 1e-3, 1 / spread, 0.0))
        self.lowest.copy_(mean - SPREADS * spread), self.highest.copy_(mean + SPREADS * spread)
        self.states_mean.copy_(states.mean(0)), self.states_scale.fill_(1 / states.std(0).mean())

    def resume(self, stored):
        """Takes what `exported` gave, to learn on: after `take`. A feature that is constant here stays unread."""
        state = self.state_dict() | stored
        for name, mean, scale in self.folded():
            weight = stored[name + ".weight"] * torch.where(scale > 0, 1 / scale, 0.0)
            state |= {name + ".weight": weight, name + ".bias": stored[name + ".bias"] + weight @ (mean * scale)}
        self.load_state_dict(state)

    def folded(self):
        """The first layers, each with what its input is standardised by."""
        states = self.states_mean, self.states_scale
        return ("features", self.features_mean, self.features_scale), ("vector", *states), ("article", *states)

    def forward(self, features, vectors, article, own, present):
        dropout = DROPOUT if self.training else 0.0
        features = (features.clamp(self.lowest, self.highest) - self.features_mean) * self.features_scale
        hide = lambda x: F.dropout((x - self.states_mean) * self.states_scale, VECTOR_DROPOUT, self.training)
        x = self.features(features) + self.vector(hide(vectors)) + self.article(hide(article)).unsqueeze(1)
        for layer in self.layer:
            x = layer(x, present, dropout)
        x = F.dropout(F.gelu(self.first(self.norm(x))), dropout)
        return self.last(x).squeeze(-1) + self.trust * own

    def exported(self):
        """Plain tensors: the standardisation is folded into the first layers."""
        out = {k: v.detach().clone() for k, v in self.state_dict().items() if not k.endswith(("_mean", "_scale"))}
        for name, mean, scale in self.folded():
            out[name + ".bias"] -= out[name + ".weight"] @ (mean * scale)
            out[name + ".weight"] *= scale
        return out


def numbers_of(text):
    """What `thousandths` wrote."""
    return torch.from_numpy(np.frombuffer(bytes.fromhex(text), "<i2").astype(np.float32) / 1000)


class Items:
    """The sentences or candidates of one article."""

    def __init__(self, row, kind, target):
        part = row[kind]
        self.own, self.target = torch.tensor(part["own"]), target
        self.features = torch.tensor(part["features"]).view(len(self.own), -1)
        self.vectors, self.article = numbers_of(part["vectors"]).view(-1, WIDTH).half(), numbers_of(row["article"])

    def usable(self):
        """Is there a choice to learn from?"""
        return len(self.own) > 3 and bool(self.target.any())


class Article:
    """One labelled article; an unlabelled place in it has target 0."""

    def __init__(self, row, gold):
        self.id, self.sentences, self.numbers, self.keys = row["id"], row["sentences"], row["numbers"], row["keys"]
        self.chosen = [gold["sentences"][k] for k in gold["sum"]]
        self.wanted = [key.lower() for key in gold["kw"]]
        salient, named = wanted(gold, self.sentences, self.keys)
        self.salience, self.keyword = Items(row, "salience", salient), Items(row, "keyword", named)
        self.readings = readings_of(gold)

    def sets(self):
        return Sets(self.sentences, self.salience.own, self.salience.target, self.readings)


def batch_of(items):
    """Padded tensors of some articles' items; `present` says which are real."""
    longest = max(len(x.own) for x in items)
    pad = lambda x: F.pad(x, (0, 0, 0, longest - len(x)) if x.dim() == 2 else (0, longest - len(x)))
    stack = lambda name: torch.stack([pad(getattr(x, name)) for x in items])
    present = torch.stack([torch.arange(longest) < len(x.own) for x in items])
    return (stack("features"), stack("vectors").float(), torch.stack([x.article for x in items]), stack("own"), present), stack("target")


def share_loss(scores, target, present):
    """Cross entropy of a softmax over the items with the chosen ones."""
    logs = F.log_softmax(scores.masked_fill(~present, -1e4), 1)
    return -(logs * target / target.sum(1, keepdim=True).clamp(min=1e-6)).sum(1).mean()


def loss_of(kind, head, items):
    inputs, target = batch_of(items)
    scores, present = head(*inputs), inputs[-1]
    loss = share_loss(scores, target, present)
    if kind == "keyword":
        each = F.binary_cross_entropy_with_logits(scores, target, reduction="none") * present
        loss = 0.5 * loss + each.sum() / len(items) / 8
    return loss


def of_one_length(items, length, size, rng):
    """Batches of items of about one length, in any order: little padding."""
    order = sorted(items, key=length)
    batches = [order[k:k + size] for k in range(0, len(order) - size + 1, size)]
    rng.shuffle(batches)
    return batches


def descend(head, optimizer, rate, loss):
    """One step of training."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss.backward()
    nn.utils.clip_grad_norm_(head.parameters(), 1.0)
    optimizer.step(), optimizer.zero_grad()


def averaged(kind, articles, untitled, held_out):
    """The mean of all runs of `EPOCHS`."""
    heads = [train(kind, articles, untitled, held_out, epochs) for epochs in EPOCHS[kind]]
    states = [head.state_dict() for head in heads]
    heads[0].load_state_dict({k: sum(state[k] for state in states) / len(states) for k in states[0]})
    return heads[0]


def train(kind, articles, untitled, held_out, epochs, seed=SEED):
    """`untitled` has some of the articles without their titles, by id."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    usable = lambda articles: [(a, x) for a, x in ((a, getattr(a, kind)) for a in articles) if x.usable()]
    items, unseen = [x for _, x in usable(articles)], [x for _, x in usable(held_out)]
    without = {a.id: x for a, x in usable(untitled.values())}
    ids = [a.id for a, _ in usable(articles)]
    head = ContextHead(items[0].features.shape[1])
    head.standardise(items)
    optimizer = torch.optim.AdamW(head.parameters(), lr=PEAK, weight_decay=DECAY)
    total, step = epochs * (len(items) // BATCH), 0
    for epoch in range(epochs):
        seen_as = [without.get(i, x) if rng.random() < UNTITLED * UNTITLED_SHARE else x for i, x in zip(ids, items)]
        batches = of_one_length(seen_as, lambda x: len(x.own) + 6 * rng.random(), BATCH, rng)
        seen = 0.0
        for batch in batches:
            loss = loss_of(kind, head, batch)
            descend(head, optimizer, PEAK * min(1, (step + 1) / 100) * max(0.01, 1 - step / total), loss)
            seen, step = seen + loss.item(), step + 1
        head.eval()
        with torch.no_grad():
            lost = np.mean([loss_of(kind, head, [x]).item() for x in unseen])
        head.train()
        print(f"{kind} epoch {epoch + 1}: loss {seen / len(batches):.4f}, held out {lost:.4f}", flush=True)
    return head.eval()


def by_sets(head, articles, untitled):
    """The head of salience learns on, from what each summary of three sentences is worth."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    usable = [a for a in articles if a.salience.usable()]
    seen_as = [untitled[a.id] if a.id in untitled and rng.random() < SETS_UNTITLED else a for a in usable]
    batches = of_one_length(seen_as, lambda a: len(a.salience.own) + 6 * rng.random(), BATCH, rng)
    optimizer = torch.optim.AdamW(head.parameters(), lr=SETS_PEAK, weight_decay=DECAY)
    head.train()
    seen = 0.0
    for step, batch in enumerate(batches):
        inputs, target = batch_of([a.salience for a in batch])
        scores = head(*inputs)
        sets = sum(a.sets().loss(row) for row, a in zip(scores, batch)) / len(batch)
        loss = sets + SETS_SOFTMAX * share_loss(scores, target, inputs[-1])
        # Down to half of it: what was shipped is the first of two passes, the better one on the development articles.
        descend(head, optimizer, SETS_PEAK * min(1, (step + 1) / 100) * (1 - step / len(batches) / 2), loss)
        seen += loss.item()
    print(f"salience by sets: {len(batches)} steps, loss {seen / max(1, len(batches)):.4f}", flush=True)
    return head.eval()


@torch.no_grad()
def scores_of(head, items):
    return head(*batch_of([items])[0])[0].tolist() if len(items.own) else []


def figures(articles, salience, keyword, scorer):
    """ROUGE-1, ROUGE-2, hit@3 of the best three sentences; keyword F1 exact and relaxed of the best keys. The program weighs
    variants of keys and chooses sentences as a set, so its figures differ a little."""
    sums = np.zeros(5)
    for a in articles:
        best = sorted(np.argsort(-np.array(salience(a.salience)), kind="stable")[:3], key=lambda k: a.numbers[k])
        mine, gold = "".join(squeeze(a.sentences[k]) for k in best), "".join(squeeze(s) for s in a.chosen)
        keys = best_keys(a.keys, keyword(a.keyword))
        sums += [scorer.rouge_n(mine, gold, 1), scorer.rouge_n(mine, gold, 2), np.mean(among([a.sentences[k] for k in best], a.chosen)),
                 scorer.kw_f1(keys, a.wanted, 8, False), scorer.kw_f1(keys, a.wanted, 8, True)]
    return dict(zip(("rouge1", "rouge2", "hit3", "keywords", "relaxed"), (sums / len(articles)).round(4).tolist()))


def export(salience, keyword, model):
    """Puts the heads into a model folder."""
    tensors = {k: v for k, v in load_file(model / "model.safetensors").items() if not k.startswith("head.context.")}
    for name, head in (("salience", salience), ("keyword", keyword)):
        # What touches features stays f32: some are counts, beyond what half precision tells apart.
        tensors |= {f"head.context.{name}.{k}": v.contiguous() if k.startswith(("features", "lowest", "highest")) else v.half().contiguous()
                    for k, v in head.exported().items()}
    save_file(tensors, model / "model.safetensors")
    (model / "model.safetensors").chmod(0o644)
    config = json.loads((model / "config.json").read_text())
    config["jianbao"]["context"] = SHAPE
    (model / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    sums = [f"{hashlib.sha256((model / n).read_bytes()).hexdigest()}  {n}\n" for n in ("config.json", "model.safetensors", "tokenizer.json")]
    (model / "SHA256SUMS").write_text("".join(sums))


@torch.no_grad()
def write_fixture(model):
    """What the stored heads say of made items, for the Rust tests: some features lie beyond their bounds."""
    tensors, fixture, rng = load_file(model / "model.safetensors"), {}, torch.Generator().manual_seed(SEED)
    for name in ("salience", "keyword"):
        prefix = f"head.context.{name}."
        stored = {k[len(prefix):]: v.float() for k, v in tensors.items() if k.startswith(prefix)}
        head = ContextHead(len(stored["lowest"])).eval()
        head.load_state_dict(stored, strict=False)
        middle, reach = (head.lowest + head.highest) / 2, (head.highest - head.lowest) / 2
        features = (middle + 0.5 * reach * torch.randn(MADE, len(middle), generator=rng)).round(decimals=3)
        vectors, own = torch.randn(MADE + 1, WIDTH, generator=rng).round(decimals=1), -0.5 * torch.arange(MADE)
        scores = head(features[None], vectors[None, :MADE], vectors[MADE:], own[None], torch.ones(1, MADE, dtype=torch.bool))[0]
        tidy = lambda x, digits: [round(v, digits) for v in x.flatten().tolist()]
        fixture[name] = dict(features=tidy(features, 3), vectors=tidy(vectors[:MADE], 1), article=tidy(vectors[MADE], 1),
                             own=tidy(own, 1), scores=tidy(scores, 4))
    (FIXTURES / "context.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


def load(path, gold):
    with open(path, encoding="utf8") as lines:
        return [Article(row, gold[row["id"]]) for row in map(json.loads, lines) if row["id"] in gold and row["sentences"] and row["keys"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help="every so many of our own articles is for measuring")
    a = parser.parse_args()
    sys.path.insert(0, str(a.shared / "tools"))
    import score_extracts as scorer
    own = own_extracts({r["id"]: r for r in rows(a.work / "news.jsonl")})
    gold = {r["id"]: r for r in rows(a.shared / "data/extracts/train.jsonl")} | own
    articles = load(a.work / "context.feat.jsonl", gold)
    untitled = {x.id: x for x in load(a.work / "context_untitled.feat.jsonl", gold)}
    dev = load(a.work / "context_dev.feat.jsonl", {r["id"]: r for r in rows(a.shared / "data/extracts/dev.jsonl")})
    measured = set(list(own)[::a.held_out])
    held_out, train_on = [x for x in articles if x.id in measured], [x for x in articles if x.id not in measured]
    print(f"{len(train_on)} articles, {len(held_out)} held out")
    alone = lambda items: items.own.tolist()
    for name, part in (("held out", held_out), ("dev", dev)):
        print(name, "alone", figures(part, alone, alone, scorer), flush=True)
    salience, keyword = (averaged(kind, train_on, untitled, held_out) for kind in ("salience", "keyword"))
    salience = by_sets(salience, train_on, untitled)
    for name, part in (("held out", held_out), ("dev", dev)):
        print(name, "in context", figures(part, lambda x: scores_of(salience, x), lambda x: scores_of(keyword, x), scorer))
    export(salience, keyword, a.model)
    write_fixture(a.model)


if __name__ == "__main__":
    main()
