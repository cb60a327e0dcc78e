// Writing files: the project as JSON, the coloured photograph at its full size.

import * as api from "./api.js";
import { byId, download } from "./dom.js";
import { toJson } from "./project.js";
import { progress, say } from "./status.js";

const POLL = 500; // ms between questions how far the server is
const LOSSY = ["jpg", "webp"];

const stem = (name) => name.replace(/\.[^.]+$/, "") || "photograph";

export function saveProject(editor) {
  const text = JSON.stringify(toJson(editor.project, editor.photo), null, 1);
  const name = `${stem(editor.photo.name)}.hints.json`;
  download(new Blob([`${text}\n`], { type: "application/json" }), name);
  say(`The project is saved as ${name}.`);
}

export class ExportDialog {
  #running = null; // AbortController of the export that is under way

  /** onExpired: called when the server has closed the photograph. */
  constructor(editor, onExpired) {
    Object.assign(this, { editor, onExpired, dialog: byId("export-dialog") });
    byId("export-format").addEventListener("change", () => this.#showQuality());
    byId("quality").addEventListener(
      "input",
      ({ target }) => (byId("quality-value").textContent = target.value),
    );
    byId("export-start").addEventListener("click", () => this.#export());
    this.dialog.addEventListener("close", () => this.#running?.abort());
  }

  open() {
    const { photo } = this.editor;
    const megapixels = ((photo.width * photo.height) / 1e6).toFixed(1);
    byId("export-size").textContent =
      `${photo.name}: ${photo.width} × ${photo.height}, ${megapixels} megapixels.`;
    byId("export-progress").textContent = "";
    byId("export-progress").classList.remove("error");
    this.#showQuality();
    this.dialog.showModal();
  }

  #showQuality() {
    byId("quality-part").hidden = !LOSSY.includes(byId("export-format").value);
  }

  async #export() {
    if (this.#running) return;
    const { photo, project } = this.editor;
    const format = byId("export-format").value;
    const line = byId("export-progress");
    const bar = byId("export-bar");
    line.classList.remove("error");
    line.textContent = "Colouring at full size …";
    byId("export-start").disabled = true;
    this.#running = new AbortController();
    progress(NaN, bar);
    const asking = setInterval(() => this.#askHowFar(line), POLL);
    try {
      const body = { wishes: toJson(project, photo), format, quality: Number(byId("quality").value) };
      const response = await api.exportFile(photo.id, body, this.#running.signal);
      clearInterval(asking);
      const blob = await receive(response, (share) => progress(share, bar));
      const name = fileName(response) ?? `${stem(photo.name)}.${format}`;
      download(blob, name);
      this.dialog.close();
      say(`Exported as ${name}.`);
    } catch (error) {
      if (error.name === "AbortError") say("The export was cancelled.");
      else if (error.status === 404) {
        this.dialog.close();
        this.onExpired();
      } else {
        line.classList.add("error");
        line.textContent = error.message;
      }
    } finally {
      clearInterval(asking);
      progress(null, bar);
      byId("export-start").disabled = false;
      this.#running = null;
    }
  }

  async #askHowFar(line) {
    try {
      const { doing, seconds, queued } = await api.work();
      if (!this.#running || !doing) return;
      const time = `${Math.round(seconds)} s`;
      if (doing === "export") line.textContent = `Colouring at full size … ${time}`;
      else
        line.textContent = `Waiting for other work to end${queued > 1 ? ` (${queued} before this)` : ""} …`;
    } catch {
      // the export's own answer will say what is wrong
    }
  }
}

/** Read a body with its progress. */
async function receive(response, onProgress) {
  const total = Number(response.headers.get("Content-Length"));
  const parts = [];
  let loaded = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(parts, { type: response.headers.get("Content-Type") ?? "" });
    parts.push(value);
    loaded += value.length;
    if (total) onProgress(loaded / total);
  }
}

function fileName(response) {
  const header = response.headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(header);
  try {
    return encoded ? decodeURIComponent(encoded[1]) : (/filename="([^"]+)"/i.exec(header)?.[1] ?? null);
  } catch {
    return null;
  }
}
