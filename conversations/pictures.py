"""Images of others: decoded once and written anew, so that nothing but the picture is left of them."""

import io
import struct
import threading
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps, ImageSequence

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
MAX_PIXELS = 40_000_000
MAX_ANIMATED_PIXELS = 150_000_000  # of all frames together
PREVIEW_EDGE = 1568  # pixels: what models look at; larger ones they scale down themselves, or refuse
PREVIEW_BYTES = 1_500_000
KEPT_INFO = frozenset({"icc_profile", "transparency", "duration", "loop", "background"})
AT_A_TIME = 2
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    struct.error,
)

# Pillow warns of a decompression bomb and refuses one of twice that size. Here it refuses both.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
_decoding = threading.BoundedSemaphore(AT_A_TIME)  # a picture takes up to 160 MB while it is looked at


class NotAPicture(Exception):
    """The bytes cannot be decoded; the message says why."""


@dataclass(frozen=True)
class Picture:
    """An image as it is kept. `preview` is a smaller one for pages and models; empty where it is small itself."""

    content: bytes
    width: int
    height: int
    preview: bytes = b""
    preview_type: str = ""


def drawn_anew(content: bytes, media_type: str) -> Picture:
    """The same picture upright, without what its file says beside it. Raises NotAPicture."""
    with _decoding:
        try:
            with Image.open(io.BytesIO(content), formats=[FORMATS[media_type]]) as image:
                return _redrawn(image, FORMATS[media_type])
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise NotAPicture(f"has more than {MAX_PIXELS:,} pixels") from None
        except BROKEN:
            raise NotAPicture("cannot be read as the image it begins as") from None


def _redrawn(image: Image.Image, form: str) -> Picture:
    frames = getattr(image, "n_frames", 1) if form in {"GIF", "WEBP"} else 1
    if frames * image.width * image.height > MAX_ANIMATED_PIXELS:
        raise NotAPicture(f"has more than {MAX_ANIMATED_PIXELS:,} pixels in all its frames")
    upright = image if frames > 1 else ImageOps.exif_transpose(image)
    upright.load()
    content = _written(
        upright, form, animated=frames > 1, untouched=image.format == form and upright is image
    )
    first = upright
    if frames > 1:
        first = next(ImageSequence.Iterator(upright)).copy()
    is_small = max(first.size) <= PREVIEW_EDGE and len(content) <= PREVIEW_BYTES and frames == 1
    preview, preview_type = (b"", "") if is_small else _preview(first)
    return Picture(content, first.width, first.height, preview, preview_type)


def _written(image: Image.Image, form: str, *, animated: bool, untouched: bool) -> bytes:
    image.info = {name: value for name, value in image.info.items() if name in KEPT_INFO}
    image.getexif().clear()
    wishes: dict[str, Any] = {"save_all": True} if animated else {}
    if form == "JPEG":
        wishes["quality"] = "keep" if untouched else 92
    elif form == "WEBP":
        wishes["quality"] = 90
    written = io.BytesIO()
    image.save(written, form, **wishes)
    return written.getvalue()


def _preview(image: Image.Image) -> tuple[bytes, str]:
    """JPEG, which everybody reads; WebP for what is transparent."""
    seen_through = image.has_transparency_data
    small = image.convert("RGBA" if seen_through else "RGB")
    small.thumbnail((PREVIEW_EDGE, PREVIEW_EDGE))
    small.info = {}
    written = io.BytesIO()
    small.save(written, "WEBP" if seen_through else "JPEG", quality=85)
    return written.getvalue(), "image/webp" if seen_through else "image/jpeg"
