"""What the editor's server refuses: one line each, the right status, and the server goes on."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from gan_colorize.ui.work import Urgency, Work

LONG = 30


def error_of(answer, status):
    """The line of an error; it names no place on the disk and is one line."""
    assert answer.status_code == status, answer.text
    line = answer.json()["error"]
    assert line and "\n" not in line and "Traceback" not in line
    assert "/tmp" not in line and "scans/" not in line
    return line


def png_header(width, height):
    """A PNG file that says its size and then holds next to nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def send(client, data, name="photo.png"):
    return client.post("/api/photos", params={"name": name}, content=data)


def preview(client, photo, **body):
    return client.post(f"/api/photos/{photo['id']}/preview", json={"wishes": {}} | body)


@pytest.fixture
def photo(client, upload, encoded):
    return upload(client, encoded())


def test_what_is_no_photograph(client, encoded):
    assert "notes.txt: not an image" in error_of(send(client, b"Dear diary,\n" * 40, "notes.txt"), 415)
    assert error_of(send(client, b"", "empty.png"), 400) == "empty.png: the file is empty"
    assert error_of(send(client, encoded()[:400], "half.png"), 400).startswith("half.png: damaged")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    error_of(send(client, svg, "x.svg"), 415)
    error_of(send(client, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "x.eps"), 415)
    assert client.get("/api/about").status_code == 200


def test_too_many_pixels_are_refused_by_the_header(client, scans):
    line = error_of(send(client, png_header(10_000, 10_000), "huge.png"), 413)
    assert line.startswith("huge.png: 10000x10000 is 100 megapixels; the editor takes up to 64")
    (scans / "huge.png").write_bytes(png_header(10_000, 10_000))
    for answer in (
        client.post("/api/photos/open", json={"name": "huge.png"}),
        client.get("/api/folder/thumbnail", params={"name": "huge.png"}),
        client.post("/api/reference", params={"name": "huge.png"}, content=png_header(10_000, 10_000)),
        send(client, png_header(60_000, 60_000), "huge.png"),  # a decompression bomb by Pillow's own count
    ):
        assert error_of(answer, 413).startswith("huge.png: ")


def test_the_limit_itself_is_allowed(serving, encoded):
    small = serving(most_megapixels=0.0035)
    assert send(small, encoded(50, 70)).status_code == 200
    assert "51x70" not in error_of(send(small, encoded(51, 70)), 413)


def test_a_reference_must_have_colours(client, encoded):
    answer = client.post("/api/reference", params={"name": "fog.png"}, content=encoded())
    assert "fog.png: is grey" in error_of(answer, 400)
    error_of(client.post("/api/reference", params={"name": "a.txt"}, content=b"text"), 415)


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/passwd.png", "box 2/../../secret.png", "C:\\x.png", "a\0.png", "notes.txt", ""],
)
def test_nothing_outside_the_folder_can_be_named(client, scans, encoded, name):
    (scans.parent / "secret.png").write_bytes(encoded())
    (scans / "notes.txt").write_text("private")
    error_of(client.post("/api/photos/open", json={"name": name}), 403)
    error_of(client.get("/api/folder/thumbnail", params={"name": name}), 403)


def test_a_link_out_of_the_folder_is_refused(client, scans, encoded):
    (scans.parent / "secret.png").write_bytes(encoded())
    try:
        (scans / "out.png").symlink_to(scans.parent / "secret.png")
    except OSError:
        pytest.skip("links cannot be made here")
    error_of(client.post("/api/photos/open", json={"name": "out.png"}), 403)


def test_images_that_are_gone_or_broken(client, scans):
    error_of(client.post("/api/photos/open", json={"name": "gone.png"}), 404)
    (scans / "text.png").write_text("not a picture")
    assert error_of(client.post("/api/photos/open", json={"name": "text.png"}), 415).startswith("text.png: ")
    error_of(client.get("/api/folder/thumbnail", params={"name": "text.png"}), 415)


def test_an_uploads_name_is_no_path(client, upload, encoded, scans):
    before = sorted(scans.parent.rglob("*"))
    photo = upload(client, encoded(), "../../../tmp/evil.png")
    assert photo["name"] == "evil.png"
    assert sorted(scans.parent.rglob("*")) == before


def test_without_a_folder_there_is_none(serving):
    client = serving(folder=None)
    assert client.get("/api/about").json()["folder"] is None
    assert "no folder was opened" in error_of(client.get("/api/folder"), 404)
    error_of(client.post("/api/photos/open", json={"name": "attic.png"}), 404)
    error_of(client.get("/api/folder/thumbnail", params={"name": "attic.png"}), 404)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"hints": [{"x": 1, "y": 1, "radius": 3, "color": "red"}]}, "hints[0]"),
        ({"hints": [{"x": 900, "y": 1, "radius": 3, "color": "#00ff00"}]}, "outside the photograph"),
        ({"hint": []}, "unknown key 'hint'"),
        ({"hints": "green"}, "hints must be a list"),
        ({"hints": 5}, "hints must be a list"),
        ({"hints": True}, "hints must be a list"),
        ({"palette": []}, "palette"),
        ({"temperature": 0}, "temperature"),
        ({"saturation": -1}, "saturation"),
        ({"seed": -1}, "seed"),
        ({"format": "other"}, "format"),
        ({"photo": {"width": 50, "height": 50}}, "another shape"),
        ({"text": "qwxzkv"}, "qwxzkv"),
        ({"hints": [{"x": 1, "y": 1, "radius": 3, "color": "#00ff00"}] * 501}, "up to 500"),
    ],
)
def test_wishes_that_are_none(client, photo, wishes, says):
    assert says in error_of(preview(client, photo, wishes=wishes), 400)
    assert preview(client, photo).status_code == 200


def test_bodies_that_are_no_requests(client, photo):
    address = f"/api/photos/{photo['id']}/preview"
    json_type = {"content-type": "application/json"}
    for content in (b"", b"{", b"\xff\xfe", b'{"wishes": NaN}', b"[" * 100_000, b'{"wishes":{"a":1e999}}'):
        error_of(client.post(address, content=content, headers=json_type), 400)
    error_of(client.post(address, content=b'{"wishes": {}}', headers={"content-type": "text/plain"}), 415)
    error_of(client.post(address, data={"wishes": "{}"}), 415)
    assert error_of(client.post(address, json=[]), 400) == "the request must be an object in braces"
    assert error_of(client.post(address, json={"wishes": {}, "sied": 9}), 400).startswith("sied: ")
    for wrong in (
        {"side": 9},
        {"side": 10**9},
        {"side": "x"},
        {"sequence": -1},
        {"kind": 3},
        {"tab": "x" * 101},
    ):
        name = next(iter(wrong))
        assert error_of(preview(client, photo, **wrong), 400).startswith(f"{name}: ")
    assert error_of(client.get(f"/api/photos/{photo['id']}/grey?side=x"), 400).startswith("side: ")
    export = {"wishes": {}, "format": "exe"}
    assert error_of(client.post(f"/api/photos/{photo['id']}/export", json=export), 400).startswith("format: ")


@pytest.mark.parametrize(("x", "y"), [(-1, 5), (71, 5), (5, 51), (1e300, 0)])
def test_suggestions_outside_the_photograph(client, photo, x, y):
    answer = client.post(f"/api/photos/{photo['id']}/suggest", json={"wishes": {}, "x": x, "y": y})
    assert "outside the photograph (70x50)" in error_of(answer, 400)


def test_suggestions_need_a_place(client, photo):
    address = f"/api/photos/{photo['id']}/suggest"
    assert error_of(client.post(address, json={"wishes": {}, "x": 3}), 400).startswith("y: ")
    assert error_of(client.post(address, json={"wishes": {}, "x": "3", "y": 1}), 400).startswith("x: ")


def test_addresses_that_are_none(client):
    error_of(client.get("/api/nothing"), 404)
    error_of(client.get("/nothing.html"), 404)
    error_of(client.get("/docs"), 404)
    error_of(client.get("/openapi.json"), 404)
    error_of(client.delete("/api/about"), 405)
    error_of(client.get("/api/photos/unknown"), 404)


def test_the_guard_stands_before_everything(client, encoded):
    foreign = {"origin": "http://evil.example"}
    error_of(client.post("/api/photos", content=encoded(), headers=foreign), 403)
    error_of(client.get("/api/about", headers={"host": "evil.example"}), 403)
    error_of(client.get("/", headers={"host": "evil.example:7861"}), 403)
    large = {"content-length": "200000001"}
    error_of(client.post("/api/photos", content=b"x", headers=large), 413)
    error_of(client.post("/api/palette", content=b"x" * 4_000_001), 413)
    assert client.get("/").headers["content-security-policy"].startswith("default-src 'self'")


def test_a_model_that_listens_to_nothing(serving, tiny_network, upload, encoded):
    from gan_colorize.inference.colorizer import Colorizer

    deaf = tiny_network(output="ab")
    deaf.contract = type(deaf.contract)(takes=frozenset(), returns="ab", output_stride=4, size_divisor=32)
    client = serving(colorizer=Colorizer(deaf, "cpu", "fp32"))
    about = client.get("/api/about").json()
    assert (about["takes"], about["distribution"], about["text"]) == ([], False, False)
    photo = upload(client, encoded())
    assert preview(client, photo).status_code == 200
    point = {"x": 5, "y": 5, "radius": 3, "color": "#00ff00"}
    reference = {"name": "a", "histogram": {"12": 1.0}, "saturation": 0.3}
    for wishes in ({"hints": [point]}, {"palette": ["00ff00"]}, {"text": "sea"}, {"reference": reference}):
        assert "does not listen" in error_of(preview(client, photo, wishes=wishes), 400)
    error_of(preview(client, photo, wishes={"seed": 1}), 400)
    error_of(preview(client, photo, confidence=True), 400)
    error_of(client.post(f"/api/photos/{photo['id']}/suggest", json={"wishes": {}, "x": 1, "y": 1}), 400)


def test_a_full_line_and_stale_previews(serving, upload, encoded):
    line, entered, go_on = Work(most_waiting=2), threading.Event(), threading.Event()
    client = serving(network=line)
    photo = upload(client, encoded())

    def hold():
        entered.set()
        go_on.wait(LONG)

    answers = {}

    def ask(number, **body):
        answers[number] = preview(client, photo, **body)

    line.submit("hold", Urgency.SUGGEST, hold)
    assert entered.wait(LONG)
    threads = []

    def start(number, **body):
        thread = threading.Thread(target=ask, args=(number,), kwargs=body)
        thread.start()
        threads.append(thread)
        return thread

    def until(queued):
        deadline = threading.Event()
        for _ in range(LONG * 100):
            if client.get("/api/work").json()["queued"] == queued:
                return
            deadline.wait(0.01)
        pytest.fail(f"never {queued} waiting")

    start(1, tab="a", sequence=1)
    until(1)
    overtaken = threads[0]
    start(2, tab="a", sequence=2)
    overtaken.join(LONG)
    assert answers[1].status_code == 409
    assert answers[1].json()["stale"] is True
    assert error_of(preview(client, photo, tab="a", sequence=1), 409)
    start(3, tab="b", sequence=1)  # another tab is another line
    until(2)
    assert client.get("/api/work").json()["doing"] == "hold"
    assert "2 requests are waiting already" in error_of(preview(client, photo, tab="c"), 503)
    go_on.set()
    for thread in threads:
        thread.join(LONG)
    assert (answers[2].status_code, answers[3].status_code) == (200, 200)


def test_a_bug_is_one_line_and_the_server_goes_on(client, photo, monkeypatch):
    from gan_colorize.ui import editor

    def broken(*arguments, **options):
        raise RuntimeError("wires\ncrossed")

    with monkeypatch.context() as patch:
        patch.setattr(editor, "jpeg", broken)
        assert error_of(preview(client, photo), 500) == "unexpected RuntimeError: wires crossed"
        patch.setattr(editor, "jpeg", lambda pixels: (_ for _ in ()).throw(MemoryError()))
        assert error_of(preview(client, photo), 500) == "not enough memory for this photograph"
    assert preview(client, photo).status_code == 200


def test_a_format_that_cannot_hold_the_picture(client, upload):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((1, 17_000), np.uint8)).save(buffer, "PNG")
    photo = upload(client, buffer.getvalue())
    answer = client.post(f"/api/photos/{photo['id']}/export", json={"wishes": {}, "format": "webp"})
    assert "WEBP" in error_of(answer, 400)
