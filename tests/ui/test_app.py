"""The editor's addresses over a tiny network: photographs in, pictures of all kinds out."""

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize import __version__
from gan_colorize.cli.main import main
from gan_colorize.inference.wishes import wishes_from_json
from gan_colorize.zoo.checkpoint import save_model

GREEN_POINT = {"x": 20.5, "y": 10.5, "radius": 6, "color": "#3a7d44"}


def image_of(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def preview(client, photo, wishes=None, **more):
    return client.post(f"/api/photos/{photo['id']}/preview", json={"wishes": wishes or {}, **more})


def export(client, photo, wishes=None, **more):
    return client.post(f"/api/photos/{photo['id']}/export", json={"wishes": wishes or {}, **more})


def test_about(client):
    assert client.get("/api/about").json() == {
        "application": "gan_colorize",
        "version": __version__,
        "model": "tiny",
        "takes": ["hints", "histogram", "palette", "saturation"],
        "distribution": True,
        "temperature": 0.38,
        "saturation": 1.0,
        "folder": "scans",
        "limits": {"megapixels": 64.0, "upload_mb": 200.0, "hints": 500},
        "text": True,
    }


def test_the_page_and_its_files(client):
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for name in ("main.js", "api.js"):
        script = client.get(f"/static/{name}")
        assert script.status_code == 200
        assert script.headers["content-type"].startswith("text/javascript")
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_an_uploaded_photograph(client, upload, encoded):
    photo = upload(client, encoded(50, 70), "attic.png")
    assert {key: photo[key] for key in ("name", "width", "height", "warnings")} == {
        "name": "attic.png", "width": 70, "height": 50, "warnings": []
    }  # fmt: skip
    assert client.get(f"/api/photos/{photo['id']}").json() == photo


def test_an_upright_photograph_is_told_as_it_is_shown(client, upload, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    buffer = io.BytesIO()
    Image.fromarray(picture(50, 70)).save(buffer, "JPEG", exif=exif)
    photo = upload(client, buffer.getvalue(), "upright.jpg")
    assert (photo["width"], photo["height"]) == (50, 70)
    assert image_of(preview(client, photo)).size == (50, 70)


def test_what_is_to_be_said_of_a_photograph(client, upload, encoded):
    photo = upload(client, encoded(colour=True))
    assert photo["warnings"] == ["the input already has colours; they were replaced"]


def test_a_photograph_of_the_folder(client):
    listing = client.get("/api/folder").json()
    assert listing == {"photographs": [{"name": "attic.png"}, {"name": "box 2/boat.jpg"}], "more": False}
    assert client.get("/api/folder", params={"after": "attic.png"}).json()["photographs"] == [
        {"name": "box 2/boat.jpg"}
    ]
    photo = client.post("/api/photos/open", json={"name": "box 2/boat.jpg"}).json()
    assert (photo["name"], photo["width"], photo["height"]) == ("boat.jpg", 300, 40)
    thumbnail = client.get("/api/folder/thumbnail", params={"name": "box 2/boat.jpg"})
    assert image_of(thumbnail).size == (160, 21)
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert client.get("/api/folder/thumbnail", params={"name": "box 2/boat.jpg"}).content == thumbnail.content


def test_a_thumbnail_follows_its_file(client, scans, encoded):
    before = client.get("/api/folder/thumbnail", params={"name": "attic.png"}).content
    (scans / "attic.png").write_bytes(encoded(90, 70, seed=9))
    after = client.get("/api/folder/thumbnail", params={"name": "attic.png"})
    assert after.content != before
    assert image_of(after).size == (70, 90)


def test_grey_is_the_photograph_itself(client, upload, encoded, picture):
    photo = upload(client, encoded(300, 400, seed=3))
    answer = client.get(f"/api/photos/{photo['id']}/grey", params={"side": 1600})
    shown = image_of(answer)
    assert (shown.mode, shown.size) == ("L", (400, 300))
    difference = np.asarray(shown).astype(int) - picture(300, 400, seed=3)
    assert np.abs(difference).max() <= 6  # of the JPEG
    small = client.get(f"/api/photos/{photo['id']}/grey", params={"side": 100})
    assert image_of(small).size == (100, 75)


def test_a_preview_has_the_lightness_of_the_photograph_and_colours(client, upload, encoded, picture):
    photo = upload(client, encoded(90, 120, seed=4))
    answer = preview(client, photo)
    shown = np.asarray(image_of(answer))
    assert answer.headers["content-type"] == "image/jpeg"
    assert shown.shape == (90, 120, 3)
    lightness = rgb2lab(np.repeat(picture(90, 120, seed=4)[..., None], 3, axis=2))[..., 0]
    assert np.abs(rgb2lab(shown)[..., 0] - lightness).mean() < 2.5
    assert np.ptp(shown.astype(int), axis=2).max() > 20
    assert image_of(preview(client, photo, side=60)).size == (60, 45)


def test_wishes_change_the_preview(client, upload, encoded):
    photo = upload(client, encoded(90, 120))
    plain = preview(client, photo).content
    reference = client.post(
        "/api/reference", params={"name": "sea.png"}, content=encoded(colour=True, seed=8)
    ).json()
    assert reference["name"] == "sea.png"
    assert sum(reference["histogram"].values()) == pytest.approx(1.0, abs=1e-3)
    wishes = {
        "point": {"hints": [GREEN_POINT]},
        "stroke": {"hints": [{"points": [[10, 10], [60, 40]], "radius": 4, "ab": [40.0, -20.0]}]},
        "palette": {"palette": ["a1b2c3", "#ffeedd"]},
        "text": {"text": "autumn forest"},
        "other draw of the text": {"text": "autumn forest", "text_seed": 1},
        "reference": {"reference": reference},
        "temperature": {"temperature": 1.5},
        "saturation": {"saturation": 0.3},
        "seed": {"seed": 1},
        "other seed": {"seed": 2},
    }
    shown = {plain: "nothing"}
    for name, one in wishes.items():
        content = preview(client, photo, one).content
        assert content not in shown, f"{name} looks like {shown[content]}"
        shown[content] = name
    assert preview(client, photo).content == plain  # nothing is left of them
    grey = np.asarray(image_of(preview(client, photo, {"saturation": 0.0}))).astype(int)
    assert np.ptp(grey, axis=2).max() <= 4


def test_confidence(client, upload, encoded):
    photo = upload(client, encoded(90, 120))
    answer = preview(client, photo, confidence=True, side=60)
    shown = image_of(answer)
    assert answer.headers["content-type"] == "image/png"
    assert (shown.mode, shown.size) == ("L", (60, 45))
    assert np.ptp(np.asarray(shown)) > 10


def test_suggestions(client, upload, encoded, picture):
    photo = upload(client, encoded(50, 70, seed=6))
    answer = client.post(
        f"/api/photos/{photo['id']}/suggest", json={"wishes": {}, "x": 20.5, "y": 10.5, "count": 5}
    ).json()
    level = picture(50, 70, seed=6)[10, 20]
    lightness = rgb2lab(np.full((1, 1, 3), level, np.uint8))[0, 0, 0]
    assert answer["lightness"] == pytest.approx(lightness, abs=0.1)
    found = answer["suggestions"]
    assert 1 <= len(found) <= 5
    shares = [one["probability"] for one in found]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1.001
    for one in found:
        rgb = np.array([[[int(one["color"][k : k + 2], 16) for k in (1, 3, 5)]]], np.uint8)
        assert rgb2lab(rgb)[0, 0, 0] == pytest.approx(lightness, abs=1.5)


@pytest.mark.parametrize(
    ("kind", "pillow", "lossless"), [("png", "PNG", True), ("tiff", "TIFF", True), ("jpg", "JPEG", False)]
)
def test_an_export_is_what_python_makes_of_the_same_wishes(
    client, upload, encoded, colorizer, kind, pillow, lossless
):
    data, wishes = encoded(90, 120, dpi=(300, 300)), {"hints": [GREEN_POINT], "temperature": 0.5}
    photo = upload(client, data, "Großmutter's attic.png")
    answer = export(client, photo, wishes, format=kind, quality=90)
    shown = image_of(answer)
    session = colorizer.open(data)
    session.wish(wishes_from_json(wishes, "test"))
    expected = session.predict().rgb8
    assert (shown.format, shown.size) == (pillow, (120, 90))
    difference = np.abs(np.asarray(shown).astype(int) - expected)
    assert difference.max() == 0 if lossless else difference.mean() < 4
    assert shown.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="Gro_mutter\'s attic-coloured.{kind}"; '
        f"filename*=UTF-8''Gro%C3%9Fmutter%27s%20attic-coloured.{kind}"
    )


def test_a_preview_at_full_size_agrees_with_the_export(client, upload, encoded):
    photo = upload(client, encoded(90, 120))
    shown, full = (
        np.asarray(image_of(answer)).astype(int)
        for answer in (
            preview(client, photo, {"hints": [GREEN_POINT]}),
            export(client, photo, {"hints": [GREEN_POINT]}),
        )
    )
    assert np.abs(shown - full).mean() < 4


def test_metadata_is_carried(client, upload, picture):
    exif = Image.Exif()
    exif[0x010F] = "An old camera"
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "JPEG", exif=exif)
    photo = upload(client, buffer.getvalue(), "old.jpg")
    assert image_of(export(client, photo, format="jpg")).getexif()[0x010F] == "An old camera"


def test_the_command_line_makes_the_same_pixels(client, scans, network, tmp_path):
    save_model(tmp_path / "tiny.safetensors", network, {"working_size": 64})
    project = {"photo": {"width": 70, "height": 50}, "hints": [GREEN_POINT], "temperature": 0.5}
    (tmp_path / "project.json").write_text(json.dumps(project))
    arguments = ["colorize", scans / "attic.png", "--hints", tmp_path / "project.json"]
    arguments += ["--model", tmp_path / "tiny.safetensors", "--device", "cpu", "--precision", "fp32"]
    arguments += ["--output", tmp_path / "out.png"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    photo = client.post("/api/photos/open", json={"name": "attic.png"}).json()
    made = np.asarray(image_of(export(client, photo, project)))
    np.testing.assert_array_equal(made, np.asarray(Image.open(tmp_path / "out.png")))


def test_palettes_for_words(client):
    answer = client.post("/api/palette", json={"text": "autumn forest", "seed": 3, "samples": 2}).json()
    assert [len(palette) for palette in answer["palettes"]] == [5, 5]
    assert all(len(colour.lstrip("#")) == 6 for palette in answer["palettes"] for colour in palette)
    assert answer["warning"] is None
    again = client.post("/api/palette", json={"text": "autumn forest", "seed": 4, "samples": 1}).json()
    assert again["palettes"] == answer["palettes"][1:]
    unknown = client.post("/api/palette", json={"text": "qwxzkv"})
    assert unknown.status_code == 400
    assert "qwxzkv" in unknown.json()["error"]


def test_two_photographs_do_not_mix(client, upload, encoded):
    first, second = upload(client, encoded(50, 70, seed=1)), upload(client, encoded(70, 50, seed=2))
    alone = preview(client, first).content, preview(client, second).content
    for _ in range(2):
        assert preview(client, first).content == alone[0]
        assert preview(client, second, {"hints": [GREEN_POINT]}).content != alone[1]
        assert preview(client, second).content == alone[1]


def test_idle_photographs_expire(client, upload, encoded, clock):
    photo = upload(client, encoded())
    clock.now += 2 * 3600 - 1
    assert client.get(f"/api/photos/{photo['id']}").status_code == 200
    clock.now += 2 * 3600 + 1
    for answer in (
        client.get(f"/api/photos/{photo['id']}"),
        client.get(f"/api/photos/{photo['id']}/grey"),
        preview(client, photo),
        export(client, photo),
    ):
        assert answer.status_code == 404
        assert answer.json() == {"error": "this photograph is no longer open here; open it again"}


def test_work_is_told(client):
    assert client.get("/api/work").json() == {"queued": 0, "doing": None, "seconds": 0.0}


def test_answers_are_json_with_plain_types(client, upload, encoded):
    photo = upload(client, encoded())
    answer = client.post(f"/api/photos/{photo['id']}/suggest", json={"wishes": {}, "x": 1, "y": 1})
    json.loads(answer.content, parse_constant=pytest.fail)
