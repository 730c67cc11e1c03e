"""What is known of each data set that has a name: whose it is, its files and their sums.

The sums are MD5, those that torchvision checks.
"""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import NamedTuple

from .arrays import class_names
from .idx import FILES
from .named_readers import Reader, emnist_reader, read_idx_files, read_qmnist, read_usps

__all__ = ["NAMED_FILES", "Card", "NamedFiles"]


class Card(NamedTuple):
    """What to know of a data set before it is used."""

    title: str
    content: str
    licence: str
    beware: str


class NamedFiles(NamedTuple):
    """A data set that is made of files from the network.

    Attributes:
        card: what to know of it.
        folders: where the files may be under ``$GLASSNET_DATA``: a folder of its name, or as torchvision leaves them.
        mirrors: addresses that end in a slash.
        sums: the MD5 of each file.
        classes: their names.
        read: makes training and test images of the files, by name.
    """

    card: Card
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    sums: Mapping[str, str]
    classes: tuple[str, ...]
    read: Reader


def _idx_sums(*sums: str) -> dict[str, str]:
    """Return the sums of MNIST's four files by name, in the order of `idx.FILES`."""
    return {f"{name}.gz": known for name, known in zip(FILES.values(), sums, strict=True)}


def _emnist(split: str, content: str, classes: Sequence[str] | int, first: int, beware: str) -> NamedFiles:
    return NamedFiles(
        Card(
            f"EMNIST {split}",
            f"{content}; Cohen, Afshar, Tapson and van Schaik, 2017, from NIST's Special Database 19",
            "made by NIST and the authors; no licence is stated",
            f"the files have rows and columns exchanged, which is undone here; {beware}; the "
            "download has 540 MB, since it holds all six splits",
        ),
        ("emnist", "EMNIST/raw"),
        ("https://biometrics.nist.gov/cs_links/EMNIST/",),
        {"gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"},
        class_names(classes),
        emnist_reader(split, first),
    )


NAMED_FILES = {
    "fashion-mnist": NamedFiles(
        Card(
            "Fashion-MNIST",
            "60,000 and 10,000 pictures of clothes, 28×28 pixels; Xiao, Rasul and Vollgraf, 2017, of Zalando",
            "MIT",
            "its files have the names of MNIST's: keep them in a folder of their own",
        ),
        ("fashion-mnist", "FashionMNIST/raw"),
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        _idx_sums(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        read_idx_files,
    ),
    "kmnist": NamedFiles(
        Card(
            "Kuzushiji-MNIST",
            "60,000 and 10,000 cursive Japanese characters, 28×28 pixels; Clanuwat and others, 2018, of CODH",
            "CC BY-SA 4.0: name the authors, and share what you make of it alike",
            "a character of one class may be written in quite different ways; its files have the names of MNIST's",
        ),
        ("kmnist", "KMNIST/raw"),
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
        _idx_sums(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        read_idx_files,
    ),
    "emnist-digits": _emnist(
        "digits",
        "240,000 and 40,000 digits, 28×28 pixels",
        10,
        0,
        "it has digits that are in MNIST too, so a network trained on one must not be tested on the other",
    ),
    "emnist-letters": _emnist(
        "letters",
        "124,800 and 20,800 letters, 28×28 pixels, capital and small ones in one class",
        tuple(ascii_lowercase),
        1,
        "its labels begin with 1, here with 0",
    ),
    "qmnist": NamedFiles(
        Card(
            "QMNIST",
            "60,000 and 60,000 digits, 28×28 pixels, MNIST made again from NIST's files; Yadav and Bottou, 2019",
            "BSD",
            "the first 10,000 test images are MNIST's own, the other 50,000 those that MNIST left out; its training "
            "images are MNIST's but for small differences in the pixels, so do not test on MNIST what was trained here",
        ),
        ("qmnist", "QMNIST/raw"),
        ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
        {
            "qmnist-train-images-idx3-ubyte.gz": "ed72d4157d28c017586c42bc6afe6370",
            "qmnist-train-labels-idx2-int.gz": "0058f8dd561b90ffdd0f734c6a30e5e4",
            "qmnist-test-images-idx3-ubyte.gz": "1394631089c404de565df7b7aeaf9412",
            "qmnist-test-labels-idx2-int.gz": "5b5b05890a5e13444e108efe57b788aa",
        },
        class_names(10),
        read_qmnist,
    ),
    "usps": NamedFiles(
        Card(
            "USPS",
            "7,291 and 2,007 digits from envelopes, 16×16 pixels; Hull, 1994, in LIBSVM's format",
            "no licence is stated",
            "its test images are harder than its training images, so that validation accuracy is the higher one; "
            "its labels begin with 1, here with 0",
        ),
        ("usps", "USPS"),
        ("https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/",),
        {"usps.bz2": "ec16c51db3855ca6c91edd34d0e9b197", "usps.t.bz2": "8ea070ee2aca1ac39742fdd1ef5ed118"},
        class_names(10),
        read_usps,
    ),
}
"""The data sets by name."""
