"""Reading `../shared/data`. Reserved articles are never opened here."""

import gzip
import hashlib
import json
import pathlib
import unicodedata

SECTORS = ("politics law economy finance industry agriculture trade energy transport construction technology "
           "education health society culture sports environment military international disaster other").split()
SECTOR_INDEX = {k: i for i, k in enumerate(SECTORS)}


def rows(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN_LABELS = ROOT / "training/labels/articles.jsonl"
OWN_SECTORS = ROOT / "training/labels/sectors.jsonl"
UNTITLED_SHARE = 3        # every so many articles can be read without its title
TRADITIONAL = ROOT / "prompts/traditional.txt"


def own_labels():
    return rows(OWN_LABELS)


def own_extracts(news):
    """Our own labels in the form of `extracts/train.jsonl`; `also` names sentences that could have been taken, `again` holds the
    further readings of an article that was read more than once."""
    out = {}
    for r in own_labels():
        cut = [news[r["id"]]["text"][a:b] for a, b in r["sum"] + r["also"]]
        chosen = len(r["sum"])
        reading = dict(id=r["id"], sentences=cut, sum=list(range(chosen)), also=list(range(chosen, len(cut))), kw=r["kw"])
        if r["id"] in out:
            out[r["id"]]["again"].append(reading)
        else:
            out[r["id"]] = dict(reading, again=[])
    return out


def sector_labels(shared_data, held_out=False):
    """{id: readings}, each {sector, also}, of the training articles: those of `../shared`, and our own of title and lead, which
    follow the same brief. Sectors that were given while reading whole articles for their summaries are further from it
    (`training/labels/README.md`): they count where there is nothing else.

    One in nine of the articles whose only reading is one of title and lead is `held_out`: the 400 development articles
    alone tell no two models apart."""
    given, labels = rows(shared_data / "sectors/train.jsonl"), {}
    of_whole_articles = [r for r in own_labels() if "sector" in r]
    for r in given + rows(OWN_SECTORS):
        labels.setdefault(r["id"], []).append(r)
    for r in of_whole_articles:
        labels.setdefault(r["id"], [dict(sector=r["sector"], also=r["sector_also"])])
    otherwise_read = {r["id"] for r in given + of_whole_articles}
    is_held_out = lambda i: i not in otherwise_read and _lot(i) % 9 == 1
    return {i: readings for i, readings in labels.items() if is_held_out(i) == held_out}


def simplified_to_traditional():
    """A table for `str.translate`, from the one that the program folds by."""
    table = {}
    for line in TRADITIONAL.read_text(encoding="utf8").splitlines():
        if not line.startswith("#"):
            for k in range(0, len(line) - 1, 2):
                table.setdefault(ord(line[k + 1]), line[k])
    return table


def _lot(article_id):
    return int(hashlib.sha256(article_id.encode()).hexdigest(), 16)


def for_repair(article):
    """One article in seven: kept from the table of seams and the headline trees, since the trees of repair, which read
    what they say, are trained on its pages. (The tables of borders and the encoder read all articles.)"""
    return _lot(article["id"]) % 7 == 0


def held_out(article):
    """Of those, one in eight: for what the trees of repair are worth on articles they have not seen."""
    return _lot(article["id"]) // 7 % 8 == 0


def from_newspaper(article):
    """From People's Daily: the only source here that is printed."""
    return article["id"].startswith("rmrb")


def is_han(c):
    return "\u4e00" <= c <= "\u9fff"


def misread(text, rng, share, characters):
    """Characters taken for others, as bad scans do; marks and line ends stay."""
    return "".join(rng.choice(characters) if is_han(c) and rng.random() < share else c for c in text)


def fold(text):
    """Full-width letters and digits to half-width; the Rust side does this and more (`text/fold.rs`)."""
    return "".join(unicodedata.normalize("NFKC", c) if "０" <= c <= "ｚ" and c.isalnum() else c for c in text)


def soft_sector(readings, share=0.2):
    """Label distribution of one article: the mean of its readings, in each of which the secondaries share `share` of the mass."""
    target = [0.0] * len(SECTORS)
    for row in readings:
        also = [s for s in row["also"] if s in SECTOR_INDEX]
        given = share if also else 0.0
        target[SECTOR_INDEX[row["sector"]]] += (1.0 - given) / len(readings)
        for s in also:
            target[SECTOR_INDEX[s]] += given / len(also) / len(readings)
    return target
