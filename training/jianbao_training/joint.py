"""Encoder, all heads, and where the pack has what they are told the heads that read in context, trained together.

usage: python -m jianbao_training.joint PACK OUT.safetensors --start FILE [--keep 0,1,2,5] [--epochs N] [--seed N] [--teachers A B …] [--minutes M]

PACK is what `pack` wrote. The start is an encoder (`language`, or any file of `exported` tensors); `--keep` takes some of its
layers. A finished model (`models/news/model.safetensors`) goes on as it is, with its heads.
With teachers (files that this program wrote) FROM_TEACHERS of a loss is to say what they say on the average, and sectors
are learnt from all news articles, labelled or not. Writes OUT (encoder and heads, as `export` reads them), and beside it, by their suffix,
.context.safetensors (the heads that read in context) and .state.pt (what a teacher needs).
"""

import json
import pathlib
import random
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from .batches import Pack, of_one_length
from .context import ContextHead, share_loss
from .extracts import among, best_keys, squeeze
from .heads import MAX_WINDOW, SECTOR_TOKENS, Heads, first_mean
from .options import parser
from .quantise import dequantise
from .roformer import Config, RoFormer

TOKENS = 24_000            # of the labelled articles of a step
SEAMS, SECTORS = 24, 32    # of a step, where nothing else is said: left sides; articles read for their sector alone
SECTOR_LIMITS = (128, 256, MAX_WINDOW)
UNLABELLED = 32            # more of them, with teachers
HEADS_PEAK = 1e-3
WARM = 0.06
DROPOUT = 0.2
NOISY, UNTITLED = 0.15, 0.25
WORKERS = 4
HALFWAY = 60               # articles of each part that are looked at halfway
FIRST_SEED = 17            # of heads as they begin: models that differ in their seed only can be averaged
LOWEST = -12.0             # as in src/analysis/context.rs
FROM_TEACHERS = 0.6        # of a loss
SOFTER = 1.5               # temperature of what teachers say
FIRST_READING, SECOND_READING = "head.salience.first.weight", "head.context.salience.lowest"   # tensors of models that have learnt it


def to(batch, device):
    for name, value in vars(batch).items():
        if torch.is_tensor(value):
            setattr(batch, name, value.to(device, non_blocking=True))
    return batch


def spread(values, article, slot, count, most, fill=0):
    """Flat values (n, …) → (articles, most, …), `fill` where there is none."""
    out = values.new_full((count * most, *values.shape[1:]), fill)
    return out.index_copy(0, article * most + slot, values).view(count, most, *values.shape[1:])


class Means:
    """Means of ranges of rows, by one cumulative sum: of twenty thousand rows, so in double precision."""

    def __init__(self, states):
        # Along the inner axis, where the device works in parallel.
        self.total, self.dtype = F.pad(states.t().double().cumsum(1), (1, 0)).t(), states.dtype

    def __call__(self, ranges):
        start, end = ranges[:, 0], ranges[:, 1]
        sums = self.total.index_select(0, end) - self.total.index_select(0, start)
        return (sums / (end - start).clamp(min=1).unsqueeze(1)).to(self.dtype)


class Model(nn.Module):
    """Everything that is trained."""

    def __init__(self, layers, told):
        """`told`: by kind, how many features the second reading is given; nothing where there is no second reading."""
        super().__init__()
        self.encoder, self.heads = RoFormer(Config(layers=layers)), Heads()
        self.together = nn.ModuleDict({kind: ContextHead(features) for kind, features in told.items()})

    def hidden(self, ids):
        with torch.autocast(ids.device.type, torch.bfloat16):
            return self.encoder(ids)

    def states(self, ids, rows):
        return self.hidden(ids).flatten(0, 1).index_select(0, rows).float()

    def pooled(self, ids, marks):
        return first_mean(self.hidden(ids).float(), marks)

    def sector(self, vectors, ngrams):
        return self.heads.sector(F.dropout(vectors, 0.1, self.training)) + self.heads.ngram_share * ngrams

    def continuation(self, ids, places):
        hidden = self.hidden(ids).float()
        row = torch.arange(len(ids), device=ids.device)
        vectors = torch.cat([hidden[row, places[:, 0]], hidden[row, places[:, 1]]], dim=-1)
        return self.heads.continuation(vectors, vectors[:, :0], 0.1)

    def read(self, b):
        """Scores of both readings, each (articles, most), of the second by kind where there is one; and the vectors of sectors."""
        states, count, dropout = self.states(b.ids, b.rows), len(b.articles), DROPOUT
        means = Means(states)
        article = means(torch.stack([b.ends[:-1], b.ends[1:]], 1))
        sentence, of = means(b.sentence), article.index_select(0, b.sentence_article)
        salience = self.heads.salience(torch.cat([sentence, of, sentence * of], dim=-1), b.salience, dropout)
        parts = torch.cat([means(b.place), states.index_select(0, b.place[:, 0]), states.index_select(0, b.place[:, 1] - 1)], dim=-1)
        n = len(b.right)
        total = parts.new_zeros(n, parts.shape[1]).index_add_(0, b.place_owner, parts)
        occurrences = parts.new_zeros(n).index_add_(0, b.place_owner, torch.ones_like(b.place_owner, dtype=parts.dtype))
        phrase = total / occurrences.clamp(min=1).unsqueeze(1)
        keyword = self.heads.keyword(torch.cat([phrase, article.index_select(0, b.candidate_article)], dim=-1), b.keyword, dropout)
        first = {"salience": spread(salience, b.sentence_article, b.sentence_slot, count, b.most["sentence"], float("-inf")),
                 "keyword": spread(keyword, b.candidate_article, b.candidate_slot, count, b.most["candidate"], float("-inf"))}
        head = torch.minimum(b.ends[1:], b.ends[:-1] + SECTOR_TOKENS)
        texts = means(torch.stack([b.ends[:-1], head], 1))
        if not self.together:
            return first, {}, texts
        below = (first["salience"] - first["salience"].amax(1, keepdim=True)).clamp(min=LOWEST)
        flat = below.view(-1).index_select(0, b.sentence_article * b.most["sentence"] + b.sentence_slot)
        again = {"salience": self.again("salience", b.told_sentence, b.told_sentence_slot, torch.cat([b.told_salience, b.salience[b.told_sentence]], 1),
                                        sentence, flat, article, b.most["told.sentence"]),
                 "keyword": self.again("keyword", b.told_candidate, b.told_candidate_slot, torch.cat([b.told_keyword, b.keyword[b.told_candidate]], 1),
                                       phrase[:, :states.shape[1]], keyword, article, b.most["told.candidate"])}
        return first, again, texts

    def again(self, kind, items, slot, features, vectors, own, article, most):
        count = len(article)
        place = lambda x: spread(x, slot[:, 0], slot[:, 1], count, most)
        present = place(torch.ones(len(items), dtype=torch.bool, device=items.device))
        # Attention to nothing is not a number: an article without items gets an empty one.
        attended = present | (~present.any(1, keepdim=True) & (torch.arange(most, device=items.device) == 0))
        scores = self.together[kind](place(features), place(vectors.index_select(0, items)), article, place(own.index_select(0, items)), attended)
        return scores.masked_fill(~present, float("-inf"))

    def settle(self, batches):
        """Takes means and spreads of features and states."""
        self.eval()
        with torch.no_grad():
            seen = [(b, self.states(b.ids, b.rows)) for b in batches]
            cat = lambda f: torch.cat([f(b, s) for b, s in seen])
            self.heads.salience.standardise(cat(lambda b, s: b.salience))
            self.heads.keyword.standardise(cat(lambda b, s: b.keyword))
            told = {"salience": lambda b, s: torch.cat([b.told_salience, b.salience[b.told_sentence]], 1),
                    "keyword": lambda b, s: torch.cat([b.told_keyword, b.keyword[b.told_candidate]], 1)}
            for kind, head in self.together.items():
                head.take(cat(told[kind]), cat(lambda b, s: Means(s)(b.sentence if kind == "salience" else b.place[::4])))
        self.train()


def targets(b):
    """What people said, laid out as the scores of both readings are."""
    count, most = len(b.articles), b.most
    chosen = spread(b.chosen, b.sentence_article, b.sentence_slot, count, most["sentence"])
    right = spread(b.right, b.candidate_article, b.candidate_slot, count, most["candidate"])
    weight = spread(b.weight, b.candidate_article, b.candidate_slot, count, most["candidate"])
    told = lambda flat, items, slot, width: spread(flat[items], slot[:, 0], slot[:, 1], count, width)
    return dict(salience=chosen, keyword=right, weight=weight, told_salience=told(b.chosen, b.told_sentence, b.told_sentence_slot, most["told.sentence"]),
                told_keyword=told(b.right, b.told_candidate, b.told_candidate_slot, most["told.candidate"]))


def keyword_loss(scores, target, weight, pos_weight):
    present = torch.isfinite(scores)
    scores = scores.masked_fill(~present, -1e4)
    pos = torch.tensor(pos_weight, device=scores.device)
    each = F.binary_cross_entropy_with_logits(scores.clamp(min=-60), target, weight * present, pos_weight=pos, reduction="sum")
    return each / len(scores) / 8


def reading_losses(first, again, wanted):
    """salience, keyword, and both once more where they are read together."""
    share = lambda scores, target: share_loss(scores, target, torch.isfinite(scores))
    # A candidate that stands for others counts as often in the sum of the softmax.
    all_of_them = first["keyword"] + wanted["weight"].clamp(min=1).log()
    out = dict(salience=share(first["salience"], wanted["salience"]),
               keyword=0.5 * (keyword_loss(first["keyword"], wanted["keyword"], wanted["weight"], 3.0) + share(all_of_them, wanted["keyword"])))
    if again:
        ones = torch.ones_like(again["keyword"])
        out |= dict(salience_again=share(again["salience"], wanted["told_salience"]),
                    keyword_again=0.5 * share(again["keyword"], wanted["told_keyword"]) + keyword_loss(again["keyword"], wanted["told_keyword"], ones, 1.0))
    return out


def said(scores):
    """Shares of the softmax, softened; none where nothing is present."""
    return torch.nan_to_num((scores / SOFTER).softmax(1), 0.0)


def likeness(first, again, wanted_first, wanted_again, weight):
    """The same losses against what teachers said: logits, averaged."""
    def shares(scores, wanted):
        present = torch.isfinite(scores)
        logs = F.log_softmax((scores / SOFTER).masked_fill(~present, -1e4), 1)
        target = said(wanted)
        return (target * (torch.log(target.clamp(min=1e-9)) - logs)).sum(1).mean() * SOFTER ** 2
    out = dict(salience=shares(first["salience"], wanted_first["salience"]),
               keyword=0.5 * (keyword_loss(first["keyword"], torch.sigmoid(wanted_first["keyword"]), weight, 1.0) + shares(first["keyword"], wanted_first["keyword"])))
    if again:
        ones = torch.ones_like(again["keyword"])
        out |= dict(salience_again=shares(again["salience"], wanted_again["salience"]),
                    keyword_again=0.5 * shares(again["keyword"], wanted_again["keyword"]) + keyword_loss(again["keyword"], torch.sigmoid(wanted_again["keyword"]), ones, 1.0))
    return out


def mean_of(parts):
    return {kind: torch.stack([p[kind] for p in parts]).mean(0) for kind in parts[0]}


def exported(model):
    """Plain tensors, as the program and `export` read them."""
    encoder, heads = model.encoder, model.heads
    out = {k: v.detach().cpu().float().contiguous() for k, v in encoder.state_dict().items()}
    out |= {f"head.sector.{k}": v.detach().cpu() for k, v in heads.sector.state_dict().items()}
    out["head.sector.ngram_share"] = heads.ngram_share.detach().cpu().reshape(1)
    for name in ("salience", "keyword", "continuation"):
        out |= {f"head.{name}.{k}": v.cpu().float().contiguous() for k, v in getattr(heads, name).exported().items()}
    return out


class Steps(torch.utils.data.Dataset):
    """What each step reads, made by other processes while the device computes."""

    def __init__(self, jobs, make):
        self.jobs, self.make = jobs, make

    def __len__(self):
        return len(self.jobs)

    def __getitem__(self, k):
        return self.make(self.jobs[k])


@torch.no_grad()
def sector_figures(score, pack, device):
    """Accuracy, with `also`, and macro-F1 on dev, on dev without titles, and on what is held out; `score` of ids, marks and n-gram logits."""
    asked = {"sector": ("dev", pack.dev_sectors()), "untitled": ("dev", pack.dev_sectors(with_title=False)),
             "held.sector": ("held", pack.held_out_sectors(SECTOR_LIMITS[1]))}
    out = {}
    for name, (part, arrays) in asked.items():
        batches = zip(*(x.to(device).split(64) for x in arrays))
        best = torch.cat([score(*batch) for batch in batches]).argmax(1)
        out[name], out[name + "_also"], out[name + "_f1"] = (round(float(x), 4) for x in pack.sector_figures(best.cpu().numpy(), part))
    return out


@torch.no_grad()
def evaluate(model, pack, device, scorer, most=None):
    """Figures on dev and on held-out articles, from each reading that there is; `most`: of so many."""
    model.eval()
    out = sector_figures(lambda ids, marks, ngrams: model.sector(model.pooled(ids, marks), ngrams), pack, device)
    ids, places = pack.seams(128, random.Random(5))
    out["seam"] = (model.continuation(ids.to(device), places.to(device)).view(-1, 5).argmax(1) == 0).float().mean().item()
    for kind in ("dev", "held"):
        names = [name + ending for ending in ("", "_2")[:2 if model.together else 1] for name in ("rouge1", "hit", "kw", "relaxed")]
        sums, n = np.zeros(len(names)), 0
        for k in pack.kind(kind)[:most]:
            m = pack.meta[k]
            b = to(pack.batch([k], max_windows=40), device)
            first, again, _ = model.read(b)
            best = lambda scores: scores["salience"][0].cpu().argsort(descending=True)[:3]
            every = [(best(first).tolist(), first["keyword"], m["keys"])]
            if again:
                every.append((b.told_sentence.cpu()[best(again)].tolist(), again["keyword"], [m["keys"][i] for i in b.told_candidate.tolist()]))
            figures, gold = [], "".join(map(squeeze, m["chosen"]))
            for chosen, scores, phrases in every:
                mine, keys = [m["printed"][i] for i in sorted(chosen)], best_keys(phrases, scores[0].tolist())
                figures += [scorer.rouge_n("".join(map(squeeze, mine)), gold, 1), sum(among(mine, m["chosen"])) / 3]
                figures += [scorer.kw_f1(keys, m["wanted"], 8, relaxed) for relaxed in (False, True)]
            sums += figures
            n += 1
        for name, value in zip(names, sums / n):
            out[f"{kind}.{name}"] = value
    model.train()
    return {k: round(float(v), 4) for k, v in out.items()}


def finished(path):
    """Tensors of a finished model, or of a file of this program, with the heads that read in context from beside it."""
    tensors, beside = dequantise(load_file(path)), path.with_suffix(".context.safetensors")
    return tensors if SECOND_READING in tensors or not beside.exists() else tensors | load_file(beside)


def save_context(tensors, out):
    """The heads that read in context, beside the model that they belong to; of a model without them nothing may lie there."""
    beside = out.with_suffix(".context.safetensors")
    beside.unlink(missing_ok=True)
    if tensors:
        save_file(tensors, beside)


def take_sector_head(heads, tensors):
    """From a model that has one: a language model has none yet."""
    if "head.sector.weight" in tensors:
        heads.sector.load_state_dict({k: tensors["head.sector." + k].float() for k in ("weight", "bias")})
        heads.ngram_share.data.fill_(tensors["head.sector.ngram_share"].item())


def start_from(model, tensors, keep):
    model.encoder.take_layers(tensors, keep)
    take_sector_head(model.heads, tensors)


def resume_heads(model, tensors):
    """What a finished model has beside its encoder, once the spreads of features are known."""
    device = model.heads.ngram_share.device
    of = lambda name: {k[len(name):]: v.to(device) for k, v in tensors.items() if k.startswith(name)}
    for name in ("salience", "keyword", "continuation"):
        getattr(model.heads, name).resume(of(f"head.{name}."))
    for kind, head in model.together.items():
        head.resume(of(f"head.context.{kind}."))


def halfway(fitted, start):
    """What scores sentences, between what it was and what it became: it chooses better than either (keywords do not)."""
    return {k: (v + start[k].float().reshape(v.shape)) / 2 if "salience" in k else v for k, v in fitted.items()}


def main():
    options = parser(__doc__, epochs=4)
    options.add_argument("--tools", type=pathlib.Path, required=True, help="the folder with score_extracts.py")
    options.add_argument("--seed", type=int, default=17)
    options.add_argument("--teachers", type=pathlib.Path, nargs="*", default=[])
    options.add_argument("--peak", type=float, default=1.5e-4, help="learning rate of the encoder; 0: it and its sector head stay, and the other heads are fitted to them")
    options.add_argument("--heads-peak", type=float, default=HEADS_PEAK, help="of the heads; of finished ones a fifth is enough")
    options.add_argument("--tokens", type=int, default=TOKENS)
    options.add_argument("--noisy", type=float, default=NOISY, help="share of the articles that are misread")
    options.add_argument("--sectors", type=int, default=SECTORS, help="articles of a step that are read for their sector alone")
    options.add_argument("--seams", type=int, default=SEAMS, help="left sides of a step")
    options.add_argument("--limit", type=int, help="labelled articles, for trying")
    a = options.parse_args()
    sys.path.insert(0, str(a.tools))
    import score_extracts as scorer
    torch.manual_seed(FIRST_SEED)
    torch.set_float32_matmul_precision("high")
    # A batch is forty tensors: as file descriptors, a queue of them is more than a process may have.
    torch.multiprocessing.set_sharing_strategy("file_system")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.time()
    tokenizer = Tokenizer.from_file(str(a.tokenizer))
    pack = Pack(a.pack, tokenizer)
    train = pack.kind("train")[:a.limit]
    keep = [int(k) for k in a.keep.split(",")]
    told = {kind: len(pack.features["context." + kind].levels) for kind in ("salience", "keyword")}
    told = {kind: n + len(pack.features[kind].levels) for kind, n in told.items() if n > 0}
    model = Model(len(keep), told).to(device)
    torch.manual_seed(a.seed)
    start = finished(a.start)
    start_from(model, start, keep)
    teachers = []
    for path in a.teachers:
        state = torch.load(path, map_location=device, weights_only=False)
        teacher = Model(state["layers"], told).to(device)
        teacher.load_state_dict(state["model"])
        teachers.append(teacher.eval().requires_grad_(False))
    if a.peak == 0:
        for part in (model.encoder, model.heads.sector, model.heads.ngram_share):
            part.requires_grad_(False)
        model.encoder.dropout = 0.0
    rng = random.Random(a.seed)
    model.settle([to(pack.batch(rng.sample(train, 12)), device) for _ in range(min(20, len(train)))])
    is_whole = FIRST_READING in start and (SECOND_READING in start or not told) and len(keep) == len({name.split(".")[1] for name in start if name.startswith("layer.")})
    assert a.peak > 0 or (is_whole and not teachers), "only a finished model's encoder can stay as it is, and it is taught nothing"
    if is_whole:
        resume_heads(model, start)
        print("goes on from", a.start, json.dumps(evaluate(model, pack, device, scorer, a.limit)), flush=True)
    labelled = list(pack.sector_of)
    dev_free = [i for i in range(len(pack.news_body)) if len(pack.news_body[i]) > 20]

    jobs = [(rng.randrange(1 << 30), batch) for _ in range(int(np.ceil(a.epochs))) for batch in of_one_length(train, pack.length, a.tokens, rng)]

    def make(job):
        seed, batch = job
        mine, plain = np.random.default_rng(seed), random.Random(seed)
        limit = plain.choice(SECTOR_LIMITS)
        count = max(8, a.sectors * 256 // limit)
        asked = plain.sample(labelled, min(count, len(labelled)))
        others = plain.sample(dev_free, UNLABELLED * 256 // limit) if teachers else []
        ids, marks, ngrams, _ = pack.sectors(asked + others, limit, mine, UNTITLED, a.noisy)
        target = torch.from_numpy(np.stack([pack.sector_of[i] for i in asked]))
        return pack.batch(batch, mine, a.noisy), (ids, marks, ngrams, target), pack.seams(a.seams, plain, a.noisy)

    total = max(1, int(len(jobs) * a.epochs / np.ceil(a.epochs)))
    parts = [dict(params=model.encoder.parameters(), lr=a.peak), dict(params=model.heads.parameters(), lr=a.heads_peak),
             dict(params=model.together.parameters(), lr=a.heads_peak)]
    optimizer = torch.optim.AdamW(parts, weight_decay=0.02, fused=True)
    peaks, sums, step = [g["lr"] for g in optimizer.param_groups], [], 0
    print(f"{len(train)} articles, {len(labelled)} sectors, {total} steps, {len(teachers)} teachers, ready after {time.time() - began:.0f} s", flush=True)
    began, said_at = time.time(), 0
    workers = WORKERS if device.type == "cuda" else 0
    steps = torch.utils.data.DataLoader(Steps(jobs, make), batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    for b, (ids, marks, ngrams, target), (seam_ids, places) in steps:
        progress = max(step / total, (time.time() - began) / 60 / a.minutes)
        if progress >= 1:
            break
        for group, peak in zip(optimizer.param_groups, peaks):
            group["lr"] = peak * min(1.0, (progress + 1e-3) / WARM) * max(0.01, 1 - progress)
        b = to(b, device)
        ids, marks, ngrams, target, seam_ids, places = (x.to(device, non_blocking=True) for x in (ids, marks, ngrams, target, seam_ids, places))
        first, again, vectors = model.read(b)
        wanted = targets(b)
        losses = reading_losses(first, again, wanted)
        if a.peak > 0:
            labels = len(target)
            scores = model.sector(model.pooled(ids, marks), ngrams)
            together = model.sector(vectors[b.sector_rows], b.ngrams)
            losses["sector"] = F.cross_entropy(torch.cat([scores[:labels], together]), torch.cat([target, b.sector_target]))
        found = model.continuation(seam_ids, places).view(-1, 5)
        own = torch.zeros_like(found)
        own[:, 0] = 1
        losses["continuation"] = 0.3 * (F.cross_entropy(found, own) + F.binary_cross_entropy_with_logits(found, own))
        if teachers:
            with torch.no_grad():
                readings = [t.read(b) for t in teachers]
                asked = torch.stack([t.sector(t.pooled(ids, marks), ngrams).softmax(1) for t in teachers]).mean(0)
                asked_together = torch.stack([t.sector(v[b.sector_rows], b.ngrams).softmax(1) for t, (_, _, v) in zip(teachers, readings)]).mean(0)
                wanted_first, wanted_again = (mean_of([r[k] for r in readings]) for k in (0, 1))
            like = likeness(first, again, wanted_first, wanted_again, wanted["weight"])
            every = torch.cat([scores, together]).log_softmax(1)
            like["sector"] = F.kl_div(every, torch.cat([asked, asked_together]), reduction="batchmean")
            losses |= {k: (1 - FROM_TEACHERS) * losses[k] + FROM_TEACHERS * like[k] for k in like}
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(model.encoder.parameters(), 1.0)
        nn.utils.clip_grad_norm_([*model.heads.parameters(), *model.together.parameters()], 5.0)
        optimizer.step(), optimizer.zero_grad()
        step += 1
        sums.append(torch.stack([x.detach() for x in losses.values()]))
        if step % 50 == 0:
            mean = dict(zip(losses, (round(x, 3) for x in torch.stack(sums).mean(0).tolist())))
            print(f"step {step}/{total} {mean} {(time.time() - began) / step:.3f} s/step", flush=True)
            sums = []
        if progress >= said_at + 0.5 and progress < 1:
            said_at = progress
            print(json.dumps(evaluate(model, pack, device, scorer, a.limit or HALFWAY)), flush=True)
    print(json.dumps(evaluate(model, pack, device, scorer, a.limit)), flush=True)
    heads = exported(model)
    context = {f"head.context.{kind}.{k}": v.cpu().contiguous() for kind, head in model.together.items() for k, v in head.exported().items()}
    if a.peak == 0:
        heads, context = halfway(heads, start), halfway(context, start)
    torch.save(dict(layers=len(keep), model=model.state_dict()), a.out.with_suffix(".state.pt"))
    save_context(context, a.out)
    # Last: that it is there says that all of it is.
    save_file(heads, a.out)
    print(f"{a.out}: {step} steps, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
