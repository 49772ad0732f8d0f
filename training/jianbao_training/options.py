"""Options of the programs that learn an encoder from a pack."""

import argparse
import pathlib


def parser(about, epochs):
    """What `language` and `joint` have in common; `epochs` is the default."""
    out = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("pack", type=pathlib.Path)
    out.add_argument("out", type=pathlib.Path)
    out.add_argument("--start", type=pathlib.Path, required=True)
    out.add_argument("--tokenizer", type=pathlib.Path, required=True)
    out.add_argument("--keep", default="0,1,2,3,4,5")
    out.add_argument("--epochs", type=float, default=epochs)
    out.add_argument("--minutes", type=float, default=float("inf"), help="the schedule ends by then")
    return out
