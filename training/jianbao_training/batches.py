"""The arrays that `pack` wrote, as batches: everything of some articles in a few flat tensors."""

import json
import random
from types import SimpleNamespace

import numpy as np
import torch

from .heads import MAX_TITLE, MAX_WINDOW, SEAM_TOKENS, marks, windows

MAX_TRAIN_WINDOWS = 3
ROUND = 32                 # lengths are padded to multiples of so many tokens
NOISE = 0.03
REPRINTED = 80             # tokens; two articles that begin with the same ones are one
LEFT_OPEN = "。！？；”…"      # a seam does not stand after these
RIGHT_OPEN = "。！？；，、”）》"   # nor before these


class Ragged:
    """`pack.Columns` again: item k is `values[ends[k - 1]:ends[k]]`."""

    def __init__(self, arrays, name):
        self.values, self.ends = arrays[name], np.concatenate([[0], np.cumsum(arrays[name + ".n"], dtype=np.int64)])

    def __len__(self):
        return len(self.ends) - 1

    def __getitem__(self, k):
        return self.values[self.ends[k]:self.ends[k + 1]]

    def range(self, k):
        return slice(self.ends[k], self.ends[k + 1])


class Features:
    """Rows of features, stored column by column as levels."""

    def __init__(self, arrays, name):
        self.levels, self.columns = arrays[name + ".levels"], np.ascontiguousarray(arrays[name + ".features"].T)
        self.index = np.arange(len(self.levels))

    def __call__(self, rows):
        return self.levels[self.index, self.columns[rows]]

    def __len__(self):
        return len(self.columns)


def pad_ids(sequences, length=None):
    longest = length or -(-max(map(len, sequences)) // ROUND) * ROUND
    out = np.zeros((len(sequences), longest), np.int64)
    for row, ids in zip(out, sequences):
        row[:len(ids)] = ids
    return torch.from_numpy(out)


def noisy(ids, rng):
    """Some tokens replaced by any others, as bad scans do."""
    ids = np.array(ids, np.int64)
    hit = (rng.random(len(ids)) < NOISE) & (ids > 103)
    ids[hit] = rng.integers(700, 11000, hit.sum())
    return ids


class Pack:
    def __init__(self, path, tokenizer):
        arrays = np.load(path)
        self.arrays = arrays = {k: arrays[k] for k in arrays.files}
        self.meta = json.loads(path.with_suffix(".json").read_text())
        ragged = "title body sentence sentence.chosen place place.owner candidate.right candidate.weight context.sentence context.candidate"
        self.of = {name: Ragged(arrays, name) for name in ragged.split()}
        self.features = {name: Features(arrays, name) for name in ("salience", "keyword", "context.salience", "context.keyword")}
        self.news_title, self.news_body, self.news_paragraph = (Ragged(arrays, "news." + k) for k in ("title", "body", "paragraph"))
        self.dev_title, self.dev_body = Ragged(arrays, "dev.title"), Ragged(arrays, "dev.body")
        self.ngrams = arrays["ngrams"].astype(np.float32)
        self.dev_ngrams = arrays["dev.ngrams"].astype(np.float32)
        self.sector_of = dict(zip(arrays["sector.article"].tolist(), arrays["sector.target"].astype(np.float32)))
        self.leave_reprints_out()
        self.cls, self.sep, self.mask = (tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]", "[MASK]"))
        self.marks = marks(tokenizer)
        self.closed = [{tokenizer.token_to_id(c) for c in marks} for marks in (LEFT_OPEN, RIGHT_OPEN)]

    def leave_reprints_out(self):
        """An article that is held out and was printed twice, once with a label that is learnt, measures nothing."""
        head = lambda i: self.news_body[i][:REPRINTED].tobytes()
        learnt = {head(i) for i in self.sector_of}
        kept = np.array([head(i) not in learnt for i in self.arrays["held.article"]], bool)
        for name in ("held.article", "held.sector", "held.also"):
            self.arrays[name] = self.arrays[name][kept]

    def kind(self, kind):
        return [k for k, m in enumerate(self.meta) if m["kind"] == kind]

    def length(self, k):
        return len(self.of["title"][k]) + len(self.of["body"][k])

    # Labelled articles.

    def batch(self, articles, rng=None, noise=0.0, max_windows=MAX_TRAIN_WINDOWS):
        """All that both readings need of some labelled articles. `rows`: for every token of title and body, in order, its place
        in the padded windows. Ranges of tokens count from the batch's first token."""
        sequences, token_at, ends = [], [], [0]
        columns = {name: [] for name in ("sentence", "sentence.article", "sentence.slot", "chosen", "salience", "place", "place.owner",
                                         "candidate.article", "candidate.slot", "right", "weight", "keyword", "told.sentence", "told.salience",
                                         "told.sentence.slot", "told.candidate", "told.keyword", "told.candidate.slot")}
        sentences = candidates = 0
        most = {"sentence": 1, "candidate": 1, "told.sentence": 1, "told.candidate": 1}
        for n, k in enumerate(articles):
            title, body = self.of["title"][k].tolist(), self.of["body"][k].tolist()
            spoiled = rng is not None and rng.random() < noise
            tokens = 0
            for ids, head, start in windows(title, body, self.cls, self.sep, self.marks)[:max_windows]:
                row, length = len(sequences), len(ids) - head - 1
                sequences.append(noisy(ids, rng) if spoiled else ids)
                if start == 0:
                    token_at.append(row * MAX_WINDOW + 1 + np.arange(min(len(title), MAX_TITLE)))
                    tokens += len(token_at[-1])
                token_at.append(row * MAX_WINDOW + head + np.arange(length))
                tokens += length
            base = ends[-1]
            ends.append(base + tokens)

            def add(name, values):
                columns[name].append(values)

            ranges = self.of["sentence"][k].astype(np.int64)
            inside = int((ranges[:, 1] <= tokens).sum())
            rows = self.of["sentence"].range(k)
            add("sentence", ranges[:inside] + base), add("sentence.article", np.full(inside, n)), add("sentence.slot", np.arange(inside))
            add("chosen", self.of["sentence.chosen"][k][:inside].astype(np.float32))
            add("salience", self.features["salience"](np.arange(rows.start, rows.start + inside)))
            told = self.of["context.sentence"][k].astype(np.int64)
            kept = told < inside
            rows = self.of["context.sentence"].range(k)
            add("told.sentence", told[kept] + sentences), add("told.salience", self.features["context.salience"](np.arange(rows.start, rows.stop)[kept]))
            add("told.sentence.slot", np.stack([np.full(kept.sum(), n), np.arange(kept.sum())], 1))
            most["sentence"], most["told.sentence"] = max(most["sentence"], inside), max(most["told.sentence"], int(kept.sum()))
            sentences += inside

            places, owner = self.of["place"][k].astype(np.int64), self.of["place.owner"][k].astype(np.int64)
            read = places[:, 1] <= tokens
            right, rows = self.of["candidate.right"][k], self.of["candidate.right"].range(k)
            present = np.zeros(len(right), bool)
            present[owner[read]] = True
            number = np.cumsum(present) - 1
            count = int(present.sum())
            add("place", places[read] + base), add("place.owner", number[owner[read]] + candidates)
            add("candidate.article", np.full(count, n)), add("candidate.slot", np.arange(count))
            add("right", right[present].astype(np.float32)), add("weight", self.of["candidate.weight"][k][present].astype(np.float32))
            add("keyword", self.features["keyword"](np.arange(rows.start, rows.stop)[present]))
            told = self.of["context.candidate"][k].astype(np.int64)
            kept = present[told]
            rows = self.of["context.candidate"].range(k)
            add("told.candidate", number[told[kept]] + candidates), add("told.keyword", self.features["context.keyword"](np.arange(rows.start, rows.stop)[kept]))
            add("told.candidate.slot", np.stack([np.full(kept.sum(), n), np.arange(kept.sum())], 1))
            most["candidate"], most["told.candidate"] = max(most["candidate"], count), max(most["told.candidate"], int(kept.sum()))
            candidates += count
        ids = pad_ids(sequences)
        at = np.concatenate(token_at)
        b = SimpleNamespace(articles=torch.tensor(articles), ids=ids, rows=torch.from_numpy(at // MAX_WINDOW * ids.shape[1] + at % MAX_WINDOW),
                            ends=torch.tensor(ends), most=most)
        for name, parts in columns.items():
            setattr(b, name.replace(".", "_"), torch.from_numpy(np.concatenate(parts)))
        news = [self.meta[k]["news"] for k in articles]
        labelled = [n for n, i in enumerate(news) if i in self.sector_of]
        b.sector_rows = torch.tensor(labelled, dtype=torch.long)
        b.sector_target = torch.from_numpy(np.stack([self.sector_of[news[n]] for n in labelled])) if labelled else torch.zeros(0, self.ngrams.shape[2])
        b.sector_news = torch.tensor([news[n] for n in labelled], dtype=torch.long)
        b.ngrams = torch.from_numpy(np.stack([self.ngrams[news[n]][0 if len(self.of["title"][articles[n]]) else 1] for n in labelled])) if labelled else b.sector_target
        return b

    # Sectors.

    def sector_sequence(self, title, body, with_title, limit):
        """Ids, and which of them stand for text."""
        title = title[:MAX_TITLE] if with_title else title[:0]
        head = [self.cls, *title, self.sep] if len(title) else [self.cls]
        body = body[:limit - len(head) - 1]
        marks = [0] + ([1] * len(title) + [0] if len(title) else []) + [1] * len(body) + [0]
        return [*head, *body, self.sep], marks

    def sectors(self, news, limit, rng=None, untitled=0.0, noise=0.0):
        """Articles of the news by number: ids, marks, n-gram logits, and whether each kept its title."""
        sequences, marks, ngrams, titles = [], [], [], []
        for i in news:
            with_title = len(self.news_title[i]) > 0 and not (rng is not None and rng.random() < untitled)
            ids, mark = self.sector_sequence(self.news_title[i], self.news_body[i], with_title, limit)
            sequences.append(noisy(ids, rng) if rng is not None and rng.random() < noise else ids)
            marks.append(mark), ngrams.append(self.ngrams[i][0 if with_title else 1]), titles.append(with_title)
        return pad_ids(sequences), pad_ids(marks), torch.from_numpy(np.stack(ngrams)), titles

    def dev_sectors(self, with_title=True):
        made = [self.sector_sequence(t, b, with_title, MAX_WINDOW) for t, b in zip(self.dev_title, self.dev_body)]
        return pad_ids([ids for ids, _ in made]), pad_ids([marks for _, marks in made]), torch.from_numpy(self.dev_ngrams[:, 0 if with_title else 1])

    def held_out_sectors(self, limit):
        """As `dev_sectors`, of the articles whose sectors are held out, with their titles."""
        ids, marks, ngrams, _ = self.sectors(self.arrays["held.article"], limit)
        return ids, marks, ngrams

    def sector_figures(self, best, part="dev"):
        """Accuracy, accuracy that counts `also`, macro-F1 of one sector for each article of a part: `dev` or `held`."""
        wanted = self.arrays[part + ".sector"]
        right = best == wanted
        f1 = [2 * (right & (best == k)).sum() / max(1, (best == k).sum() + (wanted == k).sum()) for k in np.unique(wanted)]
        return right.mean(), (right | self.arrays[part + ".also"][np.arange(len(best)), best]).mean(), np.mean(f1)

    # Seams.

    def paragraphs(self, i):
        ends = np.cumsum(self.news_paragraph[i], dtype=np.int64)
        body = self.news_body[i]
        return [body[e - n:e] for e, n in zip(ends, self.news_paragraph[i]) if n > 60]

    def cut(self, paragraph, rng):
        """Tokens before and after a place inside a sentence."""
        for _ in range(20):
            at = rng.randrange(12, len(paragraph) - 12)
            if paragraph[at - 1] not in self.closed[0] and paragraph[at] not in self.closed[1]:
                return paragraph[max(0, at - 40):at], paragraph[at:at + 40]
        return None

    def seams(self, n, rng, noise=0.0):
        """n left sides, each against its own right side and three others, two from the same article when there are, and once against
        the beginning of a paragraph: ids, and the two places that meet."""
        sequences, places, spoil = [], [], np.random.default_rng(rng.randrange(1 << 30))
        while len(sequences) < 5 * n:
            article, other = (self.paragraphs(rng.randrange(len(self.news_body))) for _ in range(2))
            if len(article) < 2 or len(other) < 2:
                continue
            own = [self.cut(p, rng) for p in rng.sample(article, min(3, len(article)))]
            foreign = [self.cut(rng.choice(other), rng) for _ in range(2)]
            if None in own or None in foreign:
                continue
            left = own[0][0][-SEAM_TOKENS:]
            left = noisy(left, spoil) if rng.random() < noise else left
            for right in [r for _, r in own + foreign][:4] + [rng.choice(article + other)[:40]]:
                sequences.append([self.cls, *left, *right[:SEAM_TOKENS], self.sep])
                places.append((len(left), len(left) + 1))
        return pad_ids(sequences, 64), torch.tensor(places)


def of_one_length(items, length, tokens, rng, spread=200):
    """Batches of about so many tokens, of items of about one length, in any order."""
    order = sorted(items, key=lambda k: length(k) + spread * rng.random())
    batches, batch, filled = [], [], 0
    for k in order:
        batch.append(k)
        filled += length(k)
        if filled >= tokens:
            batches.append(batch)
            batch, filled = [], 0
    rng.shuffle(batches)
    return batches
