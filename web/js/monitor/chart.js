// The curve of the loss: each step thin, the smoothed one thick, the learning rate dashed on a scale of its own.
import { isLight } from "./ground.js";
import { roundUp, short, ticks } from "./numbers.js";
import { line, segment } from "./pen.js";
import { translate } from "./texts.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [46, 8, 20, 16];
const LINES = ["loss", "smooth", "rate"]; // their colors, which the style sheet has for light and dark grounds
const SCALED = '[style*="scale("], [style*="scale3d("]';
const BUTTON = 60; // pixels that the scale's button takes

export class Chart {
  constructor() {
    this.run = null;
    this.log = false;
    this.reading = null; // the step that the mouse or a key has chosen
    this.placed = null; // where the steps are, once there are any
    this.element = document.createElement("div");
    this.element.className = "musubi-chart";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", translate("Loss by step"));
    this.scale = document.createElement("button");
    this.scale.title = translate("Logarithmic or linear scale of the loss");
    this.scale.addEventListener("click", () => this.toggle());
    this.element.append(this.canvas, this.scale);
    this.canvas.addEventListener("pointermove", (event) => this.read(this.placed?.step(event.offsetX) ?? null));
    for (const event of ["pointerleave", "blur"]) this.canvas.addEventListener(event, () => this.read(null));
    this.canvas.addEventListener("keydown", (event) => this.pressed(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.element);
    this.zoom = new MutationObserver(() => this.dots() !== this.drawn && this.queue());
    this.theme = new MutationObserver(() => this.queue());
    for (const root of [document.documentElement, document.body])
      this.theme.observe(root, { attributes: true, attributeFilter: ["class", "style"] });
    this.toggle(false);
  }

  end() {
    this.sizes.disconnect();
    this.theme.disconnect();
    this.zoom.disconnect();
  }

  toggle(log = !this.log) {
    this.log = log;
    this.scale.textContent = translate(log ? "log" : "linear");
    this.queue();
  }

  show(run) {
    this.run = run;
    this.queue();
  }

  read(step) {
    this.reading = step;
    this.queue();
  }

  /** Left and right read the step before and after, Home and End the first and the last. */
  pressed(event) {
    const points = this.run?.points ?? [];
    const at = this.reading === null ? points.length - 1 : points.indexOf(this.nearest());
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: points.length - 1 }[event.key];
    if (to === undefined || !points.length) return;
    event.preventDefault();
    event.stopPropagation();
    this.read(points[Math.max(0, Math.min(to, points.length - 1))][0]);
  }

  queue() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  /** Dots of the screen per pixel: the page scales its nodes by a transform. */
  dots() {
    const zoom = Math.max(1, this.element.getBoundingClientRect().width / this.element.clientWidth);
    return Math.min(4, (window.devicePixelRatio || 1) * zoom);
  }

  /** No resize tells of the transform. */
  watchZoom() {
    const scaled = this.element.closest(SCALED);
    if (scaled === this.scaled) return;
    this.scaled = scaled;
    this.zoom.disconnect();
    if (scaled) this.zoom.observe(scaled, { attributes: true, attributeFilter: ["style"] });
  }

  draw() {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!width || !height) return;
    this.watchZoom();
    const dots = (this.drawn = this.dots());
    this.canvas.width = Math.round(width * dots);
    this.canvas.height = Math.round(height * dots);
    const pen = this.canvas.getContext("2d");
    pen.scale(dots, dots);
    pen.font = "11px sans-serif";
    pen.textBaseline = "middle";
    const css = getComputedStyle(this.element);
    this.element.closest(".musubi-panel")?.classList.toggle("musubi-light", isLight(css.backgroundColor));
    const color = (name, other) => css.getPropertyValue(name).trim() || other;
    this.colors = { text: color("--input-text", "#ccc"), muted: color("--descrip-text", "#999") };
    for (const name of LINES) this.colors[name] = color(`--musubi-${name}`);
    const series = this.series();
    if (!series.loss.some(known)) return this.empty(pen, width, height);
    const place = (this.placed = this.place(series, width, height));
    this.axes(pen, place, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP - 2, width - LEFT - RIGHT, height - TOP - BOTTOM + 4);
    pen.clip();
    const at = (points, y) => points.map(([step, value]) => [place.x(step), value === null ? null : y(value)]);
    line(pen, at(series.rates, place.rate), this.colors.rate, 1, [4, 3]);
    line(pen, at(series.loss, place.y), this.colors.loss, 1);
    line(pen, at(series.smooth, place.y), this.colors.smooth, 2);
    pen.restore();
    this.legend(pen, series, place, width, height);
  }

  /** Values by step, or null. Without the loss of single steps, musubi-tuner's own average takes its place. */
  series() {
    const { column, points = [] } = this.run ?? {};
    const of = (name) => points.map((point) => [point[0], point[column?.[name]] ?? null]);
    const [loss, rates] = [of("loss"), of("lr").filter(known)];
    const single = loss.some(known);
    const same = rates.every(([, rate]) => Math.abs(rate - rates[0][1]) <= 0.001 * rates[0][1]);
    return { loss: single ? loss : of("average"), single, smooth: of("smooth"), rates: same ? [] : rates };
  }

  place(series, width, height) {
    const steps = this.run.state?.progress?.steps ?? 0;
    const last = this.run.points.at(-1)[0];
    const end = Math.max(1, this.run.running ? Math.min(roundUp(last), Math.max(steps, last)) : last);
    const positive = (value) => !this.log || value > 0;
    const [scale, back] = this.log ? [Math.log, Math.exp] : [Number, Number];
    const values = (points) => points.filter(known).map(([, value]) => value).filter(positive).map(scale);
    let [low, high] = range(values(series.loss), values(series.smooth));
    const room = (this.log ? 0.03 : 0.05) * (high - low);
    [low, high] = [back(low - room), back(high + room)];
    if (!(high > low)) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
    const share = (value) => (scale(value) - scale(low)) / (scale(high) - scale(low));
    const top = series.rates.reduce((most, [, rate]) => Math.max(most, rate), 0) || 1;
    const tall = height - TOP - BOTTOM;
    const wide = width - LEFT - RIGHT;
    const x = (step) => LEFT + (step / end) * wide;
    const step = (x) => ((x - LEFT) / wide) * end;
    const y = (value) => (positive(value) ? TOP + (1 - share(value)) * tall : null);
    return { end, low, high, x, step, y, rate: (rate) => TOP + (1 - rate / top) * tall };
  }

  axes(pen, place, width, height) {
    pen.strokeStyle = pen.fillStyle = this.colors.muted;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    let above = Infinity;
    for (const value of ticks(place.low, place.high, 4, this.log)) {
      const y = Math.round(place.y(value)) + 0.5;
      if (above - y < 13) continue;
      above = y;
      pen.globalAlpha = 0.2;
      segment(pen, LEFT, y, width - RIGHT, y);
      pen.globalAlpha = 1;
      pen.fillText(short(value), LEFT - 5, y);
    }
    const steps = ticks(0, place.end, Math.max(2, Math.floor(width / 90)), false).filter(Number.isInteger);
    for (const step of steps) {
      const [x, text] = [place.x(step), String(step)];
      const half = pen.measureText(text).width / 2;
      pen.textAlign = x + half > width - 2 ? "right" : "center";
      pen.fillText(text, pen.textAlign === "right" ? width - 2 : x, height - BOTTOM / 2);
    }
  }

  legend(pen, series, place, width, height) {
    const reads = this.reading !== null;
    const point = reads ? this.nearest() : this.run.points.at(-1);
    if (reads) {
      pen.strokeStyle = this.colors.muted;
      pen.globalAlpha = 0.7;
      segment(pen, place.x(point[0]), TOP, place.x(point[0]), height - BOTTOM);
      pen.globalAlpha = 1;
    }
    const of = (name) => short(point[this.run.column[name]]);
    const loss = series.single ? ["loss", of("loss")] : ["average loss", of("average")];
    const told = [["step", String(point[0])], loss, ["smoothed", of("smooth")], ["lr", of("lr")]];
    const parts = told.filter(([, value]) => value).map(([name, value]) => `${translate(name)} ${value}`);
    this.tell(parts.join("  "), this.run.points[0][0], point[0], this.run.points.at(-1)[0]);
    while (parts.length > 1 && pen.measureText(parts.join("  ")).width > width - BUTTON) parts.pop();
    pen.fillStyle = reads ? this.colors.text : this.colors.muted;
    pen.textAlign = "left";
    pen.fillText(parts.join("  "), 6, 10, width - BUTTON);
  }

  /** For screen readers. */
  tell(text, min = 0, now = 0, max = 0) {
    const values = { text, min, now, max };
    for (const [name, value] of Object.entries(values)) this.canvas.setAttribute(`aria-value${name}`, value);
  }

  nearest() {
    const distance = ([step]) => Math.abs(step - this.reading);
    return this.run.points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
  }

  empty(pen, width, height) {
    pen.fillStyle = this.colors.muted;
    pen.textAlign = "center";
    const text = translate(this.run?.running ? "The curve begins with the first step." : "This run has no steps.");
    pen.fillText(text, width / 2, height / 2, width - 20);
    this.placed = null;
    this.tell(text);
  }
}

const known = ([, value]) => value !== null;

/** From low to high. Of the outermost hundredth is left out what would flatten the rest to less than half the height. */
function range(...lists) {
  const sorted = lists.filter((list) => list.length).map((list) => list.sort((a, b) => a - b));
  if (!sorted.length) return [1, 1];
  const ends = sorted.map((list) => {
    const [low, high] = [0.01, 0.99].map((share) => list[Math.round(share * (list.length - 1))]);
    const room = (high - low) / 2;
    return [Math.max(list[0], low - room), Math.min(list.at(-1), high + room)];
  });
  return [Math.min(...ends.map(([low]) => low)), Math.max(...ends.map(([, high]) => high))];
}
