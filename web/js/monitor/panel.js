// What a trainer's node shows of its run. All parts have their height from the start, so that nothing moves.
import { Buttons } from "./buttons.js";
import { Chart } from "./chart.js";
import { keepWheel } from "./canvas.js";
import { clock, gigabytes, short, speed } from "./numbers.js";
import { followEnd } from "./follow.js";
import { Samples } from "./samples.js";
import { say } from "./texts.js";

const HEIGHT = 336;
const HEIGHT_OF_SAMPLES = 81;

export class Panel {
  constructor(run) {
    this.run = run;
    this.element = part("musubi-panel");
    this.head = part("musubi-head");
    this.amount = part("musubi-text");
    this.time = part("musubi-time");
    this.head.append(this.amount, this.time);
    this.bar = part("musubi-bar");
    this.done = document.createElement("i");
    this.bar.append(this.done);
    this.numbers = part("musubi-numbers");
    this.chart = new Chart();
    this.samples = new Samples();
    this.log = part("musubi-log");
    keepWheel(this.log);
    this.buttons = new Buttons(run);
    this.element.append(this.head, this.bar, this.numbers, this.chart.element);
    this.planned = Boolean(run.state.samples_planned);
    if (this.planned) this.element.append(this.samples.element);
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
    this.amount.textContent = state.status === "running" ? amount(progress) : ending(state, progress);
    this.amount.title = state.error || state.made || "";
    this.time.textContent = state.status === "running" ? times(progress) : "";
    const [step, steps] = [progress.step ?? 0, progress.steps ?? 0];
    this.done.style.width = `${steps ? Math.min(100, (100 * step) / steps) : 0}%`;
    this.numbers.textContent = numbers(this.run);
    this.chart.show(this.run);
    if (this.planned) this.samples.show(state);
    this.lines(state.log);
    this.buttons.show(state);
  }

  lines(log) {
    const text = log.join("\n");
    if (this.log.textContent === text) return;
    followEnd(this.log, "scrollTop", "clientHeight", "scrollHeight", () => (this.log.textContent = text));
  }
}

function part(name) {
  const made = document.createElement("div");
  made.className = name;
  return made;
}

function amount({ stage = "starting", current, total, step, steps }) {
  const own = stage !== "training" && total ? ` ${current}/${total}` : "";
  const parts = [say(stage) + own];
  if (steps) parts.push(say("step {}/{}", step, steps));
  return parts.join(" · ");
}

function times({ rate, seconds_left: left, stage, silent }) {
  if (silent) return say("no output for {}", clock(silent));
  const parts = [];
  if (rate) parts.push(speed(rate));
  if (left !== null && left !== undefined && rate)
    parts.push(stage === "training" ? say("{} left", clock(left)) : say("{} left ({})", clock(left), say(stage)));
  return parts.join(" · ");
}

function ending(state, { step, steps }) {
  const parts = [say(state.status)];
  if (steps) parts.push(step >= steps ? say("{} steps", steps) : say("step {}/{}", step, steps));
  if (state.started && state.time) parts.push(clock(state.time - state.started));
  if (state.made) parts.push(state.made);
  if (state.error) parts.push(state.error.split("\n")[0]);
  return parts.join(" · ");
}

function numbers(run) {
  const { progress = {} } = run.state;
  const last = run.state.last ?? [];
  const of = (name) => last[run.column[name]];
  const parts = progress.epochs ? [say("epoch {}/{}", progress.epoch, progress.epochs)] : [];
  const loss = of("smooth");
  if (loss !== null && loss !== undefined) parts.push(`loss ${short(loss)}`);
  const [lr, effective] = [of("lr"), of("effective_lr")];
  if (lr) parts.push(`lr ${short(lr)}${effective ? ` (effective ${short(effective)})` : ""}`);
  if (progress.gpu_total)
    parts.push(say("GPU memory {} of {} GB", gigabytes(progress.gpu_used), gigabytes(progress.gpu_total)));
  return parts.join(" · ");
}
