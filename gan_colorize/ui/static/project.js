// The project: what a person wishes of one photograph. Plain immutable objects, the JSON schema of
// `gan-colorize colorize --hints`, and the checks that keep a damaged file from doing harm.

import { parseHex, toHex } from "./lab.js";

export const FORMAT = "gan_colorize-project";

/**
 * hints: [{points: [[x, y], ...], radius, color | ab}], in pixels of the photograph; null means "the model's
 * own".
 */
export const EMPTY = Object.freeze({
  hints: [],
  palette: null,
  text: null,
  text_seed: null,
  reference: null,
  temperature: null,
  saturation: null,
  seed: null,
});

/** A project file that cannot be used; the message says why in one line. */
export class ProjectError extends Error {}

const round = (value, places = 2) => Number(value.toFixed(places));

function hintToJson({ points, radius, color, ab }) {
  const paint = color ? { color } : { ab: ab.map((v) => round(v)) };
  if (points.length === 1) {
    return { x: round(points[0][0]), y: round(points[0][1]), radius: round(radius), ...paint };
  }
  return { points: points.map((p) => p.map((v) => round(v))), radius: round(radius), ...paint };
}

/**
 * The wishes object of every request, and with the photograph's name and size the content of a project file.
 */
export function toJson(project, photo) {
  const json = { format: FORMAT, version: 1 };
  json.photo = { name: photo.name, width: photo.width, height: photo.height };
  json.hints = project.hints.map(hintToJson);
  for (const key of Object.keys(EMPTY)) {
    if (key !== "hints" && project[key] !== null) json[key] = project[key];
  }
  return json;
}

function fail(message) {
  throw new ProjectError(message);
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function checkKeys(object, known, where) {
  if (!isObject(object)) fail(`${where} is not an object`);
  for (const key of Object.keys(object))
    if (!known.includes(key)) fail(`${where} has an unknown entry "${key}"`);
}

function number(value, low, high, where) {
  if (!isNumber(value) || value < low || value > high)
    fail(`${where} must be a number from ${low} to ${high}`);
  return value;
}

function hex(value, where) {
  const rgb = typeof value === "string" ? parseHex(value) : null;
  return rgb ? toHex(rgb) : fail(`${where} is no colour such as #3a7d44`);
}

function hintFromJson(json, where, [across, down]) {
  checkKeys(json, ["x", "y", "points", "radius", "color", "ab"], where);
  if ("points" in json === ("x" in json || "y" in json)) fail(`${where} needs either x and y or points`);
  const points = json.points ?? [[json.x, json.y]];
  const pair = (p) => Array.isArray(p) && p.length === 2 && p.every(isNumber);
  if (!Array.isArray(points) || !points.length || !points.every(pair)) fail(`${where} has no place`);
  if ("color" in json === "ab" in json) fail(`${where} needs a color or an ab, not both`);
  if ("ab" in json && !(pair(json.ab) && json.ab.every((v) => Math.abs(v) <= 128)))
    fail(`${where}: ab is wrong`);
  const paint = "color" in json ? { color: hex(json.color, `${where}'s color`) } : { ab: [...json.ab] };
  const radius = number(json.radius, 0.1, 1e6, `${where}'s radius`) * Math.sqrt(across * down);
  return { points: points.map(([x, y]) => [x * across, y * down]), radius, ...paint };
}

function referenceFromJson(json) {
  checkKeys(json, ["name", "histogram", "saturation"], "the reference");
  if (!isObject(json.histogram)) fail("the reference has no histogram");
  for (const share of Object.values(json.histogram))
    number(share, 0, 1, "a share of the reference's histogram");
  return json;
}

/** What a file says of its photograph: {name, width, height}, or null. */
export function photoOf(json) {
  return isObject(json) && isObject(json.photo) ? json.photo : null;
}

/** Text of a project file -> JSON object, checked only for being a project at all. */
export function parseProject(text) {
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    fail("it is damaged, or no project file");
  }
  // a file of hints that was written by hand needs no format, as for the command line
  const byHand = isObject(json) && json.format === undefined && Object.keys(EMPTY).some((key) => key in json);
  if (!byHand && json?.format !== FORMAT) fail("it is no project of this editor");
  if ((json.version ?? 1) !== 1) fail(`it has version ${json.version}; this editor reads version 1`);
  return json;
}

/** What hints made on another size of the same picture are multiplied with: [across, down]. */
function scalesTo(made, photo) {
  if (!made || (made.width === undefined && made.height === undefined)) return [1, 1];
  const [across, down] = [photo.width / made.width, photo.height / made.height];
  // half a pixel of rounding on either side of the smaller copy
  if (!(Math.abs(across / down - 1) <= 1 / Math.min(made.width, made.height, photo.width, photo.height))) {
    const other = `${made.width} × ${made.height}`;
    fail(
      `it was made for a photograph of another shape (${other}; this one is ${photo.width} × ${photo.height})`,
    );
  }
  return [across, down];
}

/**
 * JSON of a project file -> project for a photograph; hints made at another size of the same picture are
 * scaled.
 */
export function fromJson(json, photo, maximum = 500) {
  checkKeys(json, ["format", "version", "photo", ...Object.keys(EMPTY)], "the project");
  const scales = scalesTo(photoOf(json), photo);
  const hints = json.hints ?? [];
  if (!Array.isArray(hints)) fail("its hints are not a list");
  if (hints.length > maximum) fail(`it has ${hints.length} hints; at most ${maximum} are possible`);
  const project = { ...EMPTY, hints: hints.map((hint, i) => hintFromJson(hint, `hint ${i + 1}`, scales)) };
  project.hints.forEach(({ points }, i) => {
    const inside = ([x, y]) => x >= 0 && y >= 0 && x <= photo.width && y <= photo.height;
    if (!points.some(inside)) fail(`hint ${i + 1} lies outside the photograph`);
  });
  if (json.palette != null) {
    const count = Array.isArray(json.palette) ? json.palette.length : 0;
    if (count < 1 || count > 5) fail("its palette must have 1 to 5 colours");
    project.palette = json.palette.map((colour) => hex(colour, "a colour of the palette"));
  }
  if (json.text != null)
    project.text = typeof json.text === "string" ? json.text : fail("its text is not a text");
  if (json.reference != null) project.reference = referenceFromJson(json.reference);
  if (json.temperature != null) project.temperature = number(json.temperature, 0.01, 10, "its temperature");
  if (json.saturation != null) project.saturation = number(json.saturation, 0, 4, "its saturation");
  for (const key of ["seed", "text_seed"]) {
    if (json[key] == null) continue;
    if (!Number.isInteger(json[key]) || json[key] < 0) fail(`${key} must be a whole number`);
    project[key] = json[key];
  }
  return project;
}
