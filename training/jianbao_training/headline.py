"""The headline trees: which short lines of a page open an article.

Pages come from `make_pages.py` on the training news (all damage levels), from `single_pages` below, one to
three articles with their headings, blank lines or none, so that an article by itself is not cut at its headings,
and from `brief_pages`, short reports among the odd lines of a local paper.

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
from .prepare import write, write_page
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
        write_page(out, n, lines, dict(articles=gold))


SURNAMES, GIVEN = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗", "伟芳娜敏静丽强磊军洋艳勇杰涛明超霞平刚桂文辉玲华飞鹏宇"
PLACES = "北京 上海 广州 成都 武汉 西安 长沙 济南 郑州 昆明 哈尔滨 乌鲁木齐".split()
PAPERS = "江城晚报 滨海日报 东江日报 河州商报 云岭青年报".split()
LABELS = "要闻 社会 民生 经济 国内 国际 综合 体育 文娱 健康 教育 法治 三农 副刊".split()
ODD = ("资料图片 受访者供图 广告 相关链接 新闻链接 延伸阅读 新闻背景 扫一扫看视频 视频截图 漫画 图表 记者手记 短评 记者观察 "
       "天天特价欢迎选购 盛夏钜惠全场五折起 名师授课小班教学 诚聘英才待遇优厚").split()


def brief_pages(articles, out, pages, rng):
    """Pages of short reports, as local papers print them: a dateline, a credit or nothing in front of the text, page heads,
    labels and odd lines between the reports."""
    out.mkdir(parents=True, exist_ok=True)
    name = lambda: rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice([1, 1, 2])))
    date = lambda: f"{rng.randint(1, 12)}月{rng.randint(1, 28)}日"
    openings = [lambda: f"本报讯（记者 {name()}）", lambda: f"本报讯（记者 {name()} 通讯员 {name()}）", lambda: f"本报讯（通讯员{name()}）",
                lambda: f"本报讯 记者{name()}报道：", lambda: f"新华社{rng.choice(PLACES)}{date()}电（记者{name()}、{name()}）",
                lambda: f"{rng.choice(PAPERS)}讯（记者 {name()}）", lambda: f"本报{rng.choice(PLACES)}{date()}电 ", lambda: ""]
    bylines = [lambda: f"本报记者 {name()}", lambda: f"□ {name()}", lambda: f"记者 {name()} 通讯员 {name()}", lambda: f"文/图 本报记者 {name()}"]
    heads = [lambda: rng.choice(PAPERS), lambda: f"{rng.choice(LABELS)} 0{rng.randint(1, 8)}", lambda: f"第{rng.randint(1, 16)}版 {rng.choice(LABELS)}",
             lambda: f"202{rng.randint(0, 6)}年{date()} 星期{rng.choice('一二三四五六日')}", lambda: rng.choice(LABELS),
             lambda: f"责任编辑 {name()} 版式 {name()}", lambda: f"A0{rng.randint(1, 9)}·{rng.choice(LABELS)}"]
    odd = [lambda: rng.choice(ODD), lambda: rng.choice(LABELS), lambda: f"{name()} 摄", lambda: f"制图：{name()}"]
    for n in range(pages):
        lines, gold = [], []
        blanks = rng.choice(["none", "articles", "all"])
        usual, credited, decked = rng.choice(openings), rng.random() < 0.25, rng.choice([0, 0, 0.2])
        clutter = rng.choice([0, 0, 0.2, 0.4])
        if rng.random() < 0.5:
            lines += [rng.choice(heads)() for _ in range(rng.randint(1, 3))]
        for r in rng.sample(articles, rng.randint(3, 9)):
            if lines and blanks != "none":
                lines.append("")
            title_lines = []
            for deck in r["title"].split():
                title_lines.append(len(lines))
                lines.append(deck)
            sentences = [s for p in r["text"].split("\n") for s in re.findall("[^。！？]+[。！？][”’）]*", p.strip())]
            body = "".join(sentences[:rng.randint(1, 6)]) or r["text"][:80] + "。"
            if rng.random() < decked:
                clauses = [c for c in re.split("[，。；：]", body) if 7 <= len(c) <= 20]
                if clauses:
                    title_lines.append(len(lines))
                    lines.append(rng.choice(["", "", "——"]) + rng.choice(clauses))
            gold.append(dict(title_lines=title_lines))
            if credited and rng.random() < 0.8:
                lines.append(rng.choice(bylines)())
            opening = (usual if rng.random() < 0.85 else rng.choice(openings))()
            cut = rng.randint(min(20, len(body)), len(body)) if rng.random() < 0.5 else len(body)
            at = body.find("。", cut) + 1
            paragraphs = [body[:at], body[at:]] if 0 < at < len(body) else [body]
            for k, paragraph in enumerate(paragraphs):
                if blanks == "all":
                    lines.append("")
                lines.append((opening if k == 0 else "") + paragraph)
            if rng.random() < clutter:
                lines += [""] * (blanks == "all") + [rng.choice(odd)()]
        if rng.random() < 0.3:
            lines += [rng.choice(heads)() for _ in range(rng.randint(1, 2))]
        write_page(out, n, lines, dict(articles=gold))


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
    brief_pages([a for a in usable if len(a["title"]) <= 40], folder / "brief", pages, rng)
    parts += [features(program, folder / name) for name in ("single", "brief")]
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
