"""The headline trees: which short lines of a page open an article.

Pages come from `make_pages.py` on the training news (all damage levels) and from `single_pages` below: one to
three articles with their headings, blank lines or none, so that an article by itself is not cut at its headings.

usage: python -m jianbao_training.headline WORK SHARED FEATURES_PROGRAM OUT.trees
"""

import json
import pathlib
import random
import re
import subprocess
import sys

import numpy as np

from .data import for_repair, from_newspaper, rows
from .prepare import write
from .trees import SEED, export, fit, held_out_figures

PAGES = 1600


def single_pages(articles, out, pages, rng):
    """Pages of few articles in the habits of files people have: with or without blank lines, credits, titles."""
    out.mkdir(parents=True, exist_ok=True)
    for n in range(pages):
        lines, gold = [], []
        blank = rng.random() < 0.5
        credited = rng.random() < 0.4
        for r in rng.sample(articles, rng.choice([1, 1, 1, 2, 3, 5])):
            title_lines = []
            if rng.random() < 0.9:
                decks = r["title"].split() if rng.random() < 0.5 else [r["title"]]
                for deck in decks:
                    title_lines.append(len(lines))
                    lines.append(deck)
                if blank or rng.random() < 0.3:
                    lines.append("")
            gold.append(dict(title_lines=title_lines))
            if credited and rng.random() < 0.8:
                lines.append(rng.choice(["本报记者 ", "记者 ", "通讯员 "]) + rng.choice("王李张刘陈杨黄赵") + rng.choice("伟芳敏静强磊"))
            for p in r["text"].split("\n"):
                if p.strip():
                    lines.append(p if rng.random() < 0.5 else "\u3000\u3000" + p.strip())
                    if blank:
                        lines.append("")
        stem = out / f"page-{n:04}"
        stem.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf8")
        stem.with_suffix(".gold.json").write_text(json.dumps(dict(articles=gold)), encoding="utf8")


def with_deck(title, below, rng):
    """The title with a second deck in the same line, as long as a line gets: a clause of the text below it."""
    body = next((line for line in below if len(line) > 60), "")
    clauses = [c for c in re.split("[，。；：]", body) if 7 <= len(c) <= 24]
    return f"{title} {rng.choice(clauses)}" if clauses else title


def restyled_pages(source, out, rng):
    """Pages of `source` with other habits of blank lines: none, before headlines only, several, or here and there; some
    headlines with two decks in a line."""
    out.mkdir(parents=True, exist_ok=True)
    for page in sorted(source.glob("page-*.txt")):
        gold = json.loads(page.with_suffix(".gold.json").read_text(encoding="utf8"))
        title_of = {n: k for k, a in enumerate(gold["articles"]) for n in a["title_lines"]}
        style, apart = rng.choice(["none", "headlines", "several", "some"]), rng.randrange(1, 4)
        lines, titles, before = [], {}, None
        printed = page.read_text(encoding="utf8").split("\n")
        for n, line in enumerate(printed):
            if not line.strip():
                continue
            opens = n in title_of and title_of.get(before) != title_of[n]
            blanks = {"none": 0, "headlines": apart * opens, "several": apart if opens else 1,
                      "some": int(rng.random() < 0.3)}[style]
            lines += [""] * blanks
            if n in title_of and rng.random() < 0.15:
                line = with_deck(line, printed[n + 1:], rng)
            if n in title_of:
                titles.setdefault(title_of[n], []).append(len(lines))
            lines.append(line)
            before = n
        (out / page.name).write_text("\n".join(lines) + "\n", encoding="utf8")
        gold = dict(articles=[dict(title_lines=t) for t in titles.values()])
        (out / page.name).with_suffix(".gold.json").write_text(json.dumps(gold), encoding="utf8")


def features(program, folder):
    text = subprocess.run([program, "pages", str(folder)], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in text.splitlines()]
    return np.array([r["features"] for r in rows], dtype=np.float32), np.array([r["label"] for r in rows], dtype=bool)


def examples(program, shared, folder, articles, pages, rng):
    """(features, labels) of the short lines of pages made from `articles`: of every damage, as made and restyled, and
    single ones."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "articles.jsonl"
    write(own, articles)
    parts = []
    for seed, damage in enumerate(("none", "light", "heavy")):
        made, restyled = folder / damage, folder / f"{damage}-restyled"
        subprocess.run([sys.executable, shared / "tools/make_pages.py", own, made, "--pages", str(pages),
                        "--seed", str(9000 + seed), "--damage", damage], check=True)
        restyled_pages(made, restyled, rng)
        parts += [features(program, made), features(program, restyled)]
    usable = [a for a in articles if 4 <= len(a["title"]) <= 60 and "快讯" not in a["title"]]
    single_pages(usable, folder / "single", 2 * pages, rng)
    parts.append(features(program, folder / "single"))
    return [np.concatenate(column) for column in zip(*parts)]


def main():
    work, shared, program, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    rng = random.Random(SEED)
    articles = rows(work / "news.jsonl")
    train = [a for a in articles if not for_repair(a)]
    # Most pages are of newspaper articles; broadcast news, of which there is more, has shorter articles and headlines.
    parts = [examples(program, shared, work / "headlines" / name, chosen, pages, rng)
             for name, chosen, pages in (("newspaper", [a for a in train if from_newspaper(a)], PAGES), ("all", train, PAGES // 4))]
    x, y = (np.concatenate(column) for column in zip(*parts))
    model = fit(x, y)
    print(f"{len(x)} short lines, {y.mean():.3f} headlines")
    held_out = [a for a in articles if for_repair(a)]
    for name, chosen in (("newspaper", [a for a in held_out if from_newspaper(a)]), ("all", held_out)):
        x, y = examples(program, shared, work / "headlines" / f"held-out-{name}", chosen, PAGES // 8, rng)
        held_out_figures(name, model, x, y)
    export(model, out, x)


if __name__ == "__main__":
    main()
