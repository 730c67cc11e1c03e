import io
import os
import re
import struct
import sys
import time
import zlib
from contextlib import suppress

import numpy as np
import pytest
from complaints import only_complaints_about
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from glassnet.data import read_picture
from glassnet.errors import DataError

GRAY = np.random.default_rng(0).integers(0, 256, (12, 9), np.uint8)
FULL = np.where(GRAY < 20, 0, np.where(GRAY > 235, 255, GRAY)).astype(np.uint8)  # from black to white


def encoded(array, kind="PNG", **options):
    file = io.BytesIO()
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(file, kind, **options)
    return file.getvalue()


def png_that_claims(width, height):
    """A PNG of a few bytes whose header promises a picture of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = b""
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 10)), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_gray_pictures_come_back(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(GRAY))
    for source in (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        encoded(GRAY),
        encoded(Image.fromarray(GRAY).convert("RGB")),
    ):
        found = read_picture(source)
        assert found.dtype == np.uint8
        assert np.array_equal(found, GRAY)


def test_kinds_of_png():
    for step in (1, 16, 257):  # cameras leave values of any range in the 16 bits
        assert np.array_equal(read_picture(encoded(FULL.astype(np.uint16) * step)), FULL)
    two = encoded(Image.fromarray(GRAY > 127))
    assert np.array_equal(read_picture(two), np.where(GRAY > 127, 255, 0))
    palette = encoded(Image.fromarray(GRAY // 64 * 64).convert("P"))
    assert np.array_equal(read_picture(palette), GRAY // 64 * 64)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "WEBP"])
def test_other_forms_whatever_the_file_is_called(tmp_path, kind):
    content = encoded(GRAY, kind, **({"lossless": True} if kind == "WEBP" else {}))
    (tmp_path / "a.png").write_bytes(content)
    assert np.abs(read_picture(tmp_path / "a.png").astype(int) - GRAY).max() <= 1


def test_numbers_with_fractions():
    assert np.array_equal(read_picture(encoded(FULL.astype(np.float32) / 255, "TIFF")), FULL)
    holes = np.where(GRAY > 250, np.nan, GRAY).astype(np.float32)
    assert read_picture(encoded(holes, "TIFF")).shape == GRAY.shape


def test_a_palette_that_is_missing():
    header = struct.pack(">IIBBBBB", 12, 12, 8, 3, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 13 * 12)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    with pytest.raises(DataError, match="truncated or damaged"):
        read_picture(content)


def test_jpeg():
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    found = read_picture(encoded(smooth, "JPEG", quality=95))
    assert np.abs(found.astype(int) - smooth).max() < 8


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size():
    found = read_picture(encoded(np.zeros((4096, 8192), np.uint8), "JPEG"))
    assert found.shape == (1024, 2048)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_large_png_is_averaged_down(mode):
    sheet = np.full((3000, 4200), 255, np.uint8)
    sheet[1000:2000, 2000:2200] = 0
    found = read_picture(encoded(Image.fromarray(sheet).convert(mode)))
    assert np.array_equal(found, sheet[::2, ::2])


def test_a_large_png_keeps_its_transparency():
    alpha = np.zeros((2100, 4200), np.uint8)
    alpha[500:1500, 1000:1200] = 255
    assert np.array_equal(read_picture(with_alpha(0, alpha)), 255 - alpha[::2, ::2])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_way_the_camera_was_held(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {
        1: GRAY,
        2: GRAY[:, ::-1],
        3: GRAY[::-1, ::-1],
        4: GRAY[::-1],
        5: GRAY.T,
        6: np.rot90(GRAY),
        7: GRAY[::-1, ::-1].T,
        8: np.rot90(GRAY, -1),
    }[orientation]
    assert np.array_equal(read_picture(encoded(np.ascontiguousarray(stored), exif=exif)), GRAY)


def with_alpha(colour, alpha):
    return encoded(np.dstack([np.full((*alpha.shape, 3), colour, np.uint8), alpha]))


def test_strokes_on_nothing_stay_visible():
    alpha = np.zeros((20, 20), np.uint8)
    alpha[5:15, 9:11] = 255
    assert np.array_equal(read_picture(with_alpha(0, alpha)), 255 - alpha)
    assert np.array_equal(read_picture(with_alpha(255, alpha)), alpha)
    assert (read_picture(with_alpha(0, alpha * 0)) == 255).all()


def test_transparent_corners_take_the_pictures_own_gray():
    alpha = np.full((20, 20), 255, np.uint8)
    alpha[:4, :4] = 0
    colours = np.full((20, 20, 3), 200, np.uint8)
    colours[8:12, 8:12], colours[:4, :4] = 20, 0
    found = read_picture(encoded(np.dstack([colours, alpha])))
    assert (found[:4, :4] == 200).all()
    assert (found[8:12, 8:12] == 20).all()


def test_red_on_a_green_as_bright():
    picture = np.full((20, 20, 3), (0, 134, 0), np.uint8)
    picture[5:15, 8:12] = (255, 0, 0)
    assert Image.fromarray(picture).convert("L").getextrema() == (76, 79)
    found = read_picture(encoded(picture)).astype(int)
    assert abs(found[10, 10] - found[0, 0]) > 100


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not a PNG, JPEG, BMP"),
        (b"hello", "not a PNG, JPEG, BMP"),
        (encoded(GRAY, "ICO"), "not a PNG, JPEG, BMP"),
        (encoded(GRAY, "PPM"), "not a PNG, JPEG, BMP"),
        (encoded(GRAY, "BMP")[:80], "truncated or damaged"),
        (encoded(GRAY, "TIFF")[:-20], "truncated or damaged"),
        (encoded(GRAY)[:-40], "truncated or damaged"),
        (encoded(GRAY, "JPEG")[:-40], "truncated or damaged"),
        (png_that_claims(20, 20), "truncated or damaged"),
        (png_that_claims(8001, 8000), "8,001 × 8,000 pixels"),
        (png_that_claims(10_000, 10_000), "10,000 × 10,000 pixels"),
        (png_that_claims(40_000, 25_000), "far more pixels"),
        (png_that_claims(0, 5), "image"),
    ],
)
def test_bad_pictures_are_named_and_explained(tmp_path, content, what):
    path = tmp_path / "seven.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{re.escape(str(path))}.*{what}"):
        read_picture(path)
    with pytest.raises(DataError, match=f"upload.*{what}"):
        read_picture(content, "upload")


def test_pictures_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(DataError, match="not an image file"):
        read_picture(tmp_path)


EXIF = Image.Exif()
EXIF[0x0112] = 6
FORMS = [
    encoded(GRAY),
    encoded(np.dstack([GRAY] * 4)),
    encoded(Image.fromarray(GRAY).convert("P"), transparency=0),
    encoded(GRAY.astype(np.uint16) * 257, exif=EXIF),
    encoded(GRAY, "JPEG", exif=EXIF),
    encoded(np.dstack([GRAY] * 3), "JPEG", progressive=True),
    encoded(GRAY, "BMP"),
    encoded(GRAY, "GIF"),
    encoded(np.dstack([GRAY] * 4), "TIFF", compression="tiff_lzw"),
    encoded(np.dstack([GRAY] * 4), "WEBP"),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(FORMS))
def test_damage_is_an_error_or_another_picture_but_never_a_crash(tmp_path, data, form):
    content = bytearray(form)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "picture"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with only_complaints_about(path):
        assert read_picture(path).ndim == 2


def test_a_palette_picture_without_a_palette():
    content = encoded(Image.fromarray(GRAY).convert("P"), transparency=0)
    start = content.index(b"PLTE") - 4
    length = int.from_bytes(content[start : start + 4], "big")
    with suppress(DataError):  # whatever newer versions of Pillow make of it
        assert read_picture(content[:start] + content[start + 12 + length :]).shape == GRAY.shape


def test_a_progressive_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded():
    content = encoded(Image.new("L", (4000, 4000)), "JPEG", progressive=True, quality=1)
    scan = content[content.rindex(b"\xff\xda") : -2]
    bomb = content[:-2] + scan * 3000 + content[-2:]
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"4,000 × 4,000 pixels in 3,[0-9]+ scans"):
        read_picture(bomb)
    assert time.perf_counter() - start < 2
    assert read_picture(content).shape == (2000, 2000)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="not a regular file"):
        read_picture(tmp_path / "pipe.png")


def test_heic_needs_a_package_and_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DataError, match=r"the picture: a HEIC photo, and pillow-heif is missing; pip install"):
        read_picture(b"\0\0\0\x1cftypheic" + bytes(40))


def test_heic_is_read_and_damage_gets_one_line():
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    heif.register_heif_opener()
    content = encoded(Image.fromarray(np.kron(GRAY, np.ones((8, 8), np.uint8))).convert("RGB"), "HEIF", quality=95)
    assert np.abs(read_picture(content).astype(int)[4::8, 4::8] - GRAY).mean() < 8
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(content)
        for at in rng.integers(12, len(content), 4):
            damaged[at] = rng.integers(256)
        with suppress(DataError):
            read_picture(bytes(damaged[: rng.integers(16, len(content))]))
