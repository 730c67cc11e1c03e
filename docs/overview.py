"""Make the picture at the head of the README: three figures of a run's report, side by side.

glassnet train mnist --out run && glassnet report run && python docs/overview.py run
"""

import sys
from pathlib import Path

from PIL import Image

FIGURES = ("learning-curves", "first-layer-weights", "hardest-images")
HEIGHT, GAP = 560, 24  # pixels


def main(run: Path) -> None:
    figures = [Image.open(run / "report" / f"{name}.png").convert("RGB") for name in FIGURES]
    figures = [figure.resize((round(figure.width * HEIGHT / figure.height), HEIGHT)) for figure in figures]
    sheet = Image.new("RGB", (sum(f.width for f in figures) + GAP * (len(figures) - 1), HEIGHT), "white")
    left = 0
    for figure in figures:
        sheet.paste(figure, (left, 0))
        left += figure.width + GAP
    path = Path(__file__).with_name("overview.png")
    sheet.quantize(128).save(path, optimize=True)
    print(path, sheet.size, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
