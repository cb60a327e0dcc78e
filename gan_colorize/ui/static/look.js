// The panel "Look": strength and choice of the colours, and other versions drawn with other seeds.

import * as api from "./api.js";
import { byId, element, rove, wireSlider } from "./dom.js";
import { toJson } from "./project.js";

const COUNT = 6; // versions at a time, besides the automatic one
const SIDE = 240; // pixels of a version's picture

export class Look {
  #first = 1; // seed of the first version on show
  #shownFor = null; // the project and seeds that the pictures belong to
  #run = 0;
  #urls = new Map(); // seed -> blob URL

  /** isOpen: whether the panel can be seen; pictures are made only then. */
  constructor(editor, previews, isOpen, onError) {
    Object.assign(this, { editor, isOpen, onError });
    for (const key of ["saturation", "temperature"]) this.#wire(key);
    byId("variants-more").addEventListener("click", () => this.#more());
    rove(byId("variants"), "button");
    editor.on("photo", () => this.#forget());
    editor.on("project", () => this.update());
    previews.addEventListener("settled", () => this.refresh());
  }

  #wire(key) {
    wireSlider(byId(key), this.editor, (value) => this.editor.change({ [key]: value }));
    byId(`${key}-reset`).addEventListener("click", () => this.editor.apply({ [key]: null }));
  }

  #forget() {
    this.#run += 1;
    this.#first = 1;
    this.#shownFor = null;
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
  }

  update() {
    const { project, about } = this.editor;
    for (const key of ["saturation", "temperature"]) {
      const value = project[key] ?? about[key] ?? 1;
      byId(key).value = value;
      byId(`${key}-value`).textContent = project[key] === null ? "automatic" : value.toFixed(2);
      byId(`${key}-reset`).disabled = project[key] === null;
    }
    byId("temperature-part").hidden = !about.distribution;
    byId("variants-part").hidden = !about.distribution;
    this.#showVariants();
  }

  get #seeds() {
    const seeds = Array.from({ length: COUNT }, (_, i) => this.#first + i);
    const { seed } = this.editor.project;
    // a version that was chosen earlier stays on show
    return seed !== null && !seeds.includes(seed) ? [seed, ...seeds.slice(0, -1)] : seeds;
  }

  /** Buttons that are there already stay: a click must not fall between an old one and a new one. */
  #showVariants() {
    const group = byId("variants");
    const chosen = this.editor.project.seed;
    [null, ...this.#seeds].forEach((seed, i) => {
      const button = group.children[i] ?? group.appendChild(this.#button());
      const [picture, text] = button.children;
      button.onclick = () => this.editor.apply({ seed });
      button.setAttribute("aria-checked", String(seed === chosen));
      button.tabIndex = seed === chosen ? 0 : -1;
      text.textContent = seed === null ? "Automatic" : `Version ${seed}`;
      const url = this.#urls.get(seed);
      if (!url) picture.removeAttribute("src");
      else if (picture.src !== url) picture.src = url;
    });
  }

  #button() {
    return element("button", { type: "button", role: "radio" }, element("img", { alt: "" }), element("span"));
  }

  #more() {
    this.#first += COUNT;
    this.#shownFor = null;
    this.#showVariants();
    this.refresh();
  }

  /** Make the pictures anew, if the wishes are others than those they were made for. */
  async refresh() {
    const { editor } = this;
    const { photo, about } = editor;
    if (!photo || !about.distribution || !this.isOpen()) return;
    const project = { ...editor.project, seed: null };
    const key = JSON.stringify([photo.id, project, this.#first]);
    if (key === this.#shownFor) return;
    this.#run += 1;
    const run = this.#run;
    byId("variants").setAttribute("aria-busy", "true");
    try {
      // one after the other: a hint that is set meanwhile finds a short queue
      for (const [index, seed] of [null, ...this.#seeds].entries()) {
        const wishes = toJson({ ...project, seed }, photo);
        const { blob } = await api.preview(photo.id, wishes, { side: SIDE, kind: `variant-${index}` });
        if (run !== this.#run) return;
        if (this.#urls.has(seed)) URL.revokeObjectURL(this.#urls.get(seed));
        this.#urls.set(seed, URL.createObjectURL(blob));
        this.#showVariants();
      }
      this.#shownFor = key;
    } catch (error) {
      if (run === this.#run && !error.stale) this.onError(error);
    } finally {
      if (run === this.#run) byId("variants").removeAttribute("aria-busy");
    }
  }
}
