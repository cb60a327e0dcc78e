// Where the photograph lies on the stage: zoom and pan, in CSS pixels.

const LARGEST = 32; // CSS pixels for one pixel of the photograph
const KEEP = 48; // CSS pixels of the photograph that always stay on the stage

export class View extends EventTarget {
  scale = 1;
  x = 0; // of the photograph's left top corner on the stage
  y = 0;
  stage = { width: 1, height: 1 };
  photo = { width: 1, height: 1 };
  fitted = true; // follow the stage's size until the person zooms or pans

  get fitScale() {
    const margin = this.stage.width < 600 ? 8 : 24;
    const { width, height } = this.photo;
    return Math.max(
      1e-4,
      Math.min((this.stage.width - 2 * margin) / width, (this.stage.height - 2 * margin) / height, LARGEST),
    );
  }

  resize(width, height) {
    const centre = this.toPhoto(this.stage.width / 2, this.stage.height / 2);
    this.stage = { width, height };
    if (this.fitted) this.fit();
    else this.#put(centre, width / 2, height / 2);
  }

  open(photo) {
    this.photo = photo;
    this.fit();
  }

  fit() {
    this.scale = this.fitScale;
    this.x = (this.stage.width - this.photo.width * this.scale) / 2;
    this.y = (this.stage.height - this.photo.height * this.scale) / 2;
    this.fitted = true;
    this.#changed();
  }

  /** Zoom by a factor; what is at (x, y) on the stage stays there. */
  zoom(factor, x = this.stage.width / 2, y = this.stage.height / 2) {
    const place = this.toPhoto(x, y);
    this.scale = Math.min(LARGEST, Math.max(this.fitScale / 2, this.scale * factor));
    this.fitted = false;
    this.#put(place, x, y);
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.#changed();
  }

  /** Move just so far that a place of the photograph is on the stage. */
  show([px, py]) {
    const [x, y] = this.toStage(px, py);
    const off = (value, size) =>
      value < KEEP ? KEEP - value : value > size - KEEP ? size - KEEP - value : 0;
    const [dx, dy] = [off(x, this.stage.width), off(y, this.stage.height)];
    if ((dx || dy) && !this.fitted) this.pan(dx, dy);
  }

  toPhoto(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  toStage(px, py) {
    return [px * this.scale + this.x, py * this.scale + this.y];
  }

  /** Whether a place in photograph pixels is inside the picture. */
  contains([px, py]) {
    return px >= 0 && py >= 0 && px < this.photo.width && py < this.photo.height;
  }

  #put(place, x, y) {
    this.x = x - place[0] * this.scale;
    this.y = y - place[1] * this.scale;
    this.#changed();
  }

  #changed() {
    const keep = (value, size, extent) => Math.min(size - KEEP, Math.max(KEEP - extent, value));
    this.x = keep(this.x, this.stage.width, this.photo.width * this.scale);
    this.y = keep(this.y, this.stage.height, this.photo.height * this.scale);
    this.dispatchEvent(new Event("change"));
  }
}
