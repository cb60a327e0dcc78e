// The panel "Palette": palettes for words, five swatches, another picture's colours.

import * as api from "./api.js";
import { byId, element, swatchButton } from "./dom.js";
import { parseHex, toHex } from "./lab.js";
import { progress, say } from "./status.js";

const MOST = 5;
const SAMPLES = 5;

export class PalettePanel {
  #seed = 0;
  #words = "";
  #pictures = new Map(); // name of a reference -> blob URL, as long as the page lives

  constructor(editor, onError) {
    Object.assign(this, { editor, onError });
    byId("words-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#find();
    });
    byId("palette-codes").addEventListener("change", () => this.#takeCodes());
    byId("palette-clear").addEventListener("click", () => this.#set(null));
    byId("reference-choose").addEventListener("click", () => byId("reference-file").click());
    byId("reference-clear").addEventListener("click", () => editor.apply({ reference: null }));
    byId("reference-file").addEventListener("change", ({ target }) => {
      const [file] = target.files;
      target.value = ""; // the same file may be chosen again
      if (file) this.#takeReference(file);
    });
    editor.on("project", () => this.update());
  }

  #set(palette, text = null) {
    this.editor.apply({ palette: palette?.length ? palette : null, text, text_seed: null });
  }

  /** Palettes for the words; asking for the same words again brings others. */
  async #find() {
    const text = byId("words").value.trim();
    if (!text) return say("Write a few words first, such as: autumn forest.");
    this.#seed = text === this.#words ? this.#seed + SAMPLES : 0;
    this.#words = text;
    const button = byId("words-form").querySelector("button");
    button.disabled = true;
    try {
      const { palettes, warning } = await api.palettes(text, this.#seed, SAMPLES);
      this.#showFound(
        palettes.map((palette) => palette.map((code) => toHex(parseHex(code)))),
        text,
      );
      byId("palettes-note").textContent = warning ?? "";
      byId("palettes-note").hidden = !warning;
      button.textContent = "Find others";
      return say(`${palettes.length} palettes for “${text}”. Choose one.`);
    } catch (error) {
      return this.onError(error);
    } finally {
      button.disabled = false;
    }
  }

  #showFound(palettes, text) {
    const rows = palettes.map((palette, index) => {
      const bars = palette.map((code) => {
        const bar = element("span");
        bar.style.backgroundColor = code;
        return bar;
      });
      const label = `Palette ${index + 1}: ${palette.join(", ")}`;
      const button = element(
        "button",
        { type: "button", title: label, "aria-label": label, className: "bars" },
        ...bars,
      );
      button.dataset.codes = palette.join();
      button.addEventListener("click", () => {
        this.#set(palette, text);
        say(`The photograph gets the colours of palette ${index + 1}.`);
      });
      return button;
    });
    byId("palettes").replaceChildren(...rows);
    this.update();
  }

  #takeCodes() {
    const input = byId("palette-codes");
    const codes = input.value.split(/[\s,;]+/).filter(Boolean);
    const colours = codes.map(parseHex);
    if (colours.includes(null))
      return say(`“${codes[colours.indexOf(null)]}” is no colour code such as #a1b2c3.`, { error: true });
    if (colours.length > MOST) return say(`A palette has at most ${MOST} colours.`, { error: true });
    return this.#set(colours.map(toHex));
  }

  async #takeReference(file) {
    progress(NaN);
    try {
      const reference = await api.reference(file, progress);
      this.#pictures.set(reference.name, URL.createObjectURL(file));
      this.editor.apply({ reference });
      say(`The colours of ${file.name} are taken over.`);
    } catch (error) {
      this.onError(error);
    } finally {
      progress(null);
    }
  }

  update() {
    const { editor } = this;
    const { palette, reference, text } = editor.project;
    this.#showSwatches(palette ?? []);
    const codes = byId("palette-codes");
    if (document.activeElement !== codes) codes.value = (palette ?? []).join(", ");
    byId("palette-clear").disabled = !palette && !text;
    for (const row of byId("palettes").children) {
      row.setAttribute("aria-pressed", String(row.dataset.codes === (palette ?? []).join()));
    }
    byId("words-part").hidden = !editor.about.text || !editor.takes("palette");
    // a project may come with what this model does not take: it must be possible to take it back
    byId("palette-part").hidden = !editor.takes("palette") && !palette && !text;
    byId("reference-part").hidden = !editor.takes("histogram") && !reference;
    byId("palette-missing").hidden = editor.takes("palette");
    const words = byId("words");
    if (text && document.activeElement !== words) words.value = text;
    this.#showReference(reference);
  }

  #showReference(reference) {
    byId("reference-now").hidden = byId("reference-clear").hidden = !reference;
    byId("reference-name").textContent = reference ? (reference.name ?? "a picture") : "";
    const url = this.#pictures.get(reference?.name);
    const image = byId("reference-image");
    image.hidden = !url;
    if (url && image.src !== url) image.src = url;
  }

  #showSwatches(palette) {
    const group = byId("palette-swatches");
    if (group.dataset.codes === palette.join()) return;
    group.dataset.codes = palette.join();
    // a colour field that is open must not be replaced under the person's hand
    if (group.contains(document.activeElement) && group.querySelectorAll("input").length === palette.length) {
      group.querySelectorAll("input").forEach((input, i) => (input.value = palette[i]));
      return;
    }
    const fields = palette.map((code, i) => {
      const input = element("input", {
        type: "color",
        value: code,
        title: code,
        "aria-label": `Colour ${i + 1}`,
      });
      input.addEventListener("input", () =>
        this.editor.change({ palette: this.editor.project.palette.with(i, input.value) }),
      );
      input.addEventListener("change", () => this.editor.commit());
      const remove = element(
        "button",
        { type: "button", className: "remove", title: "Remove", "aria-label": `Remove colour ${i + 1}` },
        "×",
      );
      remove.addEventListener("click", () => this.#set(palette.filter((_, k) => k !== i)));
      return element("div", {}, input, remove);
    });
    if (palette.length < MOST) {
      const add = swatchButton("", "Add a colour", () => this.#add(palette), "+");
      add.classList.add("add");
      fields.push(element("div", {}, add));
    }
    group.replaceChildren(...fields);
  }

  #add(palette) {
    this.#set([...palette, palette.at(-1) ?? "#8a9a5b"]);
    byId("palette-swatches").querySelectorAll("input")[palette.length]?.focus();
  }
}
