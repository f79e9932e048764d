// What a trainer's node shows of its run. All parts have their height from the start, so that nothing moves.
import { Buttons } from "./buttons.js";
import { Chart } from "./chart.js";
import { keepKeys, keepWheel } from "./canvas.js";
import { clock, gigabytes, short, speed, wholeGigabytes } from "./numbers.js";
import { followEnd, keepPlace } from "./follow.js";
import { Samples } from "./samples.js";
import { translate } from "./texts.js";

const HEIGHT = 336;
const HEIGHT_OF_SAMPLES = 81;

export class Panel {
  constructor(run) {
    this.run = run;
    this.element = part("musubi-panel");
    keepKeys(this.element);
    this.said = part("musubi-said", { "aria-live": "polite" });
    this.head = part("musubi-head");
    this.amount = part("musubi-text");
    this.time = part("musubi-time");
    this.head.append(this.amount, this.time);
    this.bar = part("musubi-bar", { role: "progressbar", "aria-label": translate("Progress of the training") });
    this.done = document.createElement("i");
    this.bar.append(this.done);
    this.numbers = part("musubi-numbers");
    this.chart = new Chart();
    this.samples = new Samples();
    this.log = part("musubi-log", { role: "region", "aria-label": translate("Log") });
    keepWheel(this.log);
    keepPlace(this.log);
    this.buttons = new Buttons(run);
    this.element.append(this.said, this.head, this.bar, this.numbers, this.chart.element);
    this.planned = false;
    this.texts = [];
    this.element.append(this.log, this.buttons.element);
    this.show();
  }

  get height() {
    return HEIGHT + (this.planned ? HEIGHT_OF_SAMPLES : 0);
  }

  end() {
    this.chart.end();
    this.element.remove();
  }

  show() {
    const { state } = this.run;
    const { progress = {} } = state;
    this.element.dataset.status = state.status;
    const [step, steps] = [this.run.step, progress.steps ?? 0];
    this.amount.textContent = this.run.running ? amount(progress, step) : ending(state, step, steps);
    this.amount.title = state.error || state.made || "";
    this.time.textContent = this.run.running ? times(progress) : "";
    this.announce(translate(this.run.running ? stageOf(progress) : state.status));
    this.progress(step, steps);
    this.numbers.textContent = numbers(this.run);
    this.chart.show(this.run);
    if (state.samples_planned) this.showSamples(state);
    this.lines();
    this.buttons.show(state);
  }

  /** What the node has said at its end, below the log. */
  showEnd(texts) {
    if (this.texts.join() === texts.join()) return;
    this.texts = texts;
    this.lines();
  }

  /** The run knows its prompts a moment after it has begun. */
  showSamples(state) {
    if (!this.planned) this.chart.element.after(this.samples.element);
    this.planned = true;
    this.samples.show(state);
  }

  progress(step, steps) {
    this.done.style.width = `${steps ? Math.min(100, (100 * step) / steps) : 0}%`;
    const values = { min: 0, now: Math.min(step, steps), max: steps };
    for (const [end, value] of Object.entries(values)) this.bar.setAttribute(`aria-value${end}`, value);
  }

  /** For screen readers: the stage, once each time that it changes. */
  announce(text) {
    if (this.said.textContent !== text) this.said.textContent = text;
  }

  lines() {
    const text = [...this.run.state.log, ...this.texts].join("\n");
    if (this.log.textContent === text) return;
    followEnd(this.log, "scrollTop", "clientHeight", "scrollHeight", () => (this.log.textContent = text));
  }
}

function part(name, attributes = {}) {
  const made = document.createElement("div");
  made.className = name;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

const stageOf = ({ stage = "starting" }) => stage;

function amount(progress, step) {
  const { current, total, steps } = progress;
  const stage = stageOf(progress);
  const own = stage !== "training" && total ? ` ${current}/${total}` : "";
  const parts = [translate(stage) + own];
  if (steps) parts.push(translate("step {}/{}", step, steps));
  return parts.join(" · ");
}

function times({ rate, seconds_left: left, stage, silent }) {
  if (silent) return translate("no output for {}", clock(silent));
  const parts = [];
  if (rate) parts.push(speed(rate));
  if (left !== null && left !== undefined && rate)
    parts.push(stage === "training" ? translate("{} left", clock(left)) : translate("{} left ({})", clock(left), translate(stage)));
  return parts.join(" · ");
}

function ending(state, step, steps) {
  const parts = [translate(state.status)];
  const whole = step >= steps || state.status === "done";
  if (steps) parts.push(whole ? translate("{} steps", steps) : translate("step {}/{}", step, steps));
  if (state.started && state.time) parts.push(clock(state.time - state.started));
  if (state.made) parts.push(state.made);
  if (state.error) parts.push(state.error.split("\n")[0]);
  return parts.join(" · ");
}

function numbers(run) {
  const { progress = {} } = run.state;
  const last = run.state.last ?? [];
  const of = (name) => last[run.column[name]];
  const parts = progress.epochs ? [translate("epoch {}/{}", run.epoch, progress.epochs)] : [];
  const loss = of("smooth");
  if (loss !== null && loss !== undefined) parts.push(translate("smoothed loss {}", short(loss)));
  const [lr, effective] = [of("lr"), of("effective_lr")];
  if (lr) parts.push(effective ? translate("lr {} (effective {})", short(lr), short(effective)) : `lr ${short(lr)}`);
  if (progress.gpu_total) parts.push(gpu(progress));
  return parts.join(" · ");
}

function gpu({ gpu_used: used, gpu_total: total, gpu_use: use }) {
  const memory = [gigabytes(used), wholeGigabytes(total)];
  if (Number.isFinite(use)) return translate("GPU {} of {} GB · {} %", ...memory, use);
  return translate("GPU memory {} of {} GB", ...memory);
}
