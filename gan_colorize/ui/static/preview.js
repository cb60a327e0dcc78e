// Keeps the picture on the stage up to date: few requests at a time, the newest wishes win, old answers are
// dropped.

import * as api from "./api.js";
import { toJson } from "./project.js";

const DEBOUNCE = 30; // ms: a drag brings more events than anybody can look at
const SETTLE = 350; // ms without a change until the sharp picture is asked for
const RETRY = 1500; // ms until a server that was busy or gone is asked again
const FAST_SIDE = 1024; // largest side while something is dragged
const FIRST_SIDE = 1600; // largest side of the first answer to a change; a sharper one may follow
const SMALLEST_SIDE = 16; // that the server makes
const SHARP_SIDES = [1024, 1600, 2400, 3200, 4096];
const SMALLEST_SPAN = 16; // of 255: less than that is no difference in sureness worth showing
const MOST_AT_ONCE = 2; // one that the server works on, one that waits for its turn

export class Previews extends EventTarget {
  #timer = 0;
  #settle = 0;
  #shown = { sequence: 0, side: 0 };
  #refine = false; // the next request is for the sharp picture
  #running = 0;
  #wanted = false;
  #confidence = false;
  #greySide = 0;
  #epoch = 0; // grows with every photograph: answers for an earlier one are dropped

  /** onError: takes an ApiError; it is told once, then the preview tries again where that can help. */
  constructor(editor, stage, view, onError) {
    super();
    Object.assign(this, { editor, stage, view, onError });
    editor.on("photo", () => this.#start());
    editor.on("project", () => {
      this.#refine = false;
      this.request();
    });
    view.addEventListener("change", () => this.#settleSoon());
  }

  get busy() {
    return this.#running > 0 || this.#wanted;
  }

  /** Show where the model is unsure, or stop showing it. */
  setConfidence(on) {
    this.#confidence = on;
    if (on) this.#fetchConfidence();
    else {
      this.stage.unsure = null;
      this.stage.draw();
    }
  }

  request(delay = DEBOUNCE) {
    if (!this.editor.photo) return;
    this.#wanted = true;
    this.#tell();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), delay);
  }

  #tell() {
    this.dispatchEvent(new Event("busy"));
  }

  #start() {
    this.#epoch += 1;
    this.#shown = { sequence: 0, side: 0 };
    this.#greySide = 0;
    this.stage.setAfter(null);
    this.stage.unsure = null;
    this.stage.setBefore(null);
    this.#fetchGrey();
  }

  get #longest() {
    return Math.max(this.editor.photo.width, this.editor.photo.height);
  }

  /** The side that makes one pixel of the picture one of the screen, as far as the photograph has it. */
  get #sharpSide() {
    const needed = this.#longest * this.view.scale * (window.devicePixelRatio || 1);
    const step = SHARP_SIDES.find((side) => side >= needed) ?? SHARP_SIDES.at(-1);
    return Math.max(SMALLEST_SIDE, Math.min(step, this.#longest));
  }

  async #fetchGrey() {
    const [epoch, side] = [this.#epoch, this.#sharpSide];
    if (side <= this.#greySide) return;
    this.#greySide = side;
    try {
      const bitmap = await api.grey(this.editor.photo.id, side);
      if (epoch === this.#epoch) this.stage.setBefore(bitmap);
    } catch (error) {
      this.#greySide = 0;
      if (epoch === this.#epoch) this.onError(error);
    }
  }

  async #send() {
    if (this.#running >= MOST_AT_ONCE || !this.#wanted || !this.editor.photo) return;
    this.#wanted = false;
    this.#running += 1;
    const epoch = this.#epoch;
    const most = this.#refine ? Infinity : this.editor.dragging ? FAST_SIDE : FIRST_SIDE;
    const side = Math.min(this.#sharpSide, most);
    const { photo, project } = this.editor;
    this.#refine = false;
    try {
      const answer = await api.preview(photo.id, toJson(project, photo), { side });
      const bitmap = await createImageBitmap(answer.blob);
      if (epoch === this.#epoch && answer.sequence > this.#shown.sequence) {
        this.#shown = { sequence: answer.sequence, side };
        this.stage.setAfter(bitmap);
        this.dispatchEvent(new Event("shown"));
      }
    } catch (error) {
      if (epoch === this.#epoch && !error.stale) this.#failed(error, side);
    } finally {
      this.#running -= 1;
      this.#tell();
      if (this.#wanted) this.request(0);
      else this.#settleSoon();
    }
  }

  #failed(error, side) {
    this.onError(error);
    this.#shown.side = Math.max(this.#shown.side, side); // do not ask for this size again and again
    // busy (503) or gone for a moment: what is wanted is still wanted
    if (error.status === 503 || error.status === 0) setTimeout(() => this.request(0), RETRY);
  }

  #settleSoon() {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#settled(), SETTLE);
  }

  #settled() {
    if (!this.editor.photo || this.editor.dragging || this.busy) return;
    const side = this.#sharpSide;
    this.#fetchGrey();
    if (this.#shown.side && side > this.#shown.side) {
      this.#refine = true;
      this.request(0);
      return;
    }
    this.dispatchEvent(new Event("settled"));
    if (this.#confidence) this.#fetchConfidence();
  }

  #confidenceOf = null; // the project that the sureness on the stage belongs to

  async #fetchConfidence() {
    const { photo, project } = this.editor;
    if (!photo || (this.#confidenceOf === project && this.stage.unsure)) return;
    const epoch = this.#epoch;
    try {
      const options = { side: Math.min(this.#sharpSide, FAST_SIDE), kind: "confidence", confidence: true };
      const { blob } = await api.preview(photo.id, toJson(project, photo), options);
      const overlay = await unsureOverlay(blob);
      if (epoch !== this.#epoch || !this.#confidence) return;
      this.stage.unsure = overlay;
      this.#confidenceOf = project;
      this.stage.draw();
    } catch (error) {
      if (epoch === this.#epoch && !error.stale) this.onError(error);
    }
  }
}

/**
 * Grey picture of sureness -> amber where the model is least sure. Within the photograph: a few per cent of
 * sureness are much for one photograph and nothing for another, and what is asked is where a hint helps most.
 */
async function unsureOverlay(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = image.data.filter((_, i) => i % 4 === 0).sort();
  const [low, high] = [0.02, 0.6].map((share) => values[Math.floor(share * (values.length - 1))]);
  const span = Math.max(high - low, SMALLEST_SPAN);
  for (let i = 0; i < image.data.length; i += 4) {
    const unsure = Math.min(1, Math.max(0, (high - image.data[i]) / span));
    image.data.set([255, 170, 0, 205 * unsure], i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
