// The bar under the stage: tools, before and after, guesses, marks, zoom.

import { byId, rove } from "./dom.js";

export class Toolbar {
  constructor({ editor, stage, view, previews }) {
    Object.assign(this, { editor, stage, view, previews });
    this.tools = [...document.querySelectorAll("[data-tool]")];
    for (const button of this.tools)
      button.addEventListener("click", () => editor.setTool(button.dataset.tool));
    rove(this.tools[0].parentElement, "[data-tool]", (button) => editor.setTool(button.dataset.tool));
    for (const id of ["compare", "unsure", "marks"])
      byId(id).addEventListener("click", () => this.toggle(id));
    this.#wireDivider();
    view.addEventListener("change", () => this.update());
    editor.on("tool photo", () => this.update());
    this.update();
  }

  update() {
    const { editor, view } = this;
    for (const button of this.tools) {
      const chosen = button.dataset.tool === editor.tool;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      button.disabled = !editor.photo;
    }
    for (const id of ["compare", "unsure", "marks", "zoom-in", "zoom-out", "zoom-fit"])
      byId(id).disabled = !editor.photo;
    byId("unsure").hidden = editor.about?.distribution === false;
    // a pixel of the photograph on a pixel of the screen is 100 %
    byId("zoom").textContent = `${Math.round(100 * view.scale * (window.devicePixelRatio || 1))} %`;
  }

  toggle(id) {
    const on = byId(id).getAttribute("aria-pressed") !== "true";
    if (byId(id).disabled || byId(id).hidden) return;
    byId(id).setAttribute("aria-pressed", String(on));
    if (id === "compare") this.#compare(on);
    if (id === "marks") this.stage.showMarks = on;
    if (id === "unsure") {
      byId("legend").hidden = !on;
      this.previews.setConfidence(on);
    }
    this.stage.draw();
  }

  /** Show the photograph without colours as long as a key is held. */
  original(on) {
    if (this.stage.showOriginal === on) return;
    this.stage.showOriginal = on;
    this.stage.draw();
  }

  #compare(on) {
    byId("divider").hidden = !on;
    if (on) this.#divide(0.5);
    else this.stage.divider = null;
  }

  #divide(share) {
    const divider = byId("divider");
    this.stage.divider = Math.min(1, Math.max(0, share));
    divider.style.left = `${100 * this.stage.divider}%`;
    divider.setAttribute("aria-valuenow", String(Math.round(100 * this.stage.divider)));
    divider.setAttribute("aria-valuetext", `${Math.round(100 * this.stage.divider)} % before`);
    this.stage.draw();
  }

  #wireDivider() {
    const divider = byId("divider");
    const box = () => this.stage.canvas.getBoundingClientRect();
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      event.preventDefault();
      divider.focus();
    });
    divider.addEventListener("pointermove", (event) => {
      if (divider.hasPointerCapture(event.pointerId))
        this.#divide((event.clientX - box().left) / box().width);
    });
    divider.addEventListener("keydown", (event) => {
      const step = {
        ArrowLeft: -0.02,
        ArrowRight: 0.02,
        ArrowDown: -0.02,
        ArrowUp: 0.02,
        PageDown: -0.1,
        PageUp: 0.1,
      }[event.key];
      if (step) this.#divide(this.stage.divider + step);
      else if (event.key === "Home") this.#divide(0);
      else if (event.key === "End") this.#divide(1);
      else return;
      event.preventDefault();
    });
  }
}
