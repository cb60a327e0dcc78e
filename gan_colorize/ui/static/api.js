// Talking to the server: every failure becomes an ApiError with one plain line.

/**
 * Names this page load to the server, which drops previews that a later one of the same tab overtook. Made
 * anew at every load, not kept in sessionStorage: a duplicated tab inherits that, and the two would drop each
 * other's work.
 */
const TAB = crypto.randomUUID();
const NO_ANSWER = "The server does not answer. Is gan-colorize still running?";

export class ApiError extends Error {
  /** status: the HTTP status, 0 when there was no answer; stale: a later request made this one pointless. */
  constructor(message, status, stale = false) {
    super(message);
    this.status = status;
    this.stale = stale;
  }
}

function failure(status, text) {
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // not JSON: a proxy or a crash answered; the status has to do
  }
  const message = typeof body.error === "string" ? body.error : `The server answered with error ${status}.`;
  return new ApiError(message, status, body.stale === true);
}

/** fetch() whose failures are ApiErrors; an abort stays an AbortError. */
export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(NO_ANSWER, 0);
  }
  if (!response.ok) throw failure(response.status, await response.text().catch(() => ""));
  return response;
}

export const getJson = async (path) => (await call(path)).json();

export function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

export const postJson = async (path, body, signal) => (await post(path, body, signal)).json();

/** Send a file's bytes; fetch cannot tell how far an upload is, so this is an XMLHttpRequest. */
export function upload(path, file, onProgress = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${path}?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new ApiError(NO_ANSWER, 0));
    request.onload = () => {
      if (request.status >= 400) return reject(failure(request.status, request.responseText));
      try {
        return resolve(JSON.parse(request.responseText));
      } catch {
        return reject(new ApiError("The server's answer cannot be read.", request.status));
      }
    };
    request.send(file);
  });
}

const at = (id, what) => `/api/photos/${encodeURIComponent(id)}${what}`;

export const about = () => getJson("/api/about");
export const work = () => getJson("/api/work");
export const folder = (after) => getJson(`/api/folder${after ? `?after=${encodeURIComponent(after)}` : ""}`);
export const thumbnailUrl = (name) => `/api/folder/thumbnail?name=${encodeURIComponent(name)}`;
export const openUpload = (file, onProgress) => upload("/api/photos", file, onProgress);
export const openFromFolder = (name) => postJson("/api/photos/open", { name });
export const photo = (id) => getJson(at(id, ""));
export const reference = (file, onProgress) => upload("/api/reference", file, onProgress);
export const palettes = (text, seed, samples) => postJson("/api/palette", { text, seed, samples });
export const suggest = (id, body, signal) => postJson(at(id, "/suggest"), body, signal);
export const exportFile = (id, body, signal) => post(at(id, "/export"), body, signal);

const bitmapOf = async (response) => createImageBitmap(await response.blob());

export const grey = async (id, side) => bitmapOf(await call(at(id, `/grey?side=${side}`)));

let sequence = 0;

/** -> {sequence, blob}; kind: "main", "variant-0", ... Later ones of a kind make earlier ones stale. */
export async function preview(id, wishes, { side, kind = "main", confidence = false, signal } = {}) {
  sequence += 1;
  const mine = sequence;
  const body = { wishes, tab: TAB, sequence: mine, side, kind };
  if (confidence) body.confidence = true;
  const response = await post(at(id, "/preview"), body, signal);
  return { sequence: mine, blob: await response.blob() };
}
