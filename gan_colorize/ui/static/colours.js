// The panel "Hints": the colour now, suggestions for the place, the colour map, recent colours, the list of
// hints.

import * as api from "./api.js";
import { byId, debounce, element, percent, swatchButton, wireSlider } from "./dom.js";
import { Gamut } from "./gamut.js";
import { abOf, hexAt, nameOf, parseHex, toHex } from "./lab.js";
import { toJson } from "./project.js";
import { keepRecentPaints, recentPaints } from "./storage.js";

const RECENT = 10;
const ASK_AFTER = 120; // ms without a change until suggestions are asked for

export class Colours {
  #recent = recentPaints();
  #suggestions = [];
  #asked = null; // AbortController of the question that is under way
  #key = ""; // what the suggestions on show are for
  #answered = ""; // the place that they are for
  #justAdded = false; // a drag in the map has made a hint, and goes on

  constructor(editor, stage, pointer, onError) {
    Object.assign(this, { editor, stage, pointer, onError });
    this.gamut = new Gamut(byId("gamut"));
    this.gamut.addEventListener("pick", ({ detail }) => this.#pickInMap(detail));
    this.#wireHex();
    this.#wireRadius();
    byId("forget").addEventListener("click", () => this.forget());
    byId("delete-hint").addEventListener("click", () => pointer.remove(editor.selected));
    this.ask = debounce(ASK_AFTER, () => this.#ask());
    editor.on("photo", () => this.#clear());
    editor.on("photo selection project paint", () => this.update());
    editor.on("selection project", () => this.ask());
  }

  get lightness() {
    return this.editor.place ? this.stage.lightnessAt(this.editor.place) : 60;
  }

  /** Use a colour; once it is settled it is remembered. */
  choose(paint, live = false) {
    const { editor } = this;
    const added = !editor.hint && editor.target;
    editor.choose(paint, { live });
    if (added) this.#justAdded = true;
    if (live) return;
    editor.commit();
    this.#remember(paint);
    const name = nameOf(paint, this.lightness);
    if (this.#justAdded) this.pointer.say(`Hint added: ${name}. The next click paints this colour as well.`);
    else if (editor.hint) this.pointer.say(`The hint is ${name} now.`);
    else this.pointer.say(`Click in the photograph to paint ${name}.`);
    this.#justAdded = false;
  }

  forget() {
    this.editor.forgetPaint();
    this.editor.select(-1);
    this.pointer.say("Click a spot in the photograph to see which colours are likely there.");
  }

  #remember(paint) {
    const ab = abOf(paint).map((v) => Number(v.toFixed(1)));
    const other = ({ ab: [a, b] }) => Math.hypot(a - ab[0], b - ab[1]) > 2;
    this.#recent = [{ ab }, ...this.#recent.filter(other)].slice(0, RECENT);
    keepRecentPaints(this.#recent);
    this.#showRecent();
  }

  #pickInMap({ ab, live }) {
    this.choose({ ab }, live);
  }

  #wireHex() {
    const input = byId("hex");
    const take = () => {
      const rgb = parseHex(input.value);
      input.setAttribute("aria-invalid", String(Boolean(input.value.trim()) && !rgb));
      if (rgb) this.choose({ color: toHex(rgb) });
      else if (input.value.trim()) this.pointer.say("A colour code looks like #3a7d44.");
    };
    input.addEventListener("change", take);
    input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
  }

  #wireRadius() {
    const input = byId("radius");
    wireSlider(input, this.editor, (value) => {
      const [low, high] = this.#radii;
      this.editor.setRadius(Math.max(1, Math.round(low * (high / low) ** (value / 100))), { live: true });
    });
  }

  /** Smallest and largest radius in pixels of the photograph. */
  get #radii() {
    const longest = Math.max(this.editor.photo?.width ?? 1000, this.editor.photo?.height ?? 1000);
    return [Math.max(1, longest * 0.002), Math.max(2, longest * 0.08)];
  }

  /** [ and ]: the next size down or up. */
  resize(factor) {
    const [low, high] = this.#radii;
    const now = this.editor.hint?.radius ?? this.editor.radius;
    const next = factor > 1 ? Math.max(now + 1, now * factor) : Math.min(now - 1, now * factor);
    this.editor.setRadius(Math.round(Math.min(high, Math.max(low, next))));
  }

  #clear() {
    this.#suggestions = [];
    this.#key = "";
    this.#asked?.abort();
  }

  async #ask() {
    const { editor } = this;
    const { place, photo, project } = editor;
    if (!photo || !place || editor.dragging || !editor.takes("hints") || !editor.about.distribution) return;
    // the selected hint itself would be the answer, so it is left out of the question
    const others = { ...project, hints: project.hints.filter((_, i) => i !== editor.selected) };
    const wishes = toJson(others, photo);
    const key = JSON.stringify([photo.id, place, wishes]);
    if (key === this.#key) return;
    this.#asked?.abort();
    this.#asked = new AbortController();
    try {
      const body = { wishes, x: place[0], y: place[1] };
      const { suggestions } = await api.suggest(photo.id, body, this.#asked.signal);
      this.#key = key;
      this.#answered = String(place);
      this.#suggestions = suggestions;
      this.update();
    } catch (error) {
      if (error.name !== "AbortError" && !error.stale) this.onError(error);
    }
  }

  get #isAnswered() {
    return this.#answered === String(this.editor.place);
  }

  update() {
    const { editor } = this;
    if (!editor.photo) return;
    const paint = editor.hint ?? editor.paint;
    this.#showNow(paint);
    this.#showSuggestions();
    this.#showRecent();
    this.#showList();
    byId("gamut-title").textContent = editor.place ? "All colours that can be here" : "All colours";
    const shown = this.#isAnswered ? this.#suggestions.map(({ ab }) => ab) : [];
    this.gamut.show({ lightness: this.lightness, paint, dots: shown, enabled: editor.takes("hints") });
    const hex = byId("hex");
    if (document.activeElement !== hex) hex.value = paint ? hexAt(paint, this.lightness) : "";
    const [low, high] = this.#radii;
    const radius = editor.hint?.radius ?? editor.radius;
    byId("radius").value = (100 * Math.log(radius / low)) / Math.log(high / low);
    byId("radius-value").textContent = Math.round(radius) === 1 ? "1 pixel" : `${Math.round(radius)} pixels`;
  }

  #showNow(paint) {
    const { editor } = this;
    const swatch = byId("now-swatch");
    swatch.style.backgroundColor = paint ? hexAt(paint, this.lightness) : "";
    swatch.classList.toggle("empty", !paint);
    let text = "Click a spot in the photograph to see which colours are likely there.";
    if (editor.hint) text = `Selected hint: ${nameOf(editor.hint, this.lightness)}`;
    else if (editor.target) text = "Choose a colour for the marked spot.";
    else if (paint) text = `Clicks paint ${nameOf(paint, this.lightness)}.`;
    byId("now-text").textContent = text;
    byId("forget").hidden = !editor.paint;
  }

  #showSuggestions() {
    const { editor } = this;
    byId("suggestions-part").hidden =
      !editor.place || !editor.about.distribution || !this.#suggestions.length;
    const items = this.#suggestions.map(({ color, ab, probability }) => ({
      hex: color,
      label: `${nameOf({ ab }, this.lightness)}, ${percent(probability)} likely`,
      text: percent(probability),
      pressed: isSame(ab, editor.hint),
      onClick: () => this.choose({ ab }),
    }));
    fill(byId("suggestions"), items);
    // those of another place are not to be taken for this one's
    byId("suggestions").inert = !this.#isAnswered;
  }

  #showRecent() {
    byId("recent-part").hidden = !this.#recent.length;
    const items = this.#recent.map((paint) => ({
      hex: hexAt(paint, this.lightness),
      label: `Use ${nameOf(paint, this.lightness)}`,
      onClick: () => this.choose(paint),
    }));
    fill(byId("recent"), items);
  }

  #showList() {
    const { editor } = this;
    const { hints } = editor.project;
    const items = hints.map((hint, i) => {
      const lightness = this.stage.lightnessAt(hint.points[0]);
      const [x, y] = hint.points[0].map(Math.round);
      const what = hint.points.length > 1 ? "stroke" : "point";
      return {
        hex: hexAt(hint, lightness),
        label: `Hint ${i + 1}: ${what}, ${nameOf(hint, lightness)}, at ${x}, ${y}`,
        pressed: i === editor.selected,
        onClick: () => editor.select(editor.selected === i ? -1 : i),
      };
    });
    fill(byId("hint-list"), items);
    byId("hint-count").textContent = hints.length ? `(${hints.length})` : "(none yet)";
    byId("delete-hint").disabled = !editor.hint;
    document.body.dataset.hints = hints.length;
  }
}

function isSame([a, b], hint) {
  if (!hint) return false;
  const [other, another] = abOf(hint);
  return Math.hypot(a - other, b - another) < 0.5;
}

/**
 * Fill a group with swatches: {hex, label, text, pressed, onClick}. Buttons that are there already stay, with
 * the keyboard's focus: one that was replaced between the pressing and the letting go of the mouse would lose
 * its click.
 */
function fill(group, items) {
  while (group.children.length > items.length) group.lastChild.remove();
  items.forEach(({ hex, label, text = "", pressed = null, onClick }, i) => {
    const button = group.children[i] ?? group.appendChild(swatchButton("", "", () => {}, element("span")));
    button.style.backgroundColor = hex;
    button.title = label;
    button.setAttribute("aria-label", label);
    if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
    button.firstChild.textContent = text;
    button.onclick = onClick;
  });
}
