"""Feature files for training, written by the Rust program `training_features`.

usage: python -m jianbao_training.prepare WORK SHARED FEATURES_PROGRAM
"""

import json
import pathlib
import subprocess
import sys

from .data import UNTITLED_SHARE, own_labels, rows, sector_labels
from .frequency import write_table

UNTITLED_EVERY = 6        # of the articles that `distil` reads


def write(path, articles):
    with open(path, "w", encoding="utf8") as out:
        for r in articles:
            out.write(json.dumps({k: r[k] for k in ("id", "title", "text")}, ensure_ascii=False) + "\n")


def run(program, arguments, source, target):
    with open(source, "rb") as stdin, open(target, "wb") as stdout:
        subprocess.run([program, *arguments], stdin=stdin, stdout=stdout, check=True)


def main():
    work, shared, program = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    data = shared / "data"
    news = {r["id"]: r for r in rows(data / "news.jsonl.gz")}
    dev = {r["id"]: r for r in rows(data / "dev_articles.jsonl.gz")}
    write(work / "news.jsonl", news.values())
    labelled = lambda for_encoder: rows(data / "extracts/train.jsonl") + own_labels(for_encoder)
    train = [news[r["id"]] for r in labelled(for_encoder=True)]
    context = list({r["id"]: news[r["id"]] for r in labelled(for_encoder=False)}.values())
    write(work / "context.jsonl", context)
    write(work / "context_untitled.jsonl", [dict(r, title="") for r in context[::UNTITLED_SHARE]])
    write(work / "distil.jsonl", [dict(r, title="") if k % UNTITLED_EVERY == 0 else r for k, r in enumerate(context)])
    write(work / "ext_train.jsonl", train)
    write(work / "ext_train_untitled.jsonl", [dict(r, title="") for r in train])
    write(work / "ext_dev.jsonl", [dev[r["id"]] for r in rows(data / "extracts/dev.jsonl")])
    write(work / "sec_train.jsonl", [news[i] for i in sector_labels(data)])
    write(work / "sec_dev.jsonl", [dev[r["id"]] for r in rows(data / "sectors/dev.jsonl")])
    for name in ("sec_train", "sec_dev"):
        run(program, ["ngrams"], work / f"{name}.jsonl", work / f"{name}.feat.jsonl")
    run(program, ["words"], work / "news.jsonl", work / "words.jsonl")
    write_table(work / "words.jsonl", work / "idf.bin")
    for name in ("ext_train", "ext_train_untitled", "ext_dev", "distil"):
        run(program, ["articles", str(work / "idf.bin")], work / f"{name}.jsonl", work / f"{name}.feat.jsonl")


if __name__ == "__main__":
    main()
