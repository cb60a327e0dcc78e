// Opening: photographs from files and from the server's folder, project files, and what a reload or an
// expired photograph asks for.

import * as api from "./api.js";
import { EMPTY, ProjectError, fromJson, parseProject, photoOf } from "./project.js";
import { progress, say, sayError } from "./status.js";
import * as storage from "./storage.js";

const LARGEST_PROJECT = 16e6; // bytes, as the command line

export class Opening {
  #file = null; // of the open photograph, as long as the page lives
  #awaiting = null; // {kept} or {json, file}: a project whose photograph is to be opened first
  #run = 0; // the latest wish to open something wins
  #reopening = false;

  /** showStart: shows the view with the files to open. */
  constructor(editor, showStart) {
    Object.assign(this, { editor, showStart });
  }

  /** A file that was dropped or chosen: a project or a photograph. */
  async open(file) {
    const project = /\.json$/i.test(file.name) || file.type === "application/json";
    await (project
      ? this.#openProject(file)
      : this.#openPhoto(file.name, () => api.openUpload(file, progress), { file }));
  }

  openFromFolder(name) {
    return this.#openPhoto(name, () => api.openFromFolder(name), { folder: name });
  }

  /** -> whether it was opened. */
  async #openPhoto(name, ask, { file = null, folder = null }) {
    this.#run += 1;
    const run = this.#run;
    say(`Opening ${name} …`);
    progress(NaN);
    try {
      const { warnings, ...photo } = await ask();
      if (run !== this.#run) return false;
      this.#file = file;
      this.#show({ ...photo, source: folder ? { folder } : null }, warnings);
      return true;
    } catch (error) {
      if (run === this.#run) sayError(error);
      return false;
    } finally {
      if (run === this.#run) progress(null);
    }
  }

  #show(photo, warnings) {
    storage.save(this.editor);
    const { kept, json, file } = this.#awaiting ?? {};
    const same = kept && ["width", "height", "name"].every((key) => kept.photo[key] === photo[key]);
    if (same) {
      this.#awaiting = null;
      this.editor.openPhoto(photo, kept.project, kept.past, kept.future);
      return say(`${photo.name} is open again, with your hints.`);
    }
    this.editor.openPhoto(photo);
    if (json) return this.#takeProject(json, file);
    const earlier = storage.earlier(photo);
    if (earlier) {
      const run = () => this.editor.apply(earlier.project);
      return say("You have worked on this photograph before.", {
        action: { label: "Bring the hints back", run },
      });
    }
    const click = this.editor.takes("hints") ? " Click a spot to choose its colour." : "";
    return say([`${photo.name} is open.${click}`, ...(warnings ?? [])].join(" "));
  }

  async #openProject(file) {
    try {
      if (file.size > LARGEST_PROJECT) throw new ProjectError("it is too large");
      const json = parseProject(await file.text());
      if (this.editor.photo) return this.#takeProject(json, file);
      // checked before its photograph is asked for: at its own size it must be in order
      const made = photoOf(json);
      fromJson(json, made?.width ? made : { width: Infinity, height: Infinity });
      this.#awaiting = { json, file };
      if (this.editor.about.folder && made?.name && (await this.openFromFolder(made.name))) return undefined;
      return say(`Now open the photograph${made?.name ? ` ${made.name}` : ""} that this project belongs to.`);
    } catch (error) {
      return this.#refuse(error, file);
    }
  }

  #takeProject(json, file) {
    try {
      const most = this.editor.about.limits?.hints;
      const project = fromJson(json, this.editor.photo, most);
      this.#awaiting = null;
      this.editor.apply(project);
      this.editor.select(-1);
      say(`The project ${file.name} is open. Undo brings back what was there before.`);
    } catch (error) {
      this.#refuse(error, file);
    }
  }

  #refuse(error, file) {
    if (!(error instanceof ProjectError)) return sayError(error);
    return say(`The project ${file.name} cannot be opened: ${error.message}. Nothing was changed.`, {
      error: true,
    });
  }

  /** After a reload: what was open in this tab. -> whether something is. */
  async restore() {
    const kept = storage.current();
    if (!kept) return false;
    try {
      await api.photo(kept.photo.id);
      this.editor.openPhoto(kept.photo, { ...EMPTY, ...kept.project }, kept.past ?? [], kept.future ?? []);
      say(`${kept.photo.name} is open, as you left it.`);
      return true;
    } catch (error) {
      if (error.status !== 404) sayError(error);
      return this.#openAgain(kept);
    }
  }

  /** The server has closed the photograph, as after a restart: open it again, or ask for it. */
  async expired() {
    if (this.#reopening || !this.editor.photo) return;
    this.#reopening = true;
    const { photo, project, past, future } = this.editor;
    try {
      await this.#openAgain({ photo, project, past, future });
    } finally {
      this.#reopening = false;
    }
  }

  async #openAgain(kept) {
    this.#awaiting = { kept };
    const folder = kept.photo.source?.folder;
    const file = this.#file;
    if (folder && (await this.openFromFolder(folder))) return true;
    if (file && (await this.#openPhoto(file.name, () => api.openUpload(file, progress), { file })))
      return true;
    this.showStart();
    const text = `The server has closed ${kept.photo.name}. Please open it again: your hints are kept.`;
    say(text, { error: true });
    return false;
  }
}
