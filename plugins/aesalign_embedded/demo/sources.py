"""The photographs that scikit-image and scikit-learn carry in their packages, and what people would ask for them.

Each was looked at; drawings, scans of text, microscope pictures and test charts among them were left out. They are
read from the installed packages, never fetched. Queries were written by hand, looking at the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from aesalign_core.errors import AesalignError

Kind = Literal["people", "life", "things", "places", "sky", "ground"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Source:
    """One photograph.

    Attributes:
        name: What we call it.
        kind: What it shows, broadly. One source of each kind is held out.
        package: The package that carries it.
        file: Its place in there.
        subject: (left, top, right, bottom) as shares of width and height: what a good view of it must hold.
        queries: Short and longer ones.
    """

    name: str
    kind: Kind
    package: str
    file: str
    subject: Box
    queries: tuple[str, ...]

    def path(self) -> Path:
        """The photograph's file.

        Raises:
            AesalignError: The installed package does not carry it.
        """
        path = Path(str(files(self.package))) / self.file
        if not path.is_file():
            raise AesalignError(
                f"the installed {self.package.partition('.')[0]} does not carry {self.file}",
                hint="pip install --upgrade scikit-image scikit-learn, or give a folder of your own photos",
            )
        return path


_SKIMAGE, _SKLEARN = "skimage.data", "sklearn.datasets.images"
_ALL: Box = (0.3, 0.3, 0.7, 0.7)  # a texture or a sky looks like itself wherever it is cut

SOURCES: tuple[Source, ...] = (
    Source(
        "astronaut", "people", _SKIMAGE, "astronaut.png", (0.12, 0.02, 0.75, 0.72),
        ("an astronaut", "a smiling woman in a space suit", "portrait of an astronaut", "a woman in an orange suit",
         "a woman with short blond hair smiles at the camera", "an astronaut in front of an American flag",
         "a person in an orange flight suit holding a helmet", "official portrait with a flag and a model rocket",
         "a happy woman in uniform", "woman in a pressure suit with mission patches"),
    ),
    Source(
        "photographer", "people", _SKIMAGE, "camera.png", (0.05, 0.08, 0.78, 0.9),
        ("a man with a camera", "a photographer at work", "black and white photo of a cameraman",
         "a man in a long black coat", "a man looks through a camera on a tripod",
         "a person filming outdoors in a field", "a tripod on the grass",
         "a man bending down to take a picture, buildings behind him", "someone taking photographs in a park",
         "a dark haired man beside a tripod"),
    ),
    Source(
        "cat", "life", _SKIMAGE, "chelsea.png", (0.28, 0.12, 0.85, 0.95),
        ("a cat", "a close-up of a tabby cat", "the face of an orange cat", "a kitten with green eyes",
         "a cat looking straight ahead", "portrait of a pet cat", "an animal with whiskers and a pink nose",
         "a ginger cat lying on a blanket", "a striped cat stares past the camera", "a furry animal"),
    ),
    Source(
        "dahlia", "life", _SKLEARN, "flower.jpg", (0.3, 0.12, 0.75, 0.82),
        ("a flower", "an orange flower in bloom", "a dahlia", "close-up of a blossom with many petals",
         "a round orange flower against dark green leaves", "a plant in a garden", "petals of a flower",
         "a single peach coloured bloom", "a flower with a blurred background", "macro picture of a garden flower"),
    ),
    Source(
        "coffee", "things", _SKIMAGE, "coffee.png", (0.12, 0.05, 0.85, 0.95),
        ("a cup of coffee", "an espresso on a wooden table", "a red cup and saucer", "a hot drink in a cup",
         "coffee in a red cup with a spoon on the saucer", "a cafe table with an espresso", "breakfast coffee",
         "a mug seen from above", "a drink on a table", "a small spoon beside a cup of black coffee"),
    ),
    Source(
        "motorcycle", "things", _SKIMAGE, "motorcycle_left.png", (0.1, 0.12, 0.95, 0.92),
        ("a motorcycle", "a red motorbike in a garage", "a parked motorcycle", "a vintage red motorcycle",
         "a motorbike in front of shelves with boxes", "a vehicle with two wheels",
         "a shiny red bike on a concrete floor", "a workshop with a motorcycle", "a motorcycle seen from the side",
         "red motorcycle with a black seat"),
    ),
    Source(
        "coins", "things", _SKIMAGE, "coins.png", (0.2, 0.2, 0.8, 0.8),
        ("coins", "old coins in rows", "a collection of ancient coins", "round metal objects on a dark background",
         "black and white photo of coins", "rows of worn Roman coins", "money from long ago", "a museum coin display",
         "many small round coins of different sizes", "silver coins laid out on cloth"),
    ),
    Source(
        "pagoda", "places", _SKLEARN, "china.jpg", (0.16, 0.08, 0.66, 0.9),
        ("a temple", "a Chinese pagoda", "a temple with curved roofs", "an Asian tower among trees",
         "a red and green temple above a lake", "traditional Chinese architecture", "a tall building with many roofs",
         "a pagoda on a hill on a hazy day", "a palace overlooking the water", "a famous building for tourists"),
    ),
    Source(
        "launch pad", "places", _SKIMAGE, "rocket.jpg", (0.25, 0.2, 0.75, 0.98),
        ("a rocket", "a rocket on its launch pad", "a rocket at dusk", "a spaceship before launch",
         "a white rocket between tall towers under a blue evening sky", "a launch site at night with bright lights",
         "lightning towers around a rocket", "a space launch", "lights glow at the foot of a rocket",
         "steel towers against a dark blue sky"),
    ),
    Source(
        "moon", "sky", _SKIMAGE, "moon.png", _ALL,
        ("the moon", "the surface of the moon", "craters on the moon", "a grey lunar landscape",
         "black and white picture of a crater", "a plain with craters seen from above", "the moon up close",
         "a barren grey surface", "a spacecraft's view of the moon", "a rocky dusty surface with small holes"),
    ),
    Source(
        "galaxies", "sky", _SKIMAGE, "hubble_deep_field.jpg", _ALL,
        ("galaxies", "stars in the night sky", "deep space", "thousands of galaxies on black",
         "a telescope picture of the universe", "small colourful lights on a black background", "a starry sky",
         "the night sky full of stars", "outer space", "an astronomy photograph of distant galaxies"),
    ),
    Source(
        "bricks", "ground", _SKIMAGE, "brick.png", _ALL,
        ("a brick wall", "bricks", "grey bricks in a row", "a wall made of stone", "a pavement of bricks",
         "texture of a brick wall", "black and white photo of brickwork", "long narrow bricks with pale mortar",
         "the side of a building", "a pattern of rectangular stones"),
    ),
    Source(
        "grass", "ground", _SKIMAGE, "grass.png", _ALL,
        ("grass", "a lawn", "grass and leaves on the ground", "a patch of grass seen from above",
         "black and white photo of grass", "blades of grass", "a field close up", "texture of a meadow",
         "dry leaves in the grass", "the ground of a garden"),
    ),
    Source(
        "gravel", "ground", _SKIMAGE, "gravel.png", _ALL,
        ("gravel", "small stones", "pebbles on the ground", "a heap of rocks", "a gravel path seen from above",
         "black and white photo of stones", "many little rocks", "texture of gravel", "a stony ground",
         "crushed stone, close up"),
    ),
)  # fmt: skip
