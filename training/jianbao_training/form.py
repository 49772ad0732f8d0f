"""How much of what summaries lack to the gold is form: the program leaves out datelines, credits and openers in front of a
sentence, and reads a written-out line end (`\\n`) as one. The gold has both as they are printed.

usage: python -m jianbao_training.form JIANBAO SHARED

Scores the development summaries as they are, and as if each stood in the gold's form.
"""

import pathlib
import sys
import tempfile

from .data import rows
from .robustness import mean, predictions, summary_figures


def main():
    jianbao, shared = sys.argv[1], pathlib.Path(sys.argv[2])
    sys.path.insert(0, str(shared / "tools"))
    import score_extracts as scorer
    path = shared / "data/extracts/dev.jsonl"
    golds = rows(path)
    with tempfile.TemporaryDirectory() as folder:
        read = predictions(jianbao, "extracts", path, shared / "data/dev_articles.jsonl.gz", [], pathlib.Path(folder))

    def line_ends(sentence):
        return scorer.chars(sentence.replace("\\n", "\n"))

    for name, form, is_whole in (("as it is", scorer.chars, False), ("line ends", line_ends, False),
                                 ("whole sentences", scorer.chars, True), ("both", line_ends, True)):
        figures = []
        for gold in golds:
            sentences = [form(s) for s in gold["sentences"]]
            summary = [scorer.chars(s) for s in read[gold["id"]]["summary"]]
            if is_whole:
                summary = [next((whole for whole in sentences if s in whole), s) for s in summary]
            summary = sorted(dict.fromkeys(summary), key=lambda s: sentences.index(s) if s in sentences else len(sentences))
            wanted = [sentences[k] for k in sorted(gold["sum"])]
            figures.append(summary_figures(scorer, summary, wanted))
        print(f"{name:15}", *(f"{mean(column):.3f}" for column in zip(*figures)))


if __name__ == "__main__":
    main()
