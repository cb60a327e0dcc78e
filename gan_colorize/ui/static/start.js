// The view with the files to open: a button, the server's folder, and dropping anywhere on the page.

import * as api from "./api.js";
import { byId, element } from "./dom.js";
import { say, sayError } from "./status.js";

export class Start {
  #last = ""; // the last name of the folder that is listed

  constructor(editor, opening) {
    Object.assign(this, { editor, opening });
    byId("choose-file").addEventListener("click", () => byId("file").click());
    byId("file").addEventListener("change", ({ target }) => {
      const [file] = target.files;
      target.value = ""; // the same file may be chosen again
      if (file) opening.open(file);
    });
    byId("folder-more").addEventListener("click", () => this.#list());
    byId("back").addEventListener("click", () => this.hide());
    editor.on("photo", () => this.hide());
    this.#wireDrop();
  }

  show() {
    byId("back").hidden = !this.editor.photo;
    document.body.classList.add("choosing");
    (this.editor.photo ? byId("back") : byId("choose-file")).focus({ preventScroll: true });
    if (this.editor.about?.folder && !this.#last) this.#list();
  }

  hide() {
    document.body.classList.remove("choosing");
    document.body.classList.toggle("no-photo", !this.editor.photo);
  }

  /** Show the next names of the folder. */
  async #list() {
    const more = byId("folder-more");
    more.disabled = true;
    byId("folder").hidden = false;
    byId("folder-name").textContent = this.editor.about.folder;
    try {
      const { photographs, more: rest } = await api.folder(this.#last);
      byId("folder-list").append(...photographs.map(({ name }) => this.#item(name)));
      if (!photographs.length && !this.#last)
        byId("folder-list").append(element("li", {}, "No photographs there."));
      this.#last = photographs.at(-1)?.name ?? this.#last;
      more.hidden = !rest;
    } catch (error) {
      sayError(error);
      more.hidden = false;
    } finally {
      more.disabled = false;
    }
  }

  #item(name) {
    const picture = element("img", { loading: "lazy", alt: "", src: api.thumbnailUrl(name) });
    picture.addEventListener("error", () =>
      picture.replaceWith(element("span", { className: "broken" }, "?")),
    );
    const button = element("button", { type: "button", title: name }, picture, element("span", {}, name));
    button.addEventListener("click", () => this.opening.openFromFolder(name));
    return element("li", {}, button);
  }

  #wireDrop() {
    const veil = byId("drop-veil");
    let depth = 0; // dragenter and dragleave come for every element on the way
    const show = (on) => {
      depth = Math.max(0, depth + (on ? 1 : -1));
      veil.hidden = depth === 0;
    };
    const files = (event) => event.dataTransfer?.types.includes("Files");
    window.addEventListener("dragenter", (event) => files(event) && show(true));
    window.addEventListener("dragleave", (event) => files(event) && show(false));
    window.addEventListener("dragover", (event) => event.preventDefault());
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      veil.hidden = true;
      const dropped = [...(event.dataTransfer?.files ?? [])];
      if (document.querySelector("dialog[open]") || !dropped.length) return;
      if (dropped.length > 1) say("One photograph at a time: the first one is opened.");
      this.opening.open(dropped[0]);
    });
    window.addEventListener("paste", (event) => {
      const [file] = event.clipboardData?.files ?? [];
      if (file) this.opening.open(file);
    });
  }
}
