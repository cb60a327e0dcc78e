// sRGB <-> CIE L*a*b* (D65, 2 degree observer), with the constants of gan_colorize/color/lab.py, so that a
// colour shown here is the colour that is painted. RGB 0..255, L 0..100, a and b about -110..110.

const RGB_TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const WHITE = [0.95047, 1.0, 1.08883];
const XYZ_TO_RGB = inverse(RGB_TO_XYZ);

/** Half an 8-bit level: what rounds to a valid colour counts as possible. */
const TOLERANCE = 0.5;

function inverse(m) {
  const cofactor = (r, c) =>
    m[(r + 1) % 3][(c + 1) % 3] * m[(r + 2) % 3][(c + 2) % 3] -
    m[(r + 1) % 3][(c + 2) % 3] * m[(r + 2) % 3][(c + 1) % 3];
  const determinant = m[0][0] * cofactor(0, 0) + m[0][1] * cofactor(0, 1) + m[0][2] * cofactor(0, 2);
  return [0, 1, 2].map((r) => [0, 1, 2].map((c) => cofactor(c, r) / determinant));
}

const multiply = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
const toLinear = (v) => (v > 0.04045 ? ((v + 0.055) / 1.055) ** 2.4 : v / 12.92);
const toEncoded = (v) => (v > 0.0031308 ? 1.055 * v ** (1 / 2.4) - 0.055 : v * 12.92);
const forward = (t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
const backward = (f) => (f > 0.2068966 ? f ** 3 : (f - 16 / 116) / 7.787);

/** [r, g, b] 0..255 -> [L, a, b]. */
export function rgbToLab(rgb) {
  const [x, y, z] = multiply(
    RGB_TO_XYZ,
    rgb.map((v) => toLinear(v / 255)),
  ).map((v, i) => forward(v / WHITE[i]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** L, a, b -> [r, g, b] in 0..255, neither rounded nor clipped. */
export function labToRgb(lightness, a, b) {
  const y = (lightness + 16) / 116;
  const xyz = [y + a / 500, y, y - b / 200].map((f, i) => backward(f) * WHITE[i]);
  return multiply(XYZ_TO_RGB, xyz).map((v) => toEncoded(v) * 255);
}

/** Whether a screen can show the colour. */
export function isPossible(lightness, a, b) {
  return labToRgb(lightness, a, b).every((v) => v >= -TOLERANCE && v <= 255 + TOLERANCE);
}

/** The most colourful possible [a, b] on the straight way from grey to the given one. */
export function nearestPossible(lightness, a, b) {
  if (isPossible(lightness, a, b)) return [a, b];
  let [inside, outside] = [0, 1];
  for (let step = 0; step < 14; step += 1) {
    const middle = (inside + outside) / 2;
    if (isPossible(lightness, a * middle, b * middle)) inside = middle;
    else outside = middle;
  }
  return [a * inside, b * inside];
}

/** "#3a7d44", "3A7D44" or "#3a7" -> [r, g, b], or null when it is no colour. */
export function parseHex(text) {
  const digits = text.trim().replace(/^#/, "");
  if (!/^([0-9a-f]{3}|[0-9a-f]{6})$/i.test(digits)) return null;
  const full = digits.length === 3 ? [...digits].map((d) => d + d).join("") : digits;
  return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16));
}

/** [r, g, b] -> "#3a7d44", rounded and clipped. */
export function toHex(rgb) {
  return (
    "#" +
    rgb
      .map((v) =>
        Math.round(Math.min(255, Math.max(0, v)))
          .toString(16)
          .padStart(2, "0"),
      )
      .join("")
  );
}

/** The [a, b] of a hint's {color} or {ab}. */
export function abOf(paint) {
  return paint.ab ?? rgbToLab(parseHex(paint.color)).slice(1);
}

/** How a hint's {color} or {ab} looks where the photograph has this lightness. */
export function hexAt(paint, lightness) {
  const [a, b] = abOf(paint);
  return toHex(labToRgb(lightness, ...nearestPossible(lightness, a, b)));
}

// Names for screen readers and tooltips, by hue angle in the ab plane (degrees).
const HUES = [
  [25, "pink"],
  [48, "red"],
  [72, "orange"],
  [105, "yellow"],
  [130, "yellow-green"],
  [165, "green"],
  [215, "teal"],
  [295, "blue"],
  [325, "violet"],
  [345, "magenta"],
  [361, "pink"],
];

/** A plain English name such as "dark green". */
export function nameOf(paint, lightness) {
  const [a, b] = nearestPossible(lightness, ...abOf(paint));
  const chroma = Math.hypot(a, b);
  const shade = lightness < 30 ? "dark " : lightness > 75 ? "light " : "";
  if (chroma < 6) return `${shade}grey`;
  const hue = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;
  const name = HUES.find(([end]) => hue < end)[1];
  // Brown is what people call an orange of little light or little colour.
  if ((name === "orange" || name === "red") && lightness < 55 && chroma < 45) return `${shade}brown`;
  return `${shade}${chroma < 18 ? "greyish " : ""}${name}`;
}
