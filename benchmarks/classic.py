"""What docs/evaluation.md compares an aligned encoder on: lists, captions and classes of captioned photographs.

    python -m benchmarks.classic --photos FOLDER --out FOLDER

The first 800 photographs are indexed; captions of one half of them go into training, the other half is tested.
Queries for training and classes are of others. A photograph is of a class if three of its five captions name that
class, and of no other three do.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from pathlib import Path

from aesalign_core.captions import Caption, read_captions, write_captions
from aesalign_core.files import write_text

INDEXED, QUERIES, EACH, AGREE = 800, 100, 40, 3
CLASSES = {
    "dog": "dog", "bicycle": "bike|bicycle", "beach": "beach", "snow": "snow", "rock climber": "climber|climbing",
    "soccer": "soccer", "horse": "horse", "skateboard": "skateboard|skateboarder", "pool": "pool",
    "surfer": "surfer|surfing",
}  # fmt: skip


def prepare(photos: Path, out: Path) -> Counter[str]:
    """Writes `photos.txt`, `asked.txt`, `train.csv`, `test.csv` and `classes/`; says how many photos a class has."""
    said: defaultdict[str, list[str]] = defaultdict(list)
    for caption in read_captions(photos / "captions.csv"):
        said[caption.file].append(caption.text)
    files, images = sorted(said), photos.resolve() / "images"
    indexed, queried, others = files[:INDEXED], files[INDEXED : INDEXED + QUERIES], files[INDEXED + QUERIES :]
    write_text(out / "photos.txt", "".join(f"{images / file}\n" for file in indexed))
    write_text(out / "asked.txt", "".join(f"{said[file][0]}\n" for file in queried))
    for name, part in (("train", indexed[: INDEXED // 2]), ("test", indexed[INDEXED // 2 :])):
        write_captions(out / f"{name}.csv", [Caption(file, text) for file in part for text in said[file]])
    count: Counter[str] = Counter()
    for file in others:
        kind = class_of(said[file])
        if kind and count[kind] < EACH:
            count[kind] += 1
            (out / "classes" / kind).mkdir(parents=True, exist_ok=True)
            (out / "classes" / kind / file).symlink_to(images / file)
    return count


def class_of(captions: list[str]) -> str | None:
    """The only class that enough captions name."""
    named = [
        kind
        for kind, words in CLASSES.items()
        if sum(bool(re.search(rf"\b({words})s?\b", text.lower())) for text in captions) >= AGREE
    ]
    return named[0] if len(named) == 1 else None


def main() -> None:
    """Reads the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    print(dict(prepare(given.photos, given.out)))


if __name__ == "__main__":
    main()
