#!/usr/bin/env bash
# A rehearsal of train.sh: the same scripts, from the base weights to a model folder that `jianbao` loads, with every
# twelfth article and four minutes of learning. It says that everything runs, not how well it learns.
#   training/rehearse.sh [FOLDER]      (default: a temporary one; an hour on two cores, a third of it builds)
# Works on a clone of this repository, so on what is committed, and on a part of ../shared: nothing here changes.
# PYTHON_ENV=VENV spares installing packages; MINUTES are for all of learning.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
folder=${1:-$(mktemp -d)}
[ ! -e "$folder/main" ] || { echo "$folder has a rehearsal already: give another folder" >&2; exit 2; }
mkdir -p "$folder/work"
folder=$(cd "$folder" && pwd)
echo "rehearsing in $folder"
# The clone builds for itself: its program has the rehearsal's model inside. And it learns on the CPU.
unset CARGO_TARGET_DIR
export CUDA_VISIBLE_DEVICES=

git clone -q "$root" "$folder/main"
python3 - "$root/../shared" "$folder/shared" "$folder/main/training/labels" <<'PYTHON'
import gzip, json, pathlib, shutil, sys

shared, out, labels = map(pathlib.Path, sys.argv[1:])
EVERY = 12
(out / "data").mkdir(parents=True)
shutil.copytree(shared / "tools", out / "tools")
read = lambda path: (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf8")
with read(shared / "data/news.jsonl.gz") as lines:
    kept = {json.loads(line)["id"] for line in list(lines)[::EVERY]}
for source in sorted((shared / "data").rglob("*.jsonl*")):
    if source.name.startswith("reserved"):
        continue
    target = out / "data" / source.relative_to(shared / "data")
    target.parent.mkdir(exist_ok=True)
    with read(source) as lines, (gzip.open if target.suffix == ".gz" else open)(target, "wt", encoding="utf8") as chosen:
        chosen.writelines(line for line in lines if "dev" in source.name or json.loads(line).get("id") in kept)
for path in labels.glob("*.jsonl"):
    lines = [line for line in path.read_text(encoding="utf8").splitlines(True) if json.loads(line)["id"] in kept]
    path.write_text("".join(lines), encoding="utf8")
PYTHON
# Pages are made by the hundred, whatever the number of articles.
sed -i -E 's/^PAGES = [0-9]+/PAGES = 48/' "$folder"/main/training/jianbao_training/{headline,repair}.py
[ -z "${PYTHON_ENV:-}" ] || ln -s "$(realpath "$PYTHON_ENV")" "$folder/work/venv"

MINUTES=${MINUTES:-4} "$folder/main/training/train.sh" "$folder/work"
cd "$folder/main"
cargo run --release -q -- summarize examples/page.txt --model models/news > "$folder/record.json"
echo "rehearsed: $folder/main/models/news reads the example page ($(wc -c < "$folder/record.json") bytes of record)"
