"""Feature files for training, written by the Rust program `training_features`.

usage: python -m jianbao_training.prepare WORK SHARED FEATURES_PROGRAM
"""

import json
import pathlib
import subprocess
import sys

from .data import UNTITLED_SHARE, own_labels, rows
from .frequency import write_table

UNTITLED_EVERY = 6        # of the articles that the encoder learns from


def write(path, articles):
    with open(path, "w", encoding="utf8") as out:
        for r in articles:
            out.write(json.dumps({k: r[k] for k in ("id", "title", "text")}, ensure_ascii=False) + "\n")


def write_page(folder, n, lines, gold):
    """The n-th page of a folder, with what is right about it."""
    stem = folder / f"page-{n:04}"
    stem.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf8")
    stem.with_suffix(".gold.json").write_text(json.dumps(gold), encoding="utf8")


def run(program, arguments, source, target):
    with open(source, "rb") as stdin, open(target, "wb") as stdout:
        subprocess.run([program, *arguments], stdin=stdin, stdout=stdout, check=True)


def main():
    work, shared, program = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    data = shared / "data"
    news = {r["id"]: r for r in rows(data / "news.jsonl.gz")}
    dev = {r["id"]: r for r in rows(data / "dev_articles.jsonl.gz")}
    write(work / "news.jsonl", news.values())
    labelled = list({r["id"]: news[r["id"]] for r in rows(data / "extracts/train.jsonl") + own_labels()}.values())
    write(work / "context.jsonl", labelled)
    write(work / "context_untitled.jsonl", [dict(r, title="") for r in labelled[::UNTITLED_SHARE]])
    write(work / "labelled.jsonl", [dict(r, title="") if k % UNTITLED_EVERY == 0 else r for k, r in enumerate(labelled)])
    write(work / "ext_dev.jsonl", [dev[r["id"]] for r in rows(data / "extracts/dev.jsonl")])
    write(work / "sec_dev.jsonl", [dev[r["id"]] for r in rows(data / "sectors/dev.jsonl")])
    for name in ("news", "sec_dev"):
        run(program, ["ngrams"], work / f"{name}.jsonl", work / f"{name}.feat.jsonl")
    run(program, ["words"], work / "news.jsonl", work / "words.jsonl")
    write_table(work / "words.jsonl", work / "idf.bin")
    for name in ("ext_dev", "labelled"):
        run(program, ["articles", str(work / "idf.bin")], work / f"{name}.jsonl", work / f"{name}.feat.jsonl")


if __name__ == "__main__":
    main()
