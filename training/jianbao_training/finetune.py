"""Stage 2: sector, salience, keyword and continuation heads together on one encoder.

usage: python -m jianbao_training.finetune WORK SHARED [--epochs N] [--start MODEL_DIR]   (resumes from WORK/finetune.pt)

Reads WORK/pretrained.safetensors (or goes on from a finished model), the feature files that `training_features` wrote and the n-gram logits; writes
WORK/finetuned.safetensors (encoder and heads, heads ready for the Rust side) and prints dev figures.

All articles are laid out as the program lays them out (`windows` in heads.py): an encoder trained on another layout
for one task keeps the tasks apart by their layout, and a head then reads nonsense from the other one.
"""

import argparse
import bisect
import json
import pathlib
import random
import re
import sys
import time

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch.nn import functional as F

from .data import SECTORS, UNTITLED_SHARE, fold, own_extracts, rows, sector_labels, soft_sector
from .heads import MAX_TITLE, MAX_WINDOW, SECTOR_TOKENS, Heads, keyword_vectors, salience_vectors, seam, windows
from .pretrain import pad
from .quantise import dequantise
from .roformer import Config, RoFormer

ARTICLES_A_BATCH, SEAMS_A_BATCH = 6, 8
# Tokens and number of the sector articles in a batch: short and long readings of about the same cost.
SECTOR_BATCHES = [(128, 18), (256, 10), (MAX_WINDOW, 5)]
EVALUATE_EVERY = 600
HELD_OUT = 30             # every so many of our own articles is kept for measuring
MAX_PLACES = 6            # occurrences of a candidate that are read, title first
MAX_TRAIN_WINDOWS = 3
SHORT_WINDOW = 256
ALSO = 0.3                # how much of a chosen sentence is one that could have been chosen
UNTITLED, NOISY, NOISE = 0.15, 0.15, 0.03
OWN_SHARE = 0.15          # of a sector label that the out-of-fold n-gram model decides: the labels are noisy
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
        self.id, self.gold = row["id"], gold
        self.printed = [row["printed"][a:b] for a, b in row["sentences"]]
        self.title_ids, self.body_ids = title.ids, body.ids
        t = min(len(title.ids), 64)
        self.title_length = t
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
        if gold:
            wanted = {k.lower() for k in gold["kw"]}
            self.is_keyword = torch.tensor([float(key in wanted) for key in self.keys])
            chosen, also = (torch.tensor(self.among(gold, k)) for k in ("sum", "also"))
            self.is_salient = chosen + ALSO * also * (1 - chosen)

    def among(self, gold, kind):
        return among(self.printed, [gold["sentences"][i] for i in gold.get(kind, [])])


class SectorArticle:
    """One row of `training_features ngrams`: token ids, n-gram logits with title and without, label."""

    def __init__(self, row, tokenizer, titled, untitled, target):
        ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
        self.id, self.title_ids, self.body_ids = row["id"], ids(row["title"])[:MAX_TITLE], ids(row["text"])[:MAX_WINDOW]
        self.titled, self.untitled, self.target = titled, untitled, target

    def sequence(self, with_title, limit, cls, sep):
        """Ids, and where title and body stand in them."""
        title = self.title_ids if with_title else []
        head = [cls] + (title + [sep] if title else [])
        body = self.body_ids[:limit - len(head) - 1]
        return head + body + [sep], [0] + ([1] * len(title) + [0] if title else []) + [1] * len(body) + [0]


def read_sectors(work, data, tokenizer):
    """Training articles, and (development article, its label), with n-gram logits that did not see them."""
    ngrams = torch.load(work / "ngram_logits.pt", weights_only=False)
    labels = sector_labels(data) | {r["id"]: r for r in rows(data / "sectors/dev.jsonl")}

    def articles(name, prefix):
        out = []
        for k, row in enumerate(map(json.loads, open(work / name, encoding="utf8"))):
            assert ngrams[prefix + "ids"][k] == row["id"]
            titled, untitled = ngrams[prefix + "titled"][k], ngrams[prefix + "untitled"][k]
            target = (1 - OWN_SHARE) * torch.tensor(soft_sector(labels[row["id"]])) + OWN_SHARE * titled.softmax(0)
            out.append(SectorArticle(row, tokenizer, titled, untitled, target))
        return out

    return articles("sec_train.feat.jsonl", ""), [(x, labels[x.id]) for x in articles("sec_dev.feat.jsonl", "dev_")]


def noisy(ids, rng):
    """Some tokens replaced by any others, as bad scans do."""
    return [rng.randrange(700, 11000) if i > 103 and rng.random() < NOISE else i for i in ids]


def sector_vectors(encoder, sequences, device):
    """One vector a (ids, content marks): the mean of the first SECTOR_TOKENS content tokens."""
    with torch.autocast(device, torch.bfloat16):
        hidden = encoder(pad([ids for ids, _ in sequences]).to(device)).float()
    keep = pad([marks for _, marks in sequences])
    keep = (keep * (keep.cumsum(1) <= SECTOR_TOKENS)).unsqueeze(-1).float().to(device)
    return ((hidden * keep).sum(1) / keep.sum(1)).cpu()


def sector_loss(encoder, heads, read, labelled, by_id, batches, cls, sep, device, rng):
    """Of some labelled articles, read short or long; and of those that were `read` for their extracts, [(article, states)],
    where they have a label."""
    both = [(s[:SECTOR_TOKENS].mean(0), by_id[x.id], x.title_length > 0) for x, s in read if x.id in by_id]
    limit, count = rng.choice(batches)
    sample = [(x, rng.random() >= UNTITLED) for x in rng.sample(labelled, count)]
    sequences = [x.sequence(titled, limit, cls, sep) for x, titled in sample]
    sequences = [(noisy(ids, rng), marks) if rng.random() < NOISY else (ids, marks) for ids, marks in sequences]
    vectors = torch.cat([sector_vectors(encoder, sequences, device), *(v.cpu().unsqueeze(0) for v, _, _ in both)])
    asked = sample + [(x, titled) for _, x, titled in both]
    ngrams = torch.stack([x.titled if titled else x.untitled for x, titled in asked])
    scores = heads.sector(F.dropout(vectors, 0.1)) + heads.ngram_share * ngrams
    return F.cross_entropy(scores, torch.stack([x.target for x, _ in asked]))


class Seams:
    """Paragraphs cut in mid-sentence: does this fragment continue that one?"""

    def __init__(self, texts, tokenizer):
        self.tokenizer = tokenizer
        self.paragraphs = [[p for p in t.split("\n") if len(p) > 60] for t in texts]
        self.paragraphs = [p for p in self.paragraphs if len(p) >= 2]

    def cut(self, paragraph, rng):
        """Texts before and after a place inside a sentence."""
        for _ in range(20):
            at = rng.randrange(12, len(paragraph) - 12)
            if paragraph[at - 1] not in "。！？；”…\n" and paragraph[at] not in "。！？；，、”）》":
                return paragraph[max(0, at - 40):at], paragraph[at:at + 40]
        return None

    def batch(self, n, cls, sep, rng):
        """n left sides, each against its own right side and three others, two from the same article when there are;
        and once against the beginning of a paragraph."""
        sequences, places = [], []
        ids = lambda text: self.tokenizer.encode(fold(text), add_special_tokens=False).ids
        while len(sequences) < 5 * n:
            article, other = rng.choice(self.paragraphs), rng.choice(self.paragraphs)
            own = [self.cut(p, rng) for p in rng.sample(article, min(3, len(article)))]
            foreign = [self.cut(rng.choice(other), rng) for _ in range(2)]
            if None in own or None in foreign:
                continue
            left = own[0][0]
            rights = [r for _, r in own + foreign][:4] + [rng.choice(article + other)[:40]]
            for right in rights:
                s, place = seam(noisy(ids(left), rng) if rng.random() < NOISY else ids(left), ids(right), cls, sep)
                sequences.append(s), places.append(place)
        return sequences, torch.tensor(places)


def continuation_scores(encoder, heads, sequences, places, dropout, device):
    with torch.autocast(device, torch.bfloat16):
        hidden = encoder(pad(sequences).to(device)).float().cpu()
    row = torch.arange(len(sequences))
    vectors = torch.cat([hidden[row, places[:, 0]], hidden[row, places[:, 1]]], dim=-1)
    return heads.continuation(vectors, vectors[:, :0], dropout)


def encode(encoder, articles, cls, sep, device, max_windows=None, rng=None):
    """Hidden states of each article: title tokens, then body tokens (each from the window that owns it)."""
    jobs = []
    for n, a in enumerate(articles):
        noise = rng is not None and rng.random() < NOISY
        for w in windows(a.title_ids, a.body_ids, cls, sep)[:max_windows]:
            jobs.append((n, (noisy(w[0], rng), *w[1:]) if noise else w))
    hidden = [None] * len(jobs)
    # Full windows and short tails apart: a tail padded to a full window costs as much as one.
    for part in ([k for k, (_, w) in enumerate(jobs) if (len(w[0]) > SHORT_WINDOW) == long] for long in (False, True)):
        if part:
            for k, states in zip(part, encoder(pad([jobs[k][1][0] for k in part]).to(device)).float()):
                hidden[k] = states
    out = []
    for n, a in enumerate(articles):
        parts = []
        for k, (m, (ids, head, start, own_from, own_to)) in enumerate(jobs):
            if m != n:
                continue
            if start == 0:
                parts.append(hidden[k][1:1 + a.title_length])
            parts.append(hidden[k][head + own_from - start:head + own_to - start])
        out.append(torch.cat(parts))
    return out


def article_losses(heads, a, states, dropout):
    tokens = states.shape[0]
    article = states.mean(0)
    sentences = a.sentences[a.sentences[:, 1] <= tokens]
    n = len(sentences)
    scores = heads.salience(salience_vectors(states, sentences, article), a.salience[:n], dropout)
    target = a.is_salient[:n]
    salience = -(F.log_softmax(scores, 0) * target / target.sum()).sum() if target.sum() else scores.sum() * 0
    inside = a.places[:, 1] <= tokens
    places, owner = a.places[inside], a.owner[inside]
    present = torch.zeros(len(a.keys), dtype=torch.bool)
    present[owner] = True
    vectors = keyword_vectors(states, places, owner, len(a.keys), article)
    scores = heads.keyword(vectors, a.keyword.float(), dropout)[present]
    target = a.is_keyword[present]
    keyword = F.binary_cross_entropy_with_logits(scores, target, pos_weight=torch.tensor(3.0), reduction="sum") / 8
    if target.sum():
        keyword = keyword - (F.log_softmax(scores, 0) * target / target.sum()).sum()
    return salience, keyword


def go_on_from(model, encoder, heads):
    """Loads a finished model; its heads have the standardisation of features folded into their first layers."""
    tensors = dequantise(load_file(model / "model.safetensors"))
    encoder.load_state_dict({k: tensors[k] for k in encoder.state_dict()})
    for name in ("sector", "salience", "keyword", "continuation"):
        part = getattr(heads, name)
        part.load_state_dict({k: tensors.get(f"head.{name}.{k}", v) for k, v in part.state_dict().items()})
    heads.ngram_share.data.copy_(tensors["head.sector.ngram_share"][0])


def exported(encoder, heads):
    """Plain tensors, as the program and `export` read them."""
    out = {k: v.detach().cpu().float().contiguous() for k, v in encoder.state_dict().items()}
    out |= {f"head.sector.{k}": v.detach().cpu() for k, v in heads.sector.state_dict().items()}
    out["head.sector.ngram_share"] = heads.ngram_share.detach().cpu().reshape(1)
    for name in ("salience", "keyword", "continuation"):
        out |= {f"head.{name}.{k}": v.float().contiguous() for k, v in getattr(heads, name).exported().items()}
    return out


@torch.no_grad()
def evaluate(encoder, heads, sector_dev, extract_dev, own_dev, seams, cls, sep, device, scorer):
    encoder.eval(), heads.eval()
    right = also = 0
    for i in range(0, len(sector_dev), 16):
        part = sector_dev[i:i + 16]
        vectors = sector_vectors(encoder, [x.sequence(True, MAX_WINDOW, cls, sep) for x, _ in part], device)
        scores = heads.sector(vectors) + heads.ngram_share * torch.stack([x.titled for x, _ in part])
        for (_, label), k in zip(part, scores.argmax(1).tolist()):
            right += SECTORS[k] == label["sector"]
            also += SECTORS[k] == label["sector"] or SECTORS[k] in label["also"]
    figures = dict(sector=right / len(sector_dev), also=also / len(sector_dev))
    sequences, places = seams.batch(64, cls, sep, random.Random(5))
    found = continuation_scores(encoder, heads, sequences, places, 0, device).view(-1, 5)
    figures["seam"] = (found.argmax(1) == 0).float().mean().item()
    figures |= extract_figures(encoder, heads, extract_dev, cls, sep, device, scorer)
    figures |= {"own_" + k: v for k, v in extract_figures(encoder, heads, own_dev, cls, sep, device, scorer).items()}
    encoder.train(), heads.train()
    return {k: round(v, 4) for k, v in figures.items()}


def extract_figures(encoder, heads, articles, cls, sep, device, scorer):
    sums = dict(rouge1=0, rouge2=0, hit=0, kw=0, kw_relaxed=0)
    for a in articles:
        states = encode(encoder, [a], cls, sep, device)[0].cpu()
        article = states.mean(0)
        scores = heads.salience(salience_vectors(states, a.sentences, article), a.salience.float())
        chosen = sorted(scores.argsort(descending=True)[:3].tolist())
        mine = [squeeze(a.printed[k]) for k in chosen]
        gold = [squeeze(a.gold["sentences"][k]) for k in sorted(a.gold["sum"])]
        sums["rouge1"] += scorer.rouge_n("".join(mine), "".join(gold), 1)
        sums["rouge2"] += scorer.rouge_n("".join(mine), "".join(gold), 2)
        sums["hit"] += sum(any(s == u or (len(s) > 8 and (s in u or u in s)) for u in gold) for s in mine) / 3
        scores = heads.keyword(keyword_vectors(states, a.places, a.owner, len(a.keys), article), a.keyword.float())
        keys = best_keys(a.keys, scores.tolist())
        wanted = [k.lower() for k in a.gold["kw"]]
        sums["kw"] += scorer.kw_f1(keys, wanted, 8, False)
        sums["kw_relaxed"] += scorer.kw_f1(keys, wanted, 8, True)
    return {k: v / len(articles) for k, v in sums.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--start", type=pathlib.Path, help="a folder that export wrote, instead of stage 1's weights")
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sys.path.insert(0, str(a.shared / "tools"))
    import score_extracts as scorer
    tokenizer = Tokenizer.from_file(str(a.work / "base/tokenizer.json"))
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    data = a.shared / "data"
    news = {r["id"]: r for r in rows(data / "news.jsonl.gz")}
    dev = {r["id"]: r for r in rows(data / "dev_articles.jsonl.gz")}
    labelled, sector_dev = read_sectors(a.work, data, tokenizer)
    by_id = {x.id: x for x in labelled}
    seams, dev_seams = Seams([r["text"] for r in news.values()], tokenizer), Seams([r["text"] for r in dev.values()], tokenizer)
    load = lambda name, gold, every=1: [Article(r, gold[r["id"]], tokenizer) for n, r in
                                        enumerate(map(json.loads, open(a.work / name, encoding="utf8"))) if n % every == 0]
    own = own_extracts(news)
    gold = {r["id"]: r for r in rows(data / "extracts/train.jsonl")} | own
    train = load("ext_train.feat.jsonl", gold)
    held_out = set(list(own)[::HELD_OUT])
    own_dev, train = [x for x in train if x.id in held_out], [x for x in train if x.id not in held_out]
    untitled = {x.id: x for x in load("ext_train_untitled.feat.jsonl", gold, UNTITLED_SHARE)}
    extract_dev = load("ext_dev.feat.jsonl", {r["id"]: r for r in rows(data / "extracts/dev.jsonl")})
    # Heads stay on the CPU: they read states of uneven lengths.
    encoder, heads = RoFormer(Config()).to(device), Heads()
    if a.start:
        go_on_from(a.start, encoder, heads)
    else:
        stage1 = load_file(a.work / "pretrained.safetensors")
        encoder.load_state_dict({k: v for k, v in stage1.items() if not k.startswith("sector.")})
        heads.sector.load_state_dict({k[7:]: v for k, v in stage1.items() if k.startswith("sector.")})
        heads.salience.standardise(torch.cat([x.salience for x in train + list(untitled.values())]))
        heads.keyword.standardise(torch.cat([x.keyword for x in train[::4]]).float())
    parameters = [dict(params=encoder.parameters(), lr=6e-5), dict(params=heads.parameters(), lr=8e-4)]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.01, fused=True)
    batches = len(train) // ARTICLES_A_BATCH
    total, done = int(batches * a.epochs), 0
    state_path = a.work / "finetune.pt"
    peaks = [g["lr"] for g in optimizer.param_groups]
    if state_path.exists():
        state = torch.load(state_path, weights_only=False)
        encoder.load_state_dict(state["encoder"]), heads.load_state_dict(state["heads"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["step"]
        rng.setstate(state["rng"]), torch.set_rng_state(state["torch_rng"])
    began, seen = time.time(), []
    while done < total:
        order = list(range(len(train)))
        random.Random(a.seed + done // batches).shuffle(order)
        warm = min(1.0, (done + 1) / 60)
        for group, peak in zip(optimizer.param_groups, peaks):
            group["lr"] = peak * warm * max(0.02, 1 - done / total)
        at = done % batches * ARTICLES_A_BATCH
        picked = [untitled.get(train[i].id, train[i]) if rng.random() < UNTITLED * UNTITLED_SHARE else train[i] for i in order[at:at + ARTICLES_A_BATCH]]
        with torch.autocast(device, torch.bfloat16):
            states = encode(encoder, picked, cls, sep, device, MAX_TRAIN_WINDOWS, rng)
        losses = [article_losses(heads, x, s.cpu(), 0.2) for x, s in zip(picked, states)]
        salience = sum(x for x, _ in losses) / len(losses)
        keyword = sum(x for _, x in losses) / len(losses)
        sector = sector_loss(encoder, heads, zip(picked, states), labelled, by_id, SECTOR_BATCHES, cls, sep, device, rng)
        sequences, places = seams.batch(SEAMS_A_BATCH, cls, sep, rng)
        scores = continuation_scores(encoder, heads, sequences, places, 0.1, device).view(-1, 5)
        own = torch.zeros_like(scores)
        own[:, 0] = 1
        continuation = F.cross_entropy(scores, own) + F.binary_cross_entropy_with_logits(scores, own)
        (salience + 0.5 * keyword + sector + 0.3 * continuation).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        torch.nn.utils.clip_grad_norm_(heads.parameters(), 5.0)
        optimizer.step(), optimizer.zero_grad()
        done += 1
        seen.append((sector.item(), salience.item(), keyword.item(), continuation.item()))
        if done % 25 == 0:
            mean = [round(sum(x) / len(seen), 3) for x in zip(*seen)]
            print(f"step {done}/{total} sector, salience, keyword, continuation {mean} {(time.time() - began) / len(seen):.2f} s/step", flush=True)
            began, seen = time.time(), []
        if done % 300 == 0 or done == total:
            torch.save(dict(encoder=encoder.state_dict(), heads=heads.state_dict(), optimizer=optimizer.state_dict(),
                            step=done, rng=rng.getstate(), torch_rng=torch.get_rng_state()), state_path)
        if done % EVALUATE_EVERY == 0 or done == total:
            print("dev", evaluate(encoder, heads, sector_dev, extract_dev, own_dev, dev_seams, cls, sep, device, scorer), flush=True)
            began = time.time()
    save_file(exported(encoder, heads), a.work / "finetuned.safetensors")


if __name__ == "__main__":
    main()
