"""Stage 3: a smaller encoder, all heads on it, and the heads that read in context, trained together.

usage: python -m jianbao_training.distil WORK SHARED TEACHER_DIR [--layers N] [--epochs N] [--minutes M]

The student is the teacher (a folder that `export` wrote) without its middle layers: the first N − 1 and the
last. It first learns to give the teacher's states, then the labels; its lowest layers stay as they are. Sentences and
candidates are scored twice, as the program does, and the second reading's loss reaches the encoder too: it learns states
that can be compared. What the second reading is told beside states is what the teacher said at first.

Reads WORK/distil.feat.jsonl (`training_features articles`), context.feat.jsonl and context_untitled.feat.jsonl
(`training_features context`, of the teacher); writes WORK/distilled.safetensors. The heads that read
in context are trained again by `context` over what the exported student says. An interrupted run goes on from WORK/distil.state.pt.
"""

import argparse
import copy
import hashlib
import json
import pathlib
import random
import sys
import time
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from .context import ContextHead, loss_of, of_one_length, share_loss
from .data import OWN_LABELS, own_extracts, rows
from .finetune import (HELD_OUT, MAX_TRAIN_WINDOWS, Article, Seams, continuation_scores, encode, evaluate, exported, go_on_from,
                       read_sectors, sector_loss, sector_vectors)
from .heads import Heads, keyword_vectors, salience_vectors
from .roformer import Config, RoFormer

SEED = 17
ARTICLES_A_BATCH, SEAMS_A_BATCH = 8, 5
SECTOR_BATCHES = [(128, 12), (256, 6), (512, 3)]
FROZEN = 2                # lowest layers that stay the teacher's
ALIGNED = 0.15            # of the steps: the student is also asked for the teacher's states
PEAK, HEADS_PEAK = 3e-4, 5e-4
OTHERS = 128              # candidates that are asked beside the likely ones and the right ones
SECTOR_WINDOW = 384       # tokens that the sector head is fitted on at the end
ALIKE = 5.0               # weight of the teacher's states
LOWEST = -12.0            # as in src/analysis/context.rs


class Items(NamedTuple):
    """What the second reading is given of one article."""
    features: torch.Tensor
    vectors: torch.Tensor
    article: torch.Tensor
    own: torch.Tensor
    target: torch.Tensor


def first_reading(heads, a, states, rng, dropout):
    """Losses of sentences and candidates read one by one, and the `Items` of the second reading."""
    (tokens, width), article = states.shape, states.mean(0)
    n = int((a.sentences[:, 1] <= tokens).sum())
    vectors, target = salience_vectors(states, a.sentences[:n], article), a.is_salient[:n]
    scores = heads.salience(vectors, a.salience[:n].float(), dropout)
    salience = share_loss(scores[None], target[None], torch.ones(1, n, dtype=torch.bool))
    inside = a.context_sentences < n
    numbers = a.context_sentences[inside]
    sentences = Items(a.context_salience[inside].float(), vectors[numbers, :width], article, (scores - scores.max()).clamp(min=LOWEST)[numbers], target[numbers])

    # The likely candidates, the right ones, and some of the others, which stand for all others.
    likely = a.is_keyword > 0
    likely[a.context_keys] = True
    others = (~likely).nonzero().flatten()
    some = others[rng.sample(range(len(others)), min(OTHERS, len(others)))]
    asked = torch.cat([likely.nonzero().flatten(), some])
    place = torch.full((len(a.keys),), -1)
    place[asked] = torch.arange(len(asked))
    owner = place[a.owner]
    read = (owner >= 0) & (a.places[:, 1] <= tokens)
    present = torch.zeros(len(asked), dtype=torch.bool)
    present[owner[read]] = True
    vectors, target = keyword_vectors(states, a.places[read], owner[read], len(asked), article), a.is_keyword[asked]
    scores = heads.keyword(vectors, a.keyword[asked].float(), dropout)
    weight = torch.where(likely[asked], 1.0, len(others) / max(1, len(some))) * present
    keyword = F.binary_cross_entropy_with_logits(scores, target, weight, pos_weight=torch.tensor(3.0), reduction="sum") / 8
    keyword = keyword + share_loss(scores[None], (target * present)[None], present[None])
    inside = present[place[a.context_keys]]
    numbers = place[a.context_keys][inside]
    candidates = Items(a.context_keyword[inside].float(), vectors[numbers, :width], article, scores[numbers], target[numbers])
    return salience, keyword, sentences, candidates


def second_reading(together, readings):
    """Losses of sentences and of candidates read together."""
    usable = lambda items: [x for x in items if len(x.own) > 3 and x.target.any()]
    return [loss_of(kind, together[kind], items) if items else torch.zeros(())
            for kind, items in zip(("salience", "keyword"), (usable([r[2] for r in readings]), usable([r[3] for r in readings])))]


def save(what, path):
    """All of it or nothing: a run can be stopped at any time."""
    part = path.with_suffix(".part")
    torch.save(what, part)
    part.replace(path)


def load(work, gold, tokenizer, key):
    """Labelled articles with what both readings are given; kept in WORK/distil.pt."""
    kept = work / "distil.pt"
    if kept.exists() and (found := torch.load(kept, weights_only=False))["key"] == key:
        return found["articles"]
    told = {}
    for name, untitled in (("context.feat.jsonl", False), ("context_untitled.feat.jsonl", True)):
        for row in map(json.loads, open(work / name, encoding="utf8")):
            if row["sentences"] and row["keys"]:
                numbers, keys = torch.tensor(row["numbers"]), row["keys"]
                told[row["id"], untitled] = numbers, keys, *(torch.tensor(row[k]["features"]).view(len(x), -1)
                                                             for k, x in (("salience", numbers), ("keyword", keys)))
    articles = []
    for row in map(json.loads, open(work / "distil.feat.jsonl", encoding="utf8")):
        told_of = told.pop((row["id"], not row["title"]), None)
        if told_of is None:
            continue
        a = Article(row, gold[row["id"]], tokenizer)
        a.salience = a.salience.half()
        number = {key: k for k, key in enumerate(a.keys)}
        known = [k for k, key in enumerate(told_of[1]) if key in number]
        a.context_sentences, a.context_salience = told_of[0], told_of[2]
        a.context_keys, a.context_keyword = torch.tensor([number[told_of[1][k]] for k in known], dtype=torch.long), told_of[3][known]
        articles.append(a)
    save(dict(key=key, articles=articles), kept)
    return articles


def student_of(teacher, layers):
    """The teacher's first layers and its last."""
    student = copy.deepcopy(teacher).requires_grad_(True)
    student.config.layers = layers
    student.layer = nn.ModuleList([*student.layer[:layers - 1], student.layer[-1]])
    return student


def fit_sectors(student, teacher, heads, teacher_heads, articles, cls, sep, device):
    """Fits the linear sector head once more, alone, to what the teacher says: its labels are noisier than the teacher is."""
    texts = [(x, x.sequence(True, SECTOR_WINDOW, cls, sep)) for x in sorted(articles, key=lambda x: len(x.body_ids))]
    with torch.no_grad():
        read = lambda encoder: torch.cat([sector_vectors(encoder, [s for _, s in texts[k:k + 24]], device) for k in range(0, len(texts), 24)])
        vectors, ngrams = read(student), teacher_heads.ngram_share * torch.stack([x.titled for x, _ in texts])
        wanted = (teacher_heads.sector(read(teacher)) + ngrams).softmax(1)
    heads.ngram_share.data.copy_(teacher_heads.ngram_share)
    optimizer = torch.optim.AdamW(heads.sector.parameters(), lr=3e-3, weight_decay=1e-3)
    for _ in range(400):
        loss = F.kl_div((heads.sector(vectors) + ngrams).log_softmax(1), wanted, reduction="batchmean")
        optimizer.zero_grad(), loss.backward(), optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("teacher", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="the schedule ends by then")
    a = parser.parse_args()
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sys.path.insert(0, str(a.shared / "tools"))
    import score_extracts as scorer
    tokenizer = Tokenizer.from_file(str(a.work / "base/tokenizer.json"))
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    data = a.shared / "data"
    news = {r["id"]: r for r in rows(a.work / "news.jsonl")}
    dev = {r["id"]: r for r in rows(data / "dev_articles.jsonl.gz")}
    own = own_extracts(news, for_encoder=False)
    gold = {r["id"]: r for r in rows(data / "extracts/train.jsonl")} | own
    dev_gold = {r["id"]: r for r in rows(data / "extracts/dev.jsonl")}
    measured = set(list(own)[::HELD_OUT])
    # What is kept between runs belongs to this teacher, these labels and this size.
    key = hashlib.sha256((a.teacher / "SHA256SUMS").read_bytes() + OWN_LABELS.read_bytes()).hexdigest()
    articles = load(a.work, gold, tokenizer, key)
    train, held_out = [x for x in articles if x.id not in measured], [x for x in articles if x.id in measured]
    extract_dev = [Article(r, dev_gold[r["id"]], tokenizer) for r in map(json.loads, open(a.work / "ext_dev.feat.jsonl", encoding="utf8"))]
    labelled, sector_dev = read_sectors(a.work, data, tokenizer)
    by_id = {x.id: x for x in labelled}
    seams, dev_seams = Seams([r["text"] for r in news.values()], tokenizer), Seams([r["text"] for r in dev.values()], tokenizer)
    del news, dev

    teacher, heads = RoFormer(Config()), Heads()
    go_on_from(a.teacher, teacher, heads)
    # Heads stay on the CPU: they read states of uneven lengths.
    teacher, teacher_heads = teacher.to(device).eval().requires_grad_(False), copy.deepcopy(heads).eval().requires_grad_(False)
    student = student_of(teacher, a.layers).to(device)
    heads.salience.unfold(torch.cat([x.salience for x in train]).float())
    heads.keyword.unfold(torch.cat([x.keyword[::3] for x in train[::4]]).float())
    frozen = [student.word_embeddings, student.embedding_norm, *student.layer[:FROZEN]]
    for part in frozen:
        part.requires_grad_(False)
    upper = [p for p in student.parameters() if p.requires_grad]
    together = nn.ModuleDict(dict(salience=ContextHead(train[0].context_salience.shape[1]), keyword=ContextHead(train[0].context_keyword.shape[1])))
    with torch.no_grad():
        seen = [first_reading(heads, x, encode(teacher, [x], cls, sep, device, MAX_TRAIN_WINDOWS)[0].cpu(), rng, 0) for x in train[::len(train) // 200]]
    together["salience"].standardise([r[2] for r in seen]), together["keyword"].standardise([r[3] for r in seen])
    optimizer = torch.optim.AdamW([dict(params=upper, lr=PEAK), dict(params=heads.parameters(), lr=HEADS_PEAK),
                                   dict(params=together.parameters(), lr=2 * HEADS_PEAK)], weight_decay=0.01)
    peaks = [g["lr"] for g in optimizer.param_groups]
    batches, total, done, spent = [], int(len(train) // ARTICLES_A_BATCH * a.epochs), 0, 0.0
    parts, state_path = nn.ModuleDict(dict(student=student, heads=heads, together=together)), a.work / "distil.state.pt"
    if state_path.exists() and (state := torch.load(state_path, weights_only=False))["key"] == (key, a.layers, total):
        parts.load_state_dict(state["parts"]), optimizer.load_state_dict(state["optimizer"])
        batches, done, spent = [[train[k] for k in batch] for batch in state["batches"]], state["step"], state["spent"]
        rng.setstate(state["rng"]), torch.set_rng_state(state["torch_rng"])
    print(f"{len(train)} articles, {len(held_out)} held out, {total} steps", flush=True)

    def measure():
        print("dev", evaluate(student, heads, sector_dev, extract_dev, held_out, dev_seams, cls, sep, device, scorer), flush=True)
        student.eval(), heads.eval(), together.eval()
        with torch.no_grad():
            losses = [second_reading(together, [first_reading(heads, x, encode(student, [x], cls, sep, device)[0].cpu(), random.Random(5), 0)])
                      for x in held_out]
        print("held out, together:", [round(sum(float(x[k]) for x in losses) / len(losses), 4) for k in (0, 1)], flush=True)

    began, sums = time.time() - spent, []
    while (progress := max(done / total, (time.time() - began) / 60 / a.minutes)) < 1:
        student.train(), heads.train(), together.train()
        for part in frozen:
            part.eval()
        for group, peak in zip(optimizer.param_groups, peaks):
            group["lr"] = peak * min(1.0, (done + 1) / 60) * max(0.02, 1 - progress)
        batches = batches or of_one_length(train, lambda x: len(x.body_ids) + 200 * rng.random(), ARTICLES_A_BATCH, rng)
        picked = batches.pop()
        aligned = progress < ALIGNED
        with torch.autocast(device, torch.bfloat16):
            states = encode(student, picked, cls, sep, device, MAX_TRAIN_WINDOWS, None if aligned else rng)
            with torch.no_grad():
                wanted = encode(teacher, picked, cls, sep, device, MAX_TRAIN_WINDOWS) if aligned else states
        alike = sum(F.mse_loss(x, y) for x, y in zip(states, wanted)) / len(picked)
        readings = [first_reading(heads, x, s.cpu(), rng, 0.2) for x, s in zip(picked, states)]
        salience, keyword = (sum(r[k] for r in readings) / len(readings) for k in (0, 1))
        sector = sector_loss(student, heads, zip(picked, states), labelled, by_id, SECTOR_BATCHES, cls, sep, device, rng)
        sequences, places = seams.batch(SEAMS_A_BATCH, cls, sep, rng)
        scores = continuation_scores(student, heads, sequences, places, 0.1, device)
        with torch.no_grad():
            wanted = continuation_scores(teacher, teacher_heads, sequences, places, 0, device)
        continuation = F.binary_cross_entropy_with_logits(scores, wanted.sigmoid()) + F.cross_entropy(scores.view(-1, 5), wanted.view(-1, 5).softmax(1))
        again = second_reading(together, readings)
        (salience + 0.5 * keyword + sum(again) + sector + 0.3 * continuation + ALIKE * alike).backward()
        nn.utils.clip_grad_norm_(upper, 1.0)
        nn.utils.clip_grad_norm_([*heads.parameters(), *together.parameters()], 5.0)
        optimizer.step(), optimizer.zero_grad()
        done += 1
        sums.append([float(x.detach()) for x in (salience, keyword, *again, sector, continuation, alike)])
        if done % 25 == 0:
            mean = [round(sum(x) / len(sums), 3) for x in zip(*sums)]
            print(f"step {done}/{total} salience, keyword, both together, sector, continuation, unlike {mean} {(time.time() - began) / done:.2f} s/step", flush=True)
            sums = []
        if done % 200 == 0:
            at = {id(x): k for k, x in enumerate(train)}
            save(dict(key=(key, a.layers, total), parts=parts.state_dict(), optimizer=optimizer.state_dict(),
                      batches=[[at[id(x)] for x in b] for b in batches], step=done, spent=time.time() - began,
                      rng=rng.getstate(), torch_rng=torch.get_rng_state()), state_path)
        if done % 500 == 0:
            measure()
    student.eval()
    fit_sectors(student, teacher, heads, teacher_heads, labelled[::3], cls, sep, device)
    measure()
    save_file(exported(student, heads), a.work / "distilled.safetensors")
    state_path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
