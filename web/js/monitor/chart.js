// The curve of the loss: each step thin, the smoothed one thick, the learning rate dashed on a scale of its own.
import { roundUp, short, ticks } from "./numbers.js";
import { say } from "./texts.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [46, 8, 20, 16];
const LOSS = "#3b8eea";
const RATE = "#d98a1f";

export class Chart {
  constructor() {
    this.run = null;
    this.log = false;
    this.hovered = null;
    this.element = document.createElement("div");
    this.element.className = "musubi-chart";
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.scale = document.createElement("button");
    this.scale.title = say("Logarithmic or linear scale of the loss");
    this.scale.addEventListener("click", () => this.toggle());
    this.element.append(this.canvas, this.scale);
    this.canvas.addEventListener("pointermove", (event) => this.hover(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.element);
    this.theme = new MutationObserver(() => this.queue());
    for (const root of [document.documentElement, document.body])
      this.theme.observe(root, { attributes: true, attributeFilter: ["class", "style"] });
    this.toggle(false);
  }

  end() {
    this.sizes.disconnect();
    this.theme.disconnect();
  }

  toggle(log = !this.log) {
    this.log = log;
    this.scale.textContent = say(log ? "log" : "linear");
    this.queue();
  }

  show(run) {
    this.run = run;
    this.queue();
  }

  hover(x) {
    this.hovered = x;
    this.queue();
  }

  queue() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!width || !height) return;
    const zoom = Math.max(1, this.element.getBoundingClientRect().width / width); // the canvas scales its widgets
    const dots = Math.min(4, (window.devicePixelRatio || 1) * zoom);
    this.canvas.width = Math.round(width * dots);
    this.canvas.height = Math.round(height * dots);
    const pen = this.canvas.getContext("2d");
    pen.scale(dots, dots);
    pen.font = "11px sans-serif";
    pen.textBaseline = "middle";
    const css = getComputedStyle(this.element);
    const color = (name, other) => css.getPropertyValue(name).trim() || other;
    this.colors = { text: color("--input-text", "#ccc"), muted: color("--descrip-text", "#999") };
    const series = this.series();
    if (!series.loss.length) return this.empty(pen, width, height);
    const place = this.place(series, width, height);
    this.axes(pen, place, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP - 2, width - LEFT - RIGHT, height - TOP - BOTTOM + 4);
    pen.clip();
    if (series.rates.length) line(pen, series.rates, place.x, place.rate, RATE, 1, 1, [4, 3]);
    line(pen, series.loss, place.x, place.y, LOSS, 1, 0.35);
    line(pen, series.smooth, place.x, place.y, LOSS, 2, 1);
    pen.restore();
    this.legend(pen, series, place, width, height);
  }

  /** Values by step. Without the loss of single steps, musubi-tuner's own average takes its place. */
  series() {
    const { column, points = [] } = this.run ?? {};
    const of = (name) => points.map((p) => [p[0], p[column?.[name]]]).filter(([, value]) => Number.isFinite(value));
    const [loss, rates] = [of("loss"), of("lr")];
    const same = rates.every(([, rate]) => Math.abs(rate - rates[0][1]) <= 0.001 * rates[0][1]);
    return { loss: loss.length ? loss : of("average"), single: loss.length > 0, smooth: of("smooth"), rates: same ? [] : rates };
  }

  place(series, width, height) {
    const steps = this.run.state?.progress?.steps ?? 0;
    const last = this.run.points.at(-1)[0];
    const end = Math.max(1, this.run.running ? Math.min(roundUp(last), Math.max(steps, last)) : last);
    const positive = (value) => !this.log || value > 0;
    const values = (points) => points.map(([, value]) => value).filter(positive);
    let [low, high] = range(values(series.loss), values(series.smooth));
    const room = this.log ? 0.03 * Math.log(high / low || 1) : 0.05 * (high - low);
    [low, high] = this.log ? [low / Math.exp(room), high * Math.exp(room)] : [low - room, high + room];
    if (!(high > low)) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
    const scale = this.log ? Math.log : (value) => value;
    const share = (value) => (scale(value) - scale(low)) / (scale(high) - scale(low));
    const top = series.rates.reduce((most, [, rate]) => Math.max(most, rate), 0) || 1;
    const tall = height - TOP - BOTTOM;
    const x = (step) => LEFT + (step / end) * (width - LEFT - RIGHT);
    const y = (value) => (positive(value) ? TOP + (1 - share(value)) * tall : null);
    return { end, low, high, x, y, rate: (rate) => TOP + (1 - rate / top) * tall };
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
    const nearest = this.hovered === null ? null : this.nearest(place);
    if (nearest) {
      pen.strokeStyle = this.colors.muted;
      pen.globalAlpha = 0.7;
      segment(pen, place.x(nearest[0]), TOP, place.x(nearest[0]), height - BOTTOM);
      pen.globalAlpha = 1;
    }
    const point = nearest ?? this.run.points.at(-1);
    const of = (name) => short(point[this.run.column[name]]);
    const loss = series.single ? ["loss", of("loss")] : ["average loss", of("average")];
    const told = [["step", String(point[0])], loss, ["smoothed", of("smooth")], ["lr", of("lr")]];
    pen.fillStyle = nearest ? this.colors.text : this.colors.muted;
    pen.textAlign = "left";
    const text = told.filter(([, value]) => value).map(([name, value]) => `${say(name)} ${value}`).join("  ");
    pen.fillText(text, 6, 10, width - 60);
    this.canvas.setAttribute("aria-label", text);
  }

  nearest(place) {
    const distance = (point) => Math.abs(place.x(point[0]) - this.hovered);
    return this.run.points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
  }

  empty(pen, width, height) {
    pen.fillStyle = this.colors.muted;
    pen.textAlign = "center";
    const text = say(this.run?.running ? "The curve begins with the first step." : "This run has no steps.");
    pen.fillText(text, width / 2, height / 2, width - 20);
    this.canvas.setAttribute("aria-label", text);
  }
}

/** From low to high, without the few that would flatten the rest. */
function range(...lists) {
  const part = (sorted, share) => sorted[Math.round(share * (sorted.length - 1))];
  const sorted = lists.filter((list) => list.length).map((list) => list.sort((a, b) => a - b));
  if (!sorted.length) return [1, 1];
  return [Math.min(...sorted.map((list) => part(list, 0.01))), Math.max(...sorted.map((list) => part(list, 0.99)))];
}

function line(pen, points, x, y, color, width, alpha, dash = []) {
  Object.assign(pen, { strokeStyle: color, fillStyle: color, lineWidth: width, globalAlpha: alpha, lineJoin: "round" });
  pen.setLineDash(dash);
  pen.beginPath();
  for (const [step, value] of points) if (y(value) !== null) pen.lineTo(x(step), y(value));
  pen.stroke();
  if (points.length === 1 && y(points[0][1]) !== null) {
    pen.beginPath();
    pen.arc(x(points[0][0]), y(points[0][1]), width + 1, 0, 7);
    pen.fill();
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

function segment(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
