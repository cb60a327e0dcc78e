"""Small films for tests, made with PyAV."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av", reason="films need PyAV: pip install 'gan_colorize[video]'")
pytest.importorskip("cv2", reason="films need OpenCV: pip install 'gan_colorize[video]'")


def picture(seed, height=96, width=128, room=40):
    """Grey (height + room, width + room) uint8 with detail at several sizes."""
    random = np.random.default_rng(seed)
    size = (width + room, height + room)
    layers = [
        np.asarray(Image.fromarray(random.random((n, n)).astype(np.float32)).resize(size, Image.BICUBIC))
        for n in (4, 9, 24)
    ]
    total = layers[0] + 0.6 * layers[1] + 0.4 * layers[2]
    total = (total - total.min()) / np.ptp(total)
    return np.rint(20 + 215 * total).astype(np.uint8)


def pan(seed, count, step=(1, 2), height=96, width=128, room=40):
    """``count`` frames of a picture over which the window moves by ``step`` (rows, columns) each."""
    whole = picture(seed, height, width, room)
    rows, columns = (np.arange(count) * one for one in step)
    return [whole[r : r + height, c : c + width] for r, c in zip(rows, columns, strict=True)]


def write_film(
    path, frames, pts=None, time_base=Fraction(1, 24), audio=0, codec="ffv1", pix_fmt="gray", **more
):
    """A film of grey frames (H, W); ``audio`` packets of sound; ``more`` are attributes of the stream."""
    pts = range(len(frames)) if pts is None else pts
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "A film"
        options = {"crf": "0", "bf": "2"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=24, options=options)
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = stream.time_base = time_base
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        sound = container.add_stream("pcm_s16le", rate=8000) if audio else None
        if sound is not None:
            sound.layout = "mono"
            sound.metadata["language"] = "deu"
        full = {"dst_color_range": "JPEG"} if more.get("color_range") == 2 else {}
        for at, frame in zip(pts, frames, strict=True):
            new = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "gray")
            new = new.reformat(format=pix_fmt, src_color_range="JPEG", **full)
            new.pts, new.time_base = at, time_base
            container.mux(stream.encode(new))
        container.mux(stream.encode())
        random = np.random.default_rng(0)
        for index in range(audio):
            values = random.integers(-9000, 9000, (1, 500)).astype(np.int16)
            new = av.AudioFrame.from_ndarray(values, "s16", "mono")
            new.sample_rate, new.pts, new.time_base = 8000, 500 * index, Fraction(1, 8000)
            container.mux(sound.encode(new))
        if sound is not None:
            container.mux(sound.encode())
    return path


def decoded(path):
    """[(seconds as a fraction, rgb (H, W, 3) uint8)] of a film."""
    with av.open(str(path)) as container:
        return [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def packets(path, kind):
    """[(pts in seconds, bytes)] of the first stream of a kind, "audio" for instance."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]
