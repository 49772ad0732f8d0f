"""Everything that the encoder learns from, in one compact file: WORK/pack.npz.

usage: python -m jianbao_training.pack WORK SHARED [--told]

Reads what `prepare` and `ngrams` wrote, and with `--told` what a finished model says of the labelled articles
(`training_features context`): without it the second reading is not learnt together with the first. Token ids of all news
articles, their n-gram logits and sector labels; of the articles with labelled extracts also sentences, candidates and the
features of both, as each reading is given them. A feature is one byte: the nearest of 256 levels of its column. Of the
candidates that are neither likely nor right, `OTHERS` stand for all. Articles for measuring keep all candidates. Half a
gigabyte of arrays that `xz` makes sixty megabytes of: a machine that is lent can be sent it.
"""

import json
import multiprocessing
import os
import pathlib
import random
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from .data import SECTOR_INDEX, own_extracts, rows, sector_labels, soft_sector
from .extracts import HELD_OUT, Article
from .heads import KEYWORD_FEATURES, MAX_TITLE, SALIENCE_FEATURES
from .ngrams import counts, weighted

OTHERS = 64
MAX_BODY = 1408                      # tokens of a labelled article: three windows
LEVELS = 256
UNTOLD = [], [], np.zeros((0, 0)), np.zeros((0, 0))
SHARED = []                          # what the processes that compact articles are given: see `main`


class Levels:
    """Columns of numbers as bytes, and the numbers that the bytes stand for."""

    def __init__(self, sample):
        sample = sample.astype(np.float32)
        table = np.zeros((sample.shape[1], LEVELS), np.float32)
        for k, column in enumerate(sample.T):
            found = np.unique(column)
            if len(found) > LEVELS:
                # Half of them where the values are, half over their range: neither a crowd nor a tail is blurred.
                crowd = np.quantile(column, np.linspace(0, 1, LEVELS // 2))
                found = np.unique(np.concatenate([crowd, np.linspace(column.min(), column.max(), LEVELS // 2)]))[:LEVELS]
            table[k, :len(found)], table[k, len(found):] = found, found[-1]
        self.table = table

    def __call__(self, values):
        out = np.empty(values.shape, np.uint8)
        for k, levels in enumerate(self.table):
            middle = (levels[1:] + levels[:-1]) / 2
            out[:, k] = np.searchsorted(middle, values[:, k])
        return out


class Columns:
    """Ragged arrays, one after another, and how long each is."""

    def __init__(self):
        self.parts, self.lengths = {}, {}

    def add(self, name, values, dtype):
        values = np.asarray(values, dtype)
        self.parts.setdefault(name, []).append(values)
        self.lengths.setdefault(name, []).append(len(values))

    def arrays(self):
        for name, parts in self.parts.items():
            yield name, np.concatenate(parts)
            yield name + ".n", np.array(self.lengths[name], np.int32)


def told_of(work, names):
    """What the second reading is told, by (id, without title): numbers and features of sentences, keys and features of phrases."""
    out = {}
    for name, untitled in names:
        for row in map(json.loads, open(work / name, encoding="utf8")):
            if row["sentences"] and row["keys"]:
                n, k = len(row["numbers"]), len(row["keys"])
                context = lambda kind, count, own: np.array(row[kind]["features"], np.float32).reshape(count, -1)[:, :-own].copy()
                out[row["id"], untitled] = (row["numbers"], row["keys"], context("salience", n, SALIENCE_FEATURES),
                                            context("keyword", k, KEYWORD_FEATURES))
    return out


def compact(line):
    """What is kept of one labelled article."""
    told_by, gold_by, whole = SHARED
    row = json.loads(line)
    told, gold = UNTOLD if told_by is None else told_by.get((row["id"], not row["title"])), gold_by.get(row["id"])
    if told is None or gold is None or not (row["sentences"] and row["candidates"]):
        return None
    numbers, keys, sentence_features, key_features = told
    a = Article(row, gold, TOKENIZER)
    number, keep_all = {key: k for k, key in enumerate(a.keys)}, row["id"] in whole
    owner, places, right = a.owner.numpy(), a.places.numpy().reshape(-1, 2), a.named.numpy()
    present = np.zeros(len(a.keys), bool)
    present[owner[keep_all | (places[:, 1] <= len(a.title_ids[:MAX_TITLE]) + MAX_BODY)]] = True
    known = [k for k, key in enumerate(keys) if key in number and present[number[key]]]
    told_keys = np.array([number[keys[k]] for k in known], int)
    likely = right > 0
    likely[told_keys] = True
    others = np.flatnonzero(~likely & present)
    some = others if keep_all else np.array(random.Random(row["id"]).sample(list(others), min(OTHERS, len(others))), int)
    asked = np.concatenate([np.flatnonzero(likely & present), np.sort(some)])
    place = np.full(len(a.keys), -1)
    place[asked] = np.arange(len(asked))
    kept = place[owner] >= 0
    ragged = {"title": (a.title_ids[:MAX_TITLE], np.uint16), "body": (a.body_ids[:None if keep_all else MAX_BODY], np.uint16),
              "sentence": (a.sentences.numpy().reshape(-1, 2), np.int16), "sentence.chosen": (a.salient.numpy(), np.float16),
              "place": (places[kept], np.int16), "place.owner": (place[owner[kept]], np.int16), "candidate.right": (right[asked], np.float16),
              "candidate.weight": (np.where(likely[asked], 1.0, len(others) / max(1, len(some))), np.float16),
              "context.sentence": (numbers, np.int16), "context.candidate": (place[told_keys], np.int16)}
    features = {"salience": a.salience.numpy().astype(np.float16), "keyword": a.keyword.numpy()[asked],
                "context.salience": sentence_features.astype(np.float16), "context.keyword": key_features[known].astype(np.float16)}
    about = dict(id=a.id, titled=bool(row["title"]))
    if keep_all:
        about |= dict(printed=a.printed, chosen=[gold["sentences"][k] for k in sorted(gold["sum"])], keys=[a.keys[k] for k in asked],
                      wanted=[k.lower() for k in gold["kw"]])
    return about, {k: np.asarray(v, t) for k, (v, t) in ragged.items()}, features


def main():
    work, shared = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    data = shared / "data"
    global TOKENIZER
    tokenizer = TOKENIZER = Tokenizer.from_file(str(work / "base/tokenizer.json"))
    news = {r["id"]: r for r in rows(work / "news.jsonl")}
    own = own_extracts(news)
    gold = {r["id"]: r for r in rows(data / "extracts/train.jsonl")} | own
    dev_gold = {r["id"]: r for r in rows(data / "extracts/dev.jsonl")}
    measured = set(list(own)[::HELD_OUT])
    out, columns = {}, Columns()

    # All news: paragraphs as tokens.
    index, logits, known = {}, [], torch.load(work / "ngram_logits.pt", weights_only=False)
    apart = {i: k for k, i in enumerate(known["ids"])}
    table = load_file(work / "ngrams.safetensors")
    idf, matrix = table["ngram.idf"].astype(np.float32), table["ngram.weight"] * table["ngram.scale"]
    ids, *both = counts(work / "news.feat.jsonl")
    found = [weighted(m, idf) @ matrix + table["ngram.bias"] for m in both]
    for k, i in enumerate(ids):
        if i in apart:
            # Logits of a table that has not seen the article.
            logits.append([known[name][apart[i]].numpy() for name in ("titled", "untitled")])
        else:
            logits.append([f[k] for f in found])
    for row in map(json.loads, open(work / "news.feat.jsonl", encoding="utf8")):
        index[row["id"]] = len(index)
        columns.add("news.title", tokenizer.encode(row["title"], add_special_tokens=False).ids, np.uint16)
        paragraphs = [e.ids for e in tokenizer.encode_batch(row["text"].split("\n"), add_special_tokens=False)]
        columns.add("news.body", [t for p in paragraphs for t in p], np.uint16)
        columns.add("news.paragraph", [len(p) for p in paragraphs if p], np.uint16)
    out["ngrams"] = np.array(logits, np.float16)
    labels = {i: r for i, r in sector_labels(data).items() if i in index}
    out["sector.article"] = np.array([index[i] for i in labels], np.int32)
    out["sector.target"] = np.array([soft_sector(r) for r in labels.values()], np.float16)
    held = {i: r[0] for i, r in sector_labels(data, held_out=True).items() if i in index}
    out["held.article"] = np.array([index[i] for i in held], np.int32)
    out["held.sector"] = np.array([SECTOR_INDEX[r["sector"]] for r in held.values()], np.int32)
    out["held.also"] = np.array([[s in r["also"] for s in SECTOR_INDEX] for r in held.values()])
    print(f"{len(index)} articles, {len(labels)} sector labels, {len(held)} held out", flush=True)

    dev_rows = [json.loads(line) for line in open(work / "sec_dev.feat.jsonl", encoding="utf8")]
    dev_labels = {r["id"]: r for r in rows(data / "sectors/dev.jsonl")}
    for row in dev_rows:
        columns.add("dev.title", tokenizer.encode(row["title"], add_special_tokens=False).ids, np.uint16)
        columns.add("dev.body", tokenizer.encode(row["text"], add_special_tokens=False).ids, np.uint16)
    out["dev.sector"] = np.array([SECTOR_INDEX[dev_labels[r["id"]]["sector"]] for r in dev_rows], np.int32)
    out["dev.also"] = np.array([[s in dev_labels[r["id"]]["also"] for s in SECTOR_INDEX] for r in dev_rows])
    out["dev.ngrams"] = np.stack([known["dev_titled"].numpy(), known["dev_untitled"].numpy()], 1).astype(np.float16)

    files = ("context.feat.jsonl", False), ("context_untitled.feat.jsonl", True), ("context_dev.feat.jsonl", False)
    told = told_of(work, files) if sys.argv[3:] == ["--told"] else None
    print("what the second reading is told:", "nothing" if told is None else "read", flush=True)
    features, meta = {name: [] for name in ("salience", "keyword", "context.salience", "context.keyword")}, []
    SHARED.extend([told, gold | dev_gold, measured | set(dev_gold)])
    torch.set_num_threads(1)
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for name in ("labelled.feat.jsonl", "ext_dev.feat.jsonl"):
            with open(work / name, encoding="utf8") as lines:
                for found in pool.imap(compact, lines, chunksize=16):
                    if found is None:
                        continue
                    about, ragged, of_features = found
                    kind = "dev" if about["id"] in dev_gold else "held" if about["id"] in measured else "train"
                    meta.append(about | dict(kind=kind, news=index.get(about["id"], -1)))
                    for part, values in ragged.items():
                        columns.add(part, values, values.dtype)
                    for part, values in of_features.items():
                        features[part].append(values)
            print(f"{name}: {len(meta)} articles", flush=True)
    for name, parts in features.items():
        levels = Levels(np.concatenate(parts[::25] + parts[-60:]).astype(np.float32))
        out[name + ".levels"] = levels.table
        # Column after column: what is alike stands together, which compresses.
        out[name + ".features"] = np.ascontiguousarray(np.concatenate([levels(p.astype(np.float32)) for p in parts]).T)
    out |= dict(columns.arrays())
    (work / "pack.json").write_text(json.dumps(meta, ensure_ascii=False))
    np.savez(work / "pack.npz", **out)
    print({k: sum(m["kind"] == k for m in meta) for k in ("train", "held", "dev")}, f"{(work / 'pack.npz').stat().st_size / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
