"""The Turing test's server: what is paired, what participants get, what is kept."""

import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from gan_colorize.errors import UserError
from gan_colorize.evaluation.forced_choice import wilson_interval
from gan_colorize.ui.turing import create_turing_app
from gan_colorize.ui.turing_pairs import Pictures, pair_folders
from gan_colorize.ui.turing_plan import plan_rounds
from gan_colorize.ui.turing_results import Settings

PORT = 8123
TRUTH, COLOURED = (200, 60, 40), (60, 90, 200)


def write(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (48, 32), **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty pairs, red truths as JPEG of twice the size and blue results as PNG, some in a subfolder."""
    for index in range(20):
        name = f"{'deep/' if index % 2 else ''}{index:02d}"
        write(tmp_path / "a" / f"{name}.jpg", TRUTH, (96, 64), quality=95)
        write(tmp_path / "b" / f"{name}.png", COLOURED)
    return tmp_path / "a", tmp_path / "b"


class Browser:
    """A participant: a client with cookies of its own."""

    def __init__(self, app) -> None:
        self.client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)

    def start(self, another: bool = False) -> "Browser":
        assert self.client.post("/api/turing/start", json={"another": another}).status_code == 200
        return self

    def round(self) -> dict:
        return self.client.post("/api/turing/round", json={}).json()

    def pictures(self, told: dict):
        return [self.client.get(address) for address in told["pictures"]]

    def which_is_coloured(self, told: dict) -> int:
        """By the pixels: truths are red."""
        reds = [np.array(Image.open(io.BytesIO(one.content)))[..., 0].mean() for one in self.pictures(told)]
        return int(np.argmin(reds))

    def answer(self, told: dict, which: int, **changes):
        body = {"round": told["round"], "choice": which, "shown_ms": [1000, 1000.5], "response_ms": 812.5}
        return self.client.post("/api/turing/answer", json=body | changes)


@pytest.fixture
def begin(folders, tmp_path):
    """A function: settings -> (the application, the results file)."""

    def create(output: str = "results.json", **settings):
        path = tmp_path / output
        return create_turing_app(*folders, path, PORT, Settings(**settings))[0], path

    return create


def test_pairs_by_relative_name_whatever_the_format(folders, tmp_path):
    truth, coloured = folders
    write(truth / "alone.jpg", TRUTH)
    write(coloured / "deep" / "00.png", COLOURED)  # "00" is not "deep/00"
    write(truth / "wide.png", TRUTH, (80, 20))
    write(coloured / "wide.png", COLOURED, (20, 80))
    (truth / "torn.jpg").write_bytes(b"not a picture")
    write(coloured / "torn.png", COLOURED)
    write(truth / "twice.jpg", TRUTH)
    write(truth / "twice.png", TRUTH)
    write(coloured / "twice.png", COLOURED)
    found = pair_folders(truth, coloured, 256)
    assert [pair.name for pair in found.pairs] == sorted(
        f"{'deep/' if i % 2 else ''}{i:02d}" for i in range(20)
    )
    assert {pair.size for pair in found.pairs} == {(48, 32)}  # the smaller decides
    why = dict(found.unpaired)
    assert set(why) == {"alone.jpg", "00.png", "wide", "torn", "twice"}
    assert why["alone.jpg"] == f"only in {truth}" and why["00.png"] == f"only in {coloured}"
    assert (
        "the shapes differ" in why["wide"]
        and "several files" in why["twice"]
        and "not an image" in why["torn"]
    )


def test_a_turned_photograph_is_shown_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path / "a" / "x.jpg", TRUTH, (64, 40), exif=exif)
    write(tmp_path / "b" / "x.png", COLOURED, (40, 64))
    assert pair_folders(tmp_path / "a", tmp_path / "b", 32).pairs[0].size == (20, 32)


def test_links_do_not_lead_out_of_the_folders(folders, tmp_path):
    write(tmp_path / "secret.jpg", TRUTH)
    (folders[0] / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    write(folders[1] / "link.png", COLOURED)
    assert "link" not in [pair.name for pair in pair_folders(*folders, 256).pairs]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda a, b: (a, a), "the same folder"),
        (lambda a, b: (a / "none", b), "no such folder"),
        (lambda a, b: (a / "empty", b), "no images"),
        (lambda a, b: (a, b / "other"), "nothing to compare"),
    ],
)
def test_bad_folders_are_a_line(folders, make, words):
    (folders[0] / "empty").mkdir()
    write(folders[1] / "other" / "elsewhere.png", COLOURED)
    with pytest.raises(UserError, match=words) as caught:
        pair_folders(*make(*folders), 256)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pairs, rounds, practice", [(60, 40, 10), (20, 40, 10), (45, 40, 10), (3, 40, 10), (1, 40, 10)]
)
def test_plan(pairs, rounds, practice):
    names = [f"n{i}" for i in range(pairs)]
    plan = plan_rounds(names, Counter(), rounds, practice, np.random.default_rng(1))
    kinds = Counter(one.kind for one in plan)
    assert len({one.pair for one in plan}) == len(plan) == min(pairs, rounds + practice)
    assert [one.kind == "practice" for one in plan] == sorted(
        (one.kind == "practice" for one in plan), reverse=True
    )
    for kind, count in kinds.items():
        sides = sum(one.coloured for one in plan if one.kind == kind)
        assert abs(2 * sides - count) <= 1  # balanced
    assert all((one.other is not None) == (one.kind == "check") for one in plan)
    assert all(one.other != one.pair for one in plan)
    expected = {60: (10, 36, 4), 20: (4, 14, 2), 45: (9, 32, 4), 3: (0, 3, 0), 1: (0, 1, 0)}[pairs]
    assert (kinds["practice"], kinds["test"], kinds["check"]) == expected


def test_plans_spread_over_the_pairs_and_follow_the_seed():
    names, shown = [f"n{i}" for i in range(30)], Counter()
    for person in range(6):
        plan = plan_rounds(names, shown, 10, 0, np.random.default_rng(person))
        assert plan == plan_rounds(names, shown, 10, 0, np.random.default_rng(person))
        shown.update(one.pair for one in plan if one.kind == "test")
    assert sum(shown.values()) == 6 * 9
    assert max(shown.values()) - min(shown[name] for name in names) <= 1


def test_nothing_tells_the_two_apart_but_their_pixels(begin):
    app, _ = begin(rounds=20, practice=0)
    browser, addresses, first = Browser(app).start(), set(), Counter()
    for _ in range(20):
        told = browser.round()
        assert set(told) == {"round", "practice", "number", "count", "pictures", "width", "height"}
        answers = browser.pictures(told)
        headers = [{name: value for name, value in one.headers.items() if name != "date"} for one in answers]
        assert headers[0] == headers[1]
        assert len(answers[0].content) == len(answers[1].content)
        assert headers[0]["cache-control"] == "no-store" and "etag" not in headers[0]
        chunks = [re.findall(rb"(IHDR|PLTE|IDAT|tEXt|eXIf|iCCP|pHYs|IEND)", one.content) for one in answers]
        assert chunks[0] == chunks[1] and set(chunks[0]) == {b"IHDR", b"IDAT", b"IEND"}
        for address in told["pictures"]:
            assert re.fullmatch(r"/api/turing/picture/[\w-]{22}", address)
            addresses.add(address)
        first[browser.which_is_coloured(told)] += 1
        assert browser.answer(told, 0).json() == {}  # not told whether it was right
    assert len(addresses) == 40
    assert browser.round()["finished"]
    assert 8 <= first[0] <= 12


def test_a_session_from_practice_to_result(begin):
    app, path = begin(rounds=10, practice=4)
    browser = Browser(app).start()
    practice = 0
    fooled, tests = 0, 0
    while not (told := browser.round()).get("finished"):
        coloured = browser.which_is_coloured(told)
        practice += told["practice"]
        kind = json.loads(path.read_text())["sessions"][0]["rounds"][told["round"]]["kind"]
        wrong = kind == "test" and told["number"] % 3 == 0
        truth_of_it = json.loads(path.read_text())["sessions"][0]["rounds"][told["round"]]["coloured"]
        if kind != "check":  # colours of another truth are red as well
            assert truth_of_it == coloured
        answer = browser.answer(told, 1 - truth_of_it if wrong else truth_of_it)
        assert answer.json() == ({"coloured": truth_of_it} if told["practice"] else {})
        tests += kind == "test"
        fooled += wrong
    assert practice == 4 and tests == 9
    interval = told["own"].pop("wilson95")
    assert told["own"] == {"trials": 9, "fooled": fooled, "rate": fooled / 9}
    assert interval == pytest.approx(wilson_interval(fooled, 9))
    content = json.loads(path.read_text())
    assert content["summary"]["fooled"] == fooled > 0
    assert content["summary"]["wilson95"] == pytest.approx(wilson_interval(fooled, 9))
    assert content["summary"]["checks"]["right"] == content["summary"]["checks"]["trials"] == 1
    assert content["participants"] == {"started": 1, "finished": 1}
    assert len(content["trials"]) == 14
    trial = content["trials"][0]
    assert trial["shown_ms"] == [1000, 1000.5] and trial["response_ms"] == 812.5 and trial["looks"] == 1
    assert trial["correct"] == (trial["coloured"] == trial["called_coloured"])


def test_answers_survive_the_server_and_the_session_goes_on(begin):
    app, path = begin(rounds=6, practice=0)
    browser = Browser(app).start()
    for _ in range(2):
        assert browser.answer(browser.round(), 1).status_code == 200
    left_open = browser.round()
    again, _ = begin(rounds=6, practice=0)
    browser.client.app = None
    resumed = Browser(again)
    resumed.client.cookies = browser.client.cookies
    assert resumed.client.get("/api/turing").json()["session"] == {"left": 4, "finished": False}
    told = resumed.start().round()
    assert told["round"] == left_open["round"] == 2 and told["number"] == 3
    assert resumed.answer(told, 0).status_code == 200
    trials = json.loads(path.read_text())["trials"]
    assert [trial["looks"] for trial in trials] == [1, 1, 2]  # seen twice: does not count
    assert json.loads(path.read_text())["summary"]["irregular"] == 1


def test_people_share_the_file_and_not_their_sessions(begin):
    app, path = begin(rounds=3, practice=0)
    one, other = Browser(app).start(), Browser(app).start()
    for browser in (one, other):
        for _ in range(3):
            browser.answer(browser.round(), 0)
    assert one.round()["everybody"]["people"] == 2
    one.start(another=True)
    assert one.round()["number"] == 1
    content = json.loads(path.read_text())
    assert content["participants"] == {"started": 3, "finished": 2}
    assert len({trial["participant"] for trial in content["trials"]}) == 2
    assert set(content["summary"]["bootstrap95"]) == {"participants", "images", "participants and images"}


def test_an_answer_counts_once_and_only_for_its_round(begin):
    app, path = begin(rounds=4, practice=0)
    browser = Browser(app).start()
    assert Browser(app).client.post("/api/turing/round", json={}).status_code == 404
    told = browser.round()
    assert browser.answer(told, 0, round=told["round"] + 1).status_code == 409
    assert browser.answer(told, 0).status_code == 200
    assert browser.answer(told, 1).status_code == 409
    assert browser.answer(told, 1, round=1).status_code == 409  # its pictures were not handed out
    assert browser.client.get(told["pictures"][0]).status_code == 404
    assert len(json.loads(path.read_text())["trials"]) == 1


@pytest.mark.parametrize(
    "changes", [{"choice": 2}, {"choice": "first"}, {"shown_ms": [1]}, {"response_ms": -1}, {"more": 1}]
)
def test_odd_answers_are_a_line(begin, changes):
    app, _ = begin(rounds=4, practice=0)
    browser = Browser(app).start()
    answer = browser.answer(browser.round(), 0, **changes)
    assert answer.status_code == 400 and list(answer.json()) == ["error"]


def test_a_check_keeps_the_light_and_takes_the_colours_of_another(folders):
    from skimage.color import rgb2lab

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(90, 160, (6, 8, 3), dtype=np.uint8))
    coarse.resize((96, 64), Image.Resampling.BICUBIC).save(folders[0] / "00.jpg", quality=100)
    pairs = pair_folders(*folders, 256).pairs
    truth, check = (rgb2lab(np.array(Image.open(io.BytesIO(one)))) for one in Pictures().of_check(*pairs[:2]))
    lent = rgb2lab(np.array(Image.open(pairs[1].truth)).reshape(-1, 3)[:1, None])
    assert np.abs(check[..., 0] - truth[..., 0]).max() < 1
    inside = check[..., 0] < 60  # lighter ones have no room for so strong a red
    assert inside.any() and np.abs(check - lent)[inside][:, 1:].max() < 6
    assert np.abs(truth - lent)[..., 1:].mean() > 20


def test_strangers_are_refused_and_files_stay_where_they_are(begin):
    client = Browser(begin()[0]).client
    assert client.get("/api/turing", headers={"host": "evil.example"}).status_code == 403
    assert (
        client.post("/api/turing/start", json={}, headers={"origin": "http://evil.example"}).status_code
        == 403
    )
    for address in (
        "/static/app.py",
        "/static/..%2fturing.py",
        "/static/%2e%2e/turing.py",
        "/results.json",
        "/a/00.jpg",
    ):
        assert client.get(address).status_code == 404, address
    for name in ("", "static/turing.js", "static/turing.css"):
        assert client.get(f"/{name}").status_code == 200


def test_pictures_that_cannot_be_shown_are_left_out(folders, begin):
    for index in (0, 2, 4):
        write(folders[0] / f"{index:02d}.jpg", (90, 90, 90), (96, 64))  # a truth without colour
    torn = folders[1] / "06.png"
    torn.write_bytes(torn.read_bytes()[:70])
    app, path = begin(rounds=20, practice=0)
    browser, played = Browser(app).start(), 0
    while not (told := browser.round()).get("finished"):
        browser.answer(told, 0)
        played += 1
    void = {
        one["pair"]: one["void"]
        for one in json.loads(path.read_text())["sessions"][0]["rounds"]
        if one["void"]
    }
    assert {"00", "02", "04", "06"} >= set(void) >= {"00", "02", "04"}
    assert "no colours" in void["00"] and played == 20 - len(void)


def test_a_results_file_of_another_test_is_refused(folders, begin, tmp_path):
    begin()
    with pytest.raises(UserError, match=r"has seconds 1\.0; name another"):
        begin(seconds=2.0)
    write(folders[0] / "more.jpg", TRUTH)
    write(folders[1] / "more.jpg", COLOURED)
    with pytest.raises(UserError, match="is about other pictures"):
        begin()
    for index, content in enumerate(("", "{}", "[1]", '{"format": "gan_colorize-turing", "version": 1}')):
        (tmp_path / f"{index}.json").write_text(content)
        with pytest.raises(UserError, match="no results file"):
            begin(f"{index}.json")
        assert (tmp_path / f"{index}.json").read_text() == content


def test_a_file_that_another_program_changed_is_not_overwritten(begin):
    app, path = begin(rounds=4, practice=0)
    browser = Browser(app).start()
    told = browser.round()
    path.write_text("mine")
    answer = browser.answer(told, 0)
    assert answer.status_code == 503 and "changed by another program" in answer.json()["error"]
    assert path.read_text() == "mine"
