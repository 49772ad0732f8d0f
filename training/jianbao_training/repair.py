"""The trees of page repair. Joins: does a fragment continue an open end? Over what the continuation head says of the
seam, the words of both articles, distance, and the other candidates of both sides. Moves: does a paragraph go along
with the fragment before it?

Pages come from `make_pages.py` on training news that the table of seams has not seen (`for_repair`), from pages with
other damage (`torn_pages`), and from the former misread; all are read by the program with the exported model.

usage: python -m jianbao_training.repair WORK SHARED FEATURES_PROGRAM MODEL_DIR     (after the model is exported)
"""

import json
import pathlib
import random
import re
import subprocess
import sys

import numpy as np

from .data import for_repair, from_newspaper, held_out, misread, rows, simplified_to_traditional
from .prepare import write, write_page
from .trees import SEED, export, fit, held_out_figures

TREES, LEAVES = 300, 31
PAGES = 800
HEADING = re.compile(r"([^。！？：“”]{6,22})[。！？](?=.{40})")    # the sentence a paragraph opens with
TERMINAL = "。！？”’；：…）)》"
TRADITIONAL = simplified_to_traditional()
LOOKALIKE = "日曰目自白百人入八大太天夫未末土士己已巳干千于王玉主贝见刀力万方"


def cut_place(paragraph, rng):
    places = [i for i in range(12, len(paragraph) - 8)
              if paragraph[i - 1] not in TERMINAL + "“‘《（(" and paragraph[i] not in TERMINAL + "，、"]
    return rng.choice(places) if places else None


def torn_pages(articles, out, pages, rng):
    """Other damage than `make_pages.py` does: several cuts an article, most rests in place (a column ended there), others
    anywhere on the page, alone or with paragraphs that follow them, three-way interleaving, rests that are missing,
    headings inside articles, blank lines or none, two pages in one file, Traditional characters."""
    out.mkdir(parents=True, exist_ok=True)
    for n in range(pages):
        style, blank = rng.choice(["columns", "anywhere", "interleaved"]), rng.random() < 0.5
        blocks, joins, displaced, gold_keys = [], {}, [], []   # block: (key, kind, text); joins: left key → right key
        for k, r in enumerate(rng.sample(articles, min(rng.randint(3, 10), len(articles)))):
            body, headed, reading = [], rng.random() < 0.3, []
            target, along = body, 0               # where the next `along` paragraphs go: with a displaced rest
            for p, paragraph in enumerate(q.strip() for q in r["text"].split("\n") if q.strip()):
                if along == 0:
                    target = body
                along -= along > 0
                key = (k, p, 0)
                opening = HEADING.match(paragraph)
                if headed and opening and rng.random() < 0.5:
                    target.append([(k, p, -1), "body", rng.choice(["", "", "一、", "亮点：", "■"]) + opening[1]])
                    reading.append((k, p, -1))
                    paragraph = paragraph[opening.end():]
                at = cut_place(paragraph, rng) if len(paragraph) > 40 and rng.random() < 0.12 else None
                target.append([key, "body", paragraph[:at]])
                reading.append(key)
                if at is not None:
                    fate = rng.random()
                    if fate < 0.15:
                        continue                  # the rest is missing
                    rest = [(k, p, 1), "body", paragraph[at:]]
                    joins[key] = rest[0]
                    if fate < 0.5:
                        target.append(rest)
                    else:
                        # A column's rest comes alone, with all that follows it, or with some of it.
                        along = rng.choice([0, 0, 99, 99, rng.randint(1, 4)])
                        target = [rest]
                        displaced.append(target)
            blocks.append([[(k, -1, d), "title", deck] for d, deck in enumerate(r["title"].split())] + body)
            gold_keys.append(reading)
        order = [b for article in blocks for b in article]
        if style == "interleaved" and len(blocks) >= 3:
            # The bodies of three neighbours alternate in runs, below the first one's headline.
            first = rng.randrange(len(blocks) - 2)
            three = [[b for b in a if b[1] == "body"] for a in blocks[first:first + 3]]
            mixed = []
            while any(three):
                source = rng.choice([t for t in three if t])
                run = rng.randint(1, 3)
                mixed += source[:run]
                del source[:run]
            heads = [[b for b in a if b[1] == "title"] for a in blocks[first:first + 3]]
            cut = sorted(rng.sample(range(len(mixed) + 1), 2))
            parts = [mixed[:cut[0]], mixed[cut[0]:cut[1]], mixed[cut[1]:]]
            order = [b for a in blocks[:first] for b in a]
            for head, part in zip(heads, parts):
                order += head + part
            order += [b for a in blocks[first + 3:] for b in a]
        for rest in displaced:
            if style == "columns":
                # Below the text of a later article, or at the end of one before.
                ends = [i for i in range(1, len(order)) if order[i][1] == "title" and order[i - 1][1] == "body"] + [len(order)]
            else:
                ends = [i + 1 for i, b in enumerate(order) if b[1] == "body"]
            at = rng.choice(ends)
            order[at:at] = rest
        lines, line_of = [], {}
        noise = 0.02 if rng.random() < 0.3 else 0
        traditional = rng.random() < 0.1
        # Two pages in one file: what was torn may have gone to the other page.
        page_break = rng.randrange(len(order)) if rng.random() < 0.1 else None
        for place, (key, kind, text) in enumerate(order):
            if place == page_break:
                lines += ["", f"第{rng.randint(1, 16)}版"]
            if lines and (blank or kind == "title"):
                lines.append("")
            line_of[key] = len(lines)
            text = misread(text, rng, noise, LOOKALIKE)
            lines.append(text.translate(TRADITIONAL) if traditional else text)
        rest_of = lambda key: [line_of[joins[key]]] if key in joins else []
        gold = [dict(body=[[line_of[key]] + rest_of(key) for key in reading]) for reading in gold_keys]
        write_page(out, n, lines, dict(articles=gold, duplicate_lines=[]))


def misread_pages(source, out, rng, pages):
    """The first pages of `source` with misread characters; line numbers stay, so the gold does."""
    out.mkdir(parents=True, exist_ok=True)
    for page in sorted(source.glob("page-*.txt"))[:pages]:
        (out / page.name).write_text(misread(page.read_text(encoding="utf8"), rng, 0.02, LOOKALIKE), encoding="utf8")
        (out / page.name).with_suffix(".gold.json").write_text(page.with_suffix(".gold.json").read_text(encoding="utf8"), encoding="utf8")


def questions(program, model, folder):
    """What repair asks about the pages of a folder: for joins and moves (features, labels)."""
    asked = subprocess.run([program, "repair", str(folder), str(model)], check=True, capture_output=True, text=True).stdout
    joins, moves, seams = [], [], 0
    for row in map(json.loads, asked.splitlines()):
        gold = json.loads((folder / row["page"]).with_suffix(".gold.json").read_text(encoding="utf8"))
        same = {d["line"]: d["same_as"] for d in gold["duplicate_lines"] if d["same_as"] is not None}
        own = lambda line: same.get(line, line)
        follows = {(a, b) for article in gold["articles"] for group in article["body"] for a, b in zip(group, group[1:])}
        place = {line: (k, n) for k, article in enumerate(gold["articles"])
                 for n, line in enumerate(line for group in article["body"] for line in group)}
        seams += len(follows)
        for left, right, values in row["joins"]:
            joins.append((values, (own(left), own(right)) in follows))
        for left, right, block, values in row["moves"]:
            if (own(left), own(right)) not in follows:
                continue                          # after a wrong join nothing is right
            right, block = place.get(own(right)), place.get(own(block))
            if block:
                moves.append((values, block[0] == right[0] and block[1] > right[1]))
    print(f"{folder}: {seams} joins, {sum(j[1] for j in joins)} of them among {len(joins)} pairs; "
          f"{sum(m[1] for m in moves)} of {len(moves)} blocks go along", flush=True)
    return joins, moves


def examples(program, model, shared, folder, articles, pages, rng):
    """What repair asks about pages of `articles`, (joins, moves): with the damage of `make_pages.py`, with other damage,
    and misread."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "articles.jsonl"
    write(own, articles)
    usable = [a for a in articles if 6 <= len(a["title"]) <= 45 and 200 <= len(a["text"]) <= 2400]
    for seed, damage in ((1, "light"), (2, "heavy")):
        subprocess.run([sys.executable, shared / "tools/make_pages.py", own, folder / damage, "--pages", str(pages),
                        "--seed", str(9000 + seed), "--damage", damage], check=True)
    torn_pages(usable, folder / "torn", pages, rng)
    misread_pages(folder / "heavy", folder / "misread", rng, pages // 3)
    parts = [questions(program, model, folder / name) for name in ("light", "heavy", "torn", "misread")]
    return [sum(column, []) for column in zip(*parts)]


def main():
    work, shared, program, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4])
    rng = random.Random(SEED)
    articles = [a for a in rows(work / "news.jsonl") if for_repair(a)]
    parts = {}
    for part, chosen, pages in (("train", [a for a in articles if not held_out(a)], PAGES),
                                ("held-out", [a for a in articles if held_out(a)], PAGES // 8)):
        # Most pages are of newspaper articles: broadcast news, of which there is more, has shorter ones.
        newspaper = [a for a in chosen if from_newspaper(a)]
        parts[part] = [a + b for a, b in zip(
            examples(program, out, shared, work / "repair" / f"{part}-newspaper", newspaper, pages, rng),
            examples(program, out, shared, work / "repair" / f"{part}-all", chosen, pages // 4, rng))]
    for k, name in enumerate(("joins", "moves")):
        (x, y), (held_x, held_y) = ([np.array(column, dtype=kind) for column, kind in zip(zip(*parts[part][k]), (np.float32, bool))]
                                    for part in ("train", "held-out"))
        np.savez(work / "repair" / f"{name}.npz", x=x, y=y, held_x=held_x, held_y=held_y)
        model = fit(x, y, trees=TREES, leaves=LEAVES)
        held_out_figures(name, [model], held_x, held_y)
        export([model], out / f"{name}.trees", held_x)


if __name__ == "__main__":
    main()
