"""The headline trees: which short lines of a page open an article. There are two looks at each line: by itself, and with what
the first look says of the others.

Pages come from `make_pages.py` on the training news (all damage levels), from `single_pages` below, one to
three articles with their headings, blank lines or none, so that an article by itself is not cut at its headings,
from `brief_pages`, short reports among the odd lines of a local paper, and from `natural_pages`, the articles that stood
together on a page of People's Daily, and from `digest_pages`, the short items of broadcast news.

usage: python -m jianbao_training.headline WORK SHARED FEATURES_PROGRAM FIRST.trees SECOND.trees
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
from .trees import SEED, export, fit, held_out_figures, write_trees

PAGES = 1600
RUNS = 2                       # models of pages drawn anew, whose mean is used


INDENT = "\u3000\u3000"


COLUMN = re.compile("（[^（）]{2,12}）$")


def as_printed(title, rng):
    """The decks of a title: as they are, in one line, or the first as a label before the second (`云州：小巷里的大民生`); mostly
    without the name of the column in brackets, which tells too much."""
    if rng.random() < 0.6 and len(COLUMN.sub("", title)) > 3:
        title = COLUMN.sub("", title)
    decks = title.split()
    if rng.random() < 0.15 and len(decks) > 1 and len(decks[0]) <= 8:
        return [decks[0] + "：" + " ".join(decks[1:])]
    return decks if rng.random() < 0.5 else [title]


def single_pages(articles, out, pages, rng):
    """Pages of few articles in the habits of files people have: with or without blank lines, credits, titles."""
    out.mkdir(parents=True, exist_ok=True)
    for n in range(pages):
        lines, gold = [], []
        blank = rng.random() < 0.5
        credited = rng.random() < 0.4
        indent = rng.choice(["", "", INDENT, INDENT, None])
        for r in rng.sample(articles, rng.choice([1, 1, 1, 2, 3, 5])):
            title_lines = []
            if rng.random() < 0.9:
                decks = as_printed(r["title"], rng)
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
                    lines.append((rng.choice(["", INDENT]) if indent is None else indent) + p.strip())
                    if blank:
                        lines.append("")
        write_page(out, n, lines, dict(articles=gold))


SURNAMES, GIVEN = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗", "伟芳娜敏静丽强磊军洋艳勇杰涛明超霞平刚桂文辉玲华飞鹏宇"
PLACES = "北京 上海 广州 成都 武汉 西安 长沙 济南 郑州 昆明 哈尔滨 乌鲁木齐".split()
PAPERS = "江城晚报 滨海日报 东江日报 河州商报 云岭青年报".split()
LABELS = "要闻 社会 民生 经济 国内 国际 综合 体育 文娱 健康 教育 法治 三农 副刊".split()
ODD = ("资料图片 受访者供图 广告 相关链接 新闻链接 延伸阅读 新闻背景 扫一扫看视频 视频截图 漫画 图表 记者手记 短评 记者观察 "
       "天天特价欢迎选购 盛夏钜惠全场五折起 名师授课小班教学 诚聘英才待遇优厚").split()


BOXES = "链接 相关链接 新闻链接 延伸阅读 新闻延伸 新闻背景 背景 名词解释 编后 编者按 编后语 记者手记 采访手记 核心提示 短评 点评 专家点评 提醒 小贴士 数读 人物名片 案情回顾 法官说法 律师说法".split()
NOTICES = [("遗失声明", "{c}遗失公章一枚，编号{n}，声明作废。"), ("遗失声明", "{p}遗失身份证，证号{n}，声明作废。"), ("注销公告", "{c}经股东会决议，拟向登记机关申请注销登记，请债权人于本公告之日起四十五日内申报债权。"),
           ("减资公告", "{c}拟将注册资本由人民币500万元减少至100万元，请债权人自公告之日起四十五日内要求清偿债务。"), ("招标公告", "{c}办公楼改造工程现公开招标，欢迎合格的施工单位报名，报名截止{d}，电话{n}。"),
           ("停电公告", "因线路检修，{d}8时至17时下列线路停电，敬请用户提前做好准备。"), ("公告", "{p}：本院受理原告{p}诉你民间借贷纠纷一案，现依法向你公告送达起诉状副本，逾期将依法缺席裁判。"),
           ("更正启事", "本报{d}刊登的文章中，有一处数字有误，特此更正，并向读者致歉。"), ("招聘启事", "{c}因业务发展需要，招聘会计两名、司机一名，待遇面议，联系电话{n}。"), ("通知", "{c}全体股东：兹定于{d}召开股东会，请准时参加。"),
           ("寻人启事", "{p}，女，七十一岁，{d}离家未归，有知其下落者请与家人联系，电话{n}，必有重谢。"), ("关于{c}道路施工的公告", "因道路施工需要，{d}起对相关路段实行半幅封闭，请过往车辆按指示标志通行。"), ("{c}关于表彰先进的决定", "为表彰先进，经研究，决定授予{p}等同志先进工作者称号。"),
           ("讣告", "{p}同志因病医治无效，于{d}逝世，享年八十九岁。遗体告别仪式定于近日举行。"), ("拍卖公告", "受委托，定于{d}公开拍卖旧车一批，有意者请携有效证件办理竞买手续，电话{n}。")]


def clauses_of(text, least=7, most=20):
    return [c for c in re.split("[，。；：！？“”]", text) if least <= len(c) <= most]


class Brief:
    """How one page of a local paper is set, and its lines: a dateline, a credit or nothing in front of a report; features
    and commentaries among the reports, some with headings or as interviews; notices; page heads, labels, signatures and
    odd lines between them."""

    def __init__(self, rng):
        self.rng, self.lines, self.gold = rng, [], []
        name, date = self.name, self.date
        self.openings = [lambda: f"本报讯（记者 {name()}）", lambda: f"本报讯（记者 {name()} 通讯员 {name()}）", lambda: f"本报讯（通讯员{name()}）",
                         lambda: f"本报讯 记者{name()}报道：", lambda: f"新华社{rng.choice(PLACES)}{date()}电（记者{name()}、{name()}）",
                         lambda: f"{rng.choice(PAPERS)}讯（记者 {name()}）", lambda: f"本报{rng.choice(PLACES)}{date()}电 ", lambda: ""]
        self.bylines = [lambda: f"本报记者 {name()}", lambda: f"□ {name()}", lambda: f"记者 {name()} 通讯员 {name()}", lambda: f"文/图 本报记者 {name()}"]
        self.writers = [name, name, lambda: f"{name()} {name()}", lambda: f"{rng.choice('□■●◎')}{name()}", lambda: f"文．图／本报记者 {name()}", lambda: f"文/{name()} 图/{name()}",
                        lambda: f"【作者】{name()}", lambda: f"本报评论员 {name()}", lambda: f"{rng.choice(PLACES)}大学教授 {name()}", lambda: f"{rng.choice(PLACES)} {name()}"]
        self.heads = [lambda: rng.choice(PAPERS), lambda: f"{rng.choice(LABELS)} 0{rng.randint(1, 8)}", lambda: f"第{rng.randint(1, 16)}版 {rng.choice(LABELS)}",
                      lambda: f"202{rng.randint(0, 6)}年{date()} 星期{rng.choice('一二三四五六日')}", lambda: rng.choice(LABELS),
                      lambda: f"责任编辑 {name()} 版式 {name()}", lambda: f"A0{rng.randint(1, 9)}·{rng.choice(LABELS)}"]
        self.odd = [lambda: rng.choice(ODD), lambda: rng.choice(LABELS), lambda: f"{name()} 摄", lambda: f"制图：{name()}"]
        self.signatures = [name, lambda: f"{rng.choice(PLACES)} {name()}", lambda: f"{rng.choice(PLACES)}市民 {name()}", lambda: f"（{name()}）",
                           lambda: f"{rng.choice(PLACES)}市{rng.choice(LABELS)}局", lambda: f"202{rng.randint(0, 6)}年{date()}", lambda: f"一位{rng.choice(['读者', '家长', '老党员'])}"]
        # White space before headlines, also below them, between all paragraphs, or none.
        self.blanks = rng.choice(["none", "articles", "titles", "all"])
        self.usual, self.credited, self.decked = rng.choice(self.openings), rng.random() < 0.25, rng.choice([0, 0, 0.2])
        self.clutter, self.signed = rng.choice([0, 0, 0.2, 0.4]), rng.choice([0, 0, 0.3])
        self.boxed, self.digest = rng.choice([0, 0, 0.25]), rng.random() < 0.07
        # The share of what opens like no report: features, commentaries, letters.
        self.bare = rng.choice([0, 0, 0.2, 0.5, 1])
        self.indent = rng.choice(["", INDENT, INDENT])
        # The share of headlines that look like a heading: a word or two, a label and a colon, a number or a mark in front.
        # Items of a sentence or two, one below the other; verse among the articles.
        self.short, self.verse = rng.choice([0, 0, 0.5, 1]), rng.choice([0, 0, 0, 0.1])
        # Columns of text: how many characters a line has, in each article; 0 where paragraphs are lines.
        self.widths = rng.choice([[0], [0], [0], [rng.choice([13, 18, 20, 22, 26, 36])], [rng.choice([13, 16, 20]), rng.choice([22, 26, 30])]])
        self.width = 0
        self.odd_titles, self.listed = rng.choice([0, 0, 0.15, 0.3]), rng.choice([0, 0, 0.2])

    def name(self):
        return self.rng.choice(SURNAMES) + "".join(self.rng.sample(GIVEN, self.rng.choice([1, 1, 2])))

    def date(self):
        return f"{self.rng.randint(1, 12)}月{self.rng.randint(1, 28)}日"

    def some(self, makers, most):
        self.lines += [self.rng.choice(makers)() for _ in range(self.rng.randint(1, most))]

    def titled(self, decks):
        if self.lines and self.blanks != "none":
            self.lines.append("")
        self.width = self.rng.choice(self.widths)
        self.gold.append(dict(title_lines=list(range(len(self.lines), len(self.lines) + len(decks)))))
        self.lines += decks

    def prose(self, paragraphs):
        for k, paragraph in enumerate(paragraphs):
            if paragraph and (self.blanks == "all" or self.blanks == "titles" and k == 0):
                self.lines.append("")
            # Headings stand at the edge or in the middle as often as not.
            at_edge = len(paragraph) < 20 and self.rng.random() < 0.5
            line = paragraph if at_edge else self.indent + paragraph
            width = self.width or max(1, len(line))
            self.lines += [line[at:at + width] for at in range(0, len(line), width)] or [""]

    def notice(self):
        title, text = self.rng.choice(NOTICES)
        number = "".join(self.rng.choice("0123456789") for _ in range(11))
        company = self.rng.choice(PLACES) + "".join(self.rng.sample(GIVEN, 2)) + self.rng.choice(["商贸有限公司", "科技有限公司", "物业服务中心", "小学"])
        self.titled([title.format(c=company)])
        self.prose([text.format(c=company, p=self.name(), n=number, d=self.date())])

    def report(self, article):
        rng = self.rng
        sentences = [s for p in article["text"].split("\n") for s in re.findall("[^。！？]+[。！？][”’）]*", p.strip())]
        bare = rng.random() < self.bare
        # A feature does not begin like the report it is made from.
        first = rng.randint(1, max(1, len(sentences) // 2)) if bare and len(sentences) > 4 and rng.random() < 0.7 else 0
        many = rng.choice([4, 6, 12, 20]) if bare else 6
        most = rng.choice([1, 2]) if rng.random() < self.short else many
        taken = sentences[first:first + rng.randint(1, most)]
        body = "".join(taken) or article["text"][:80] + "。"
        clauses = clauses_of(body)
        decks = article["title"].split()
        if rng.random() < self.odd_titles:
            decks = [self.odd_title(decks, clauses)]
        if rng.random() < self.decked and clauses:
            decks.append(rng.choice(["", "", "——"]) + rng.choice(clauses))
        if self.digest and rng.random() < 0.9:
            self.item(" ".join(decks), "".join(taken[:2]) or body)
            return
        self.titled(decks)
        if bare:
            if rng.random() < 0.3:
                self.lines.append(rng.choice(self.writers)())
            self.prose(self.feature(taken or [body]))
        else:
            if self.credited and rng.random() < 0.8:
                self.lines.append(rng.choice(self.bylines)())
            opening = (self.usual if rng.random() < 0.85 else rng.choice(self.openings))()
            cut = rng.randint(min(20, len(body)), len(body)) if rng.random() < 0.5 else len(body)
            at = body.find("。", cut) + 1
            self.prose([opening + body[:at], body[at:]] if 0 < at < len(body) else [opening + body])
        if rng.random() < self.signed:
            self.lines.append(rng.choice(self.signatures)())
        if rng.random() < self.boxed and len(sentences) > first + len(taken):
            self.box(sentences[first + len(taken):])
        if rng.random() < self.clutter:
            self.lines += [""] * (self.blanks == "all") + [rng.choice(self.odd)()]

    def poem(self, article):
        """Lines without marks, in stanzas or not."""
        rng, clauses = self.rng, clauses_of(article["text"], 4, 12)
        if len(clauses) < 4:
            return
        self.titled([rng.choice(clauses)[:rng.randint(2, 6)]])
        self.lines += [self.name()] * (rng.random() < 0.6)
        for k, clause in enumerate(rng.sample(clauses, min(len(clauses), rng.randint(4, 16)))):
            if k and k % 4 == 0 and rng.random() < 0.6:
                self.lines.append("")
            self.lines.append(rng.choice(["", self.indent]) + clause + rng.choice(["", "", "", "，", "。"]))

    def odd_title(self, decks, clauses):
        rng = self.rng
        words = [c for c in clauses if len(c) < 14] or clauses or decks
        label = rng.choice(PLACES + LABELS + [decks[0][:rng.randint(2, 6)]])
        return rng.choice([label + "：" + rng.choice(words), label + "：" + decks[-1], decks[0][:rng.randint(2, 5)], rng.choice(words)[:rng.randint(2, 6)],
                           rng.choice("①②③■●◆") + decks[0], f"【{rng.choice(['特写', '侧记', '追踪', '评论'])}】{decks[0]}", decks[0] + rng.choice("！？"),
                           rng.choice(["更正", "致歉", "讣告", "提醒", "通知", "声明", "父亲", "母亲", "老屋", "听雨", "秋思", "故乡"])])

    def rows_of(self, clauses):
        """Lines in a row that are no headlines, however short: talk, particulars, scores and prices, points."""
        rng, short = self.rng, [c for c in clauses if len(c) < 13] or clauses
        pick = lambda: rng.choice(short)
        kind = rng.randrange(5)
        if kind == 0:
            return [f"“{pick()}{rng.choice('？！。，')}”" for _ in range(rng.randint(1, 5))]
        if kind == 1:
            labels = rng.sample(["时间", "地点", "嘉宾", "主办", "电话", "票价", "面积", "总投资", "建设单位", "床位", "主持人", "适用范围"], rng.randint(2, 5))
            return [f"{label}：{pick()}" for label in labels]
        if kind == 2:
            return [f"{rng.choice(PLACES)}队 {rng.randint(0, 5)}{rng.choice('∶:比')}{rng.randint(0, 5)} {rng.choice(PLACES)}队" for _ in range(rng.randint(1, 5))]
        if kind == 3:
            return [f"{pick()[:6]} {rng.randint(2, 900)}{rng.choice(['元', '个', '人', '%', '万元', '公里', ''])}" for _ in range(rng.randint(2, 6))]
        return [f"{n}{pick()}" for n in rng.choice([["一是", "二是", "三是"], ["一、", "二、", "三、", "四、"], ["1.", "2.", "3."], ["——", "——"]])]

    def item(self, title, text):
        """Of a digest: the headline opens the paragraph."""
        if self.blanks == "all":
            self.lines.append("")
        self.gold.append(dict(title_lines=[len(self.lines)]))
        self.lines.append(f"{self.indent}【{title}】{text}")

    def box(self, sentences):
        """What is told beside an article: it stays with it."""
        if self.blanks != "none" and self.rng.random() < 0.7:
            self.lines.append("")
        self.lines.append(self.rng.choice(["", "", "■", "◆"]) + self.rng.choice(BOXES))
        self.prose(["".join(sentences[:self.rng.randint(1, 3)])])

    def feature(self, sentences):
        """Paragraphs of some sentences each, here and there a heading; or questions and answers."""
        rng, paragraphs, rest = self.rng, [], list(sentences)
        while rest:
            size = rng.randint(1, 4)
            paragraphs.append("".join(rest[:size]))
            rest = rest[size:]
        if len(paragraphs) > 3 and rng.random() < 0.2:
            who = self.name() + "："
            paragraphs = [rng.choice(["记者：", "问："]) + p if k % 2 == 0 else rng.choice([who, "答："]) + p for k, p in enumerate(paragraphs)]
        if len(paragraphs) > 3 and rng.random() < 0.4:
            apart = self.blanks in ("articles", "titles") and rng.random() < 0.5
            style = rng.choice(["{}", "{}", "“{}”", "▶ {}", "0{k} {}", "【{}】", "◆{}", "一、{}", "|{}|"])
            headed = []
            for k, paragraph in enumerate(paragraphs):
                clauses = clauses_of(paragraph, 4, 14)
                if k % 2 == 0 and clauses:
                    headed += [""] * apart
                    headed.append(style.format(rng.choice(clauses), k=k // 2 + 1))
                headed.append(paragraph)
            paragraphs = headed
        clauses = [c for p in paragraphs for c in clauses_of(p, 4, 14)]
        if clauses and rng.random() < self.listed:
            at = rng.randint(1, len(paragraphs))
            paragraphs[at:at] = self.rows_of(clauses)
        return paragraphs


def sheets(out, pages, rng, headed):
    """New pages, a share of them with heads; each is written when the next one is asked for."""
    out.mkdir(parents=True, exist_ok=True)
    for n in range(pages):
        page = Brief(rng)
        if rng.random() < headed:
            page.some(page.heads, 3)
        yield page
        write_page(out, n, page.lines, dict(articles=page.gold))


def brief_pages(articles, out, pages, rng):
    """Pages of short reports, as local papers print them."""
    for page in sheets(out, pages, rng, 0.5):
        notices = rng.choice([0, 0, 0, 0, 0.2, 0.7])
        for article in rng.sample(articles, rng.randint(3, 9)):
            if rng.random() < notices:
                page.notice()
            elif rng.random() < page.verse:
                page.poem(article)
            else:
                page.report(article)
        if rng.random() < 0.3:
            page.some(page.heads, 2)


def with_deck(title, below, rng):
    """The title with a second deck in the same line, as long as a line gets: a clause of the text below it."""
    body = next((line for line in below if len(line) > 60), "")
    clauses = clauses_of(body, 7, 24)
    return f"{title} {rng.choice(clauses)}" if clauses else title


def restyled_pages(source, out, rng):
    """Pages of `source` with other habits of blank lines: none, before headlines only, several, or here and there; some
    headlines with two decks in a line."""
    out.mkdir(parents=True, exist_ok=True)
    for page in sorted(source.glob("page-*.txt")):
        gold = json.loads(page.with_suffix(".gold.json").read_text(encoding="utf8"))
        title_of = {n: k for k, a in enumerate(gold["articles"]) for n in a["title_lines"]}
        style, apart = rng.choice(["none", "headlines", "several", "some"]), rng.randrange(1, 4)
        indent = rng.choice(["", "", INDENT])
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
            lines.append(line if n in title_of else indent + line)
            before = n
        (out / page.name).write_text("\n".join(lines) + "\n", encoding="utf8")
        gold = dict(articles=[dict(title_lines=t) for t in titles.values()])
        (out / page.name).with_suffix(".gold.json").write_text(json.dumps(gold), encoding="utf8")


def is_deck(line):
    return 6 <= len(line) <= 40 and line[-1] not in "。！？…；，、：" and not re.match("[【（■◆▲●]|[一二三四五六七八九十]、|[0-9]", line)


def whole_headline(article):
    """People's Daily's files have the kicker as title and begin their text with the headline that stood below it: as it was printed.
    (`make_pages.py` prints and judges files as they are.)"""
    lines = [line.strip() for line in article["text"].split("\n") if line.strip()]
    decks = 0
    while from_newspaper(article) and decks < 2 and decks + 1 < len(lines) and is_deck(lines[decks]):
        decks += 1
    if not decks or len(lines[decks]) < 50:
        return article
    return dict(article, title=" ".join([article["title"], *lines[:decks]]), text="\n".join(lines[decks:]))


def natural_pages(articles, evenings, out, pages, rng, most=12):
    """Pages as they were printed: what stood together, in its order, with the habits of one page for all of it; on every other
    page also short items of broadcast news, with credits or without."""
    together = {}
    for r in sorted(articles, key=lambda r: r["id"]):
        together.setdefault(page_of(r), []).append(r)
    together = [page for page in together.values() if 1 < len(page) <= most]
    rng.shuffle(together)
    for n, sheet in enumerate(sheets(out, pages, rng, 0.4)):
        page = together[n % len(together)]
        sheet.blanks = rng.choice(["none", "none", "articles", "titles", "all"])
        pieces = [(r["title"], [p.strip() for p in r["text"].split("\n") if p.strip()]) for r in page]
        for _ in range(rng.choice([0, 0, 0, 1, 2, 3]) if evenings else 0):
            title, paragraphs = rng.choice(rng.choice(evenings))
            opening = rng.choice([sheet.usual, lambda: ""])()
            pieces.insert(rng.randint(0, len(pieces)), (title, [opening + paragraphs[0], *paragraphs[1:]]))
        signed = rng.choice([0, 0, 0.3])
        for title, paragraphs in pieces:
            sheet.titled(as_printed(title, rng))
            sheet.lines += [rng.choice(sheet.writers)()] * (rng.random() < signed)
            sheet.prose(paragraphs)


def is_digest(article):
    """Short items of broadcast news under one title, each below a headline of its own: `国内联播快讯`."""
    return "快讯" in article["title"]


def items_of(digest):
    """[(headline, paragraphs)], or none where lines leave a doubt."""
    items = []
    for line in (line.strip() for line in digest["text"].split("\n")):
        is_text = line.endswith(("。", "！", "？", "”", "…"))
        if is_text and items:
            items[-1][1].append(line)
        elif line and not is_text and len(line) <= 40 and (not items or items[-1][1]):
            items.append((line, []))
        elif line:
            return []
    return items if len(items) > 2 and items[-1][1] else []


def digest_pages(evenings, out, pages, rng):
    """Pages of short items without credits, in the order of one evening, here and there an item of another."""
    for page in sheets(out, pages, rng, 0.4):
        items = list(rng.choice(evenings))
        items.insert(rng.randint(0, len(items)), rng.choice(rng.choice(evenings)))
        for title, paragraphs in items:
            page.titled(as_printed(title, rng))
            page.prose(paragraphs)
            if rng.random() < page.signed:
                page.lines.append(rng.choice(page.signatures)())


def page_of(article):
    """The page an article of People's Daily stood on: `rmrb-20230701-01` of `rmrb-20230701-01-02`."""
    return article["id"].rsplit("-", 1)[0]


def features(program, folder, first_look=()):
    """(features, labels, page numbers are odd) of the short lines of a folder's pages."""
    text = subprocess.run([program, "pages", str(folder), *first_look], check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in text.splitlines()]
    # Page by page, in order of their names, as the program counts them.
    number = {name: n for n, name in enumerate(sorted(path.name for path in folder.glob("page-*.txt")))}
    return (np.array([r["features"] for r in rows], dtype=np.float32), np.array([r["label"] for r in rows], dtype=bool),
            np.array([number[r["page"]] % 2 for r in rows], dtype=bool))


def of_folders(program, folders, first_look=()):
    parts = [features(program, folder, first_look) for folder in folders]
    return [np.concatenate(column) for column in zip(*parts)]


def pages_of(shared, folder, articles, evenings, pages, rng):
    """Folders of pages made from `articles`: of every damage, as made and restyled, single ones, brief ones, natural ones."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "articles.jsonl"
    write(own, articles)
    folders = []
    for seed, damage in enumerate(("none", "light", "heavy")):
        made, restyled = folder / damage, folder / f"{damage}-restyled"
        subprocess.run([sys.executable, shared / "tools/make_pages.py", own, made, "--pages", str(pages),
                        "--seed", str(9000 + seed), "--damage", damage], check=True)
        restyled_pages(made, restyled, rng)
        folders += [made, restyled]
    usable = [whole_headline(a) for a in articles if 4 <= len(a["title"]) <= 60]
    single_pages(usable, folder / "single", 2 * pages, rng)
    brief_pages([a for a in usable if len(a["title"]) <= 60], folder / "brief", 3 * pages, rng)
    natural_pages([a for a in usable if from_newspaper(a)], evenings, folder / "natural", 2 * pages, rng)
    digest_pages(evenings, folder / "digest", max(1, pages // 2), rng)
    return folders + [folder / name for name in ("single", "brief", "natural", "digest")]


def main():
    work, shared, program = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    first_out, second_out = sys.argv[4:]
    rng = random.Random(SEED)
    articles = rows(work / "news.jsonl")
    train, held_out = ([a for a in articles if for_repair(a) == is_held_out] for is_held_out in (False, True))

    def pages_from(articles, name, pages):
        evenings = [items for items in map(items_of, filter(is_digest, articles)) if items]
        articles = [a for a in articles if not is_digest(a)]
        newspaper = [a for a in articles if from_newspaper(a)]
        return [(kind, pages_of(shared, work / "headlines" / (name + kind), chosen, evenings, number, rng))
                for kind, chosen, number in (("newspaper", newspaper, pages), ("all", articles, pages // 4))]

    # Most pages are of newspaper articles; broadcast news, of which there is more, has shorter articles and headlines.
    first, second = [], []
    for run in range(RUNS):
        folders = [folder for _, folders in pages_from(train, f"{run}-", PAGES) for folder in folders]
        x, y, odd = of_folders(program, folders)
        print(f"{len(x)} short lines, {y.mean():.3f} headlines", flush=True)
        first.append(fit(x, y))
        # The second look learns from what a first one says of pages that it has not seen.
        halves = [work / "headlines" / f"{run}-{name}.trees" for name in ("even", "odd")]
        for half, seen in zip(halves, (odd, ~odd)):
            write_trees([fit(x[seen], y[seen])], half)
        x, y, _ = of_folders(program, folders, halves)
        second.append(fit(x, y))
    export(first, first_out, x[:, :first[0].n_features_in_])
    export(second, second_out, x)
    for name, folders in pages_from(held_out, "held-out-", PAGES // 4):
        for folder in [None] + folders:
            of = f"{name}, {folder.name if folder else 'all of them'}"
            among = [folder] if folder else folders
            x, y, _ = of_folders(program, among)
            held_out_figures(f"first look, {of}", first, x, y)
            x, y, _ = of_folders(program, among, [first_out, first_out])
            held_out_figures(f"second look, {of}", second, x, y)


if __name__ == "__main__":
    main()
