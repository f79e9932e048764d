// One run as the server tells it: the first answer brings all points, later ones only what came since.
import { api } from "../../../../scripts/api.js";

export const fileURL = ({ filename, subfolder, type, size }) =>
  api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type, ...(size && { v: size }) })}`);

/** What the server tells; null where it does not answer, or its answer was cut: the next look asks again. */
export async function ask(path) {
  const answer = await api.fetchApi(path).catch(() => null);
  return { status: answer?.status, told: answer?.ok ? await answer.json().catch(() => null) : null };
}

async function post(path, value) {
  const headers = { "Content-Type": "application/json" };
  const answer = await api.fetchApi(path, { method: "POST", headers, body: JSON.stringify(value) });
  if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? answer.statusText);
}

/** Newest first; null where they are not known. `of`: those of these classes and of this workflow only. */
export async function newestRuns(count, of = []) {
  return (await ask(`/musubi/runs?${new URLSearchParams([["newest", count], ...of])}`)).told?.runs ?? null;
}

export class Run {
  constructor(name) {
    this.name = name;
    this.state = null;
    this.kept = []; // points that stay; the last one is told anew each time
    this.column = {};
    this.heard = { step: 0, epoch: 0 };
  }

  get points() {
    return this.state?.last ? [...this.kept, this.state.last] : this.kept;
  }

  get running() {
    return !this.state || this.state.status === "running";
  }

  get logURL() {
    return api.apiURL(`/musubi/runs/${this.name}/log`);
  }

  /** The newest of what tells it: the chart, the progress in the run folder, the node's line. */
  get step() {
    return Math.max(this.state?.last?.[0] ?? 0, this.state?.progress?.step ?? 0, this.heard.step);
  }

  get epoch() {
    return Math.max(this.state?.progress?.epoch ?? 0, this.heard.epoch);
  }

  /** The line that the server tells beside ("training 12/80 · epoch 3/16 · ..."), more often than a page asks. */
  hear(text) {
    const pairs = [...text.matchAll(/(\d+)\/(\d+)/g)].map(([, ...pair]) => pair.map(Number));
    const [[step, steps], [epoch, epochs] = []] = pairs.length ? pairs : [[]];
    const { progress = {} } = this.state;
    if (steps && steps === progress.steps) this.heard = { step, epoch: epochs === progress.epochs ? (epoch ?? 0) : 0 };
  }

  /** Whether there is an answer; a run whose folder is gone has none. */
  async poll() {
    const since = this.kept.at(-1)?.[0] ?? -1;
    const query = this.state ? `?after=${since}&version=${this.state.version}` : "";
    const { status, told } = await ask(`/musubi/runs/${this.name}${query}`);
    if (status === 404 && this.state) this.state.status = "unknown"; // its folder is gone
    if (!told) return false;
    if (told.whole) this.kept = [];
    this.kept.push(...told.points);
    this.column = Object.fromEntries(told.columns.map((name, index) => [name, index]));
    this.state = { ...this.state, ...told };
    return true;
  }

  async stopAfterSave() {
    await post(`/musubi/runs/${this.name}/stop`, {});
  }

  /** Without the id of a prompt, ComfyUI would cancel whatever it is doing. Without a workflow, it may be anybody's. */
  get canStopNow() {
    return this.running && Boolean(this.state?.prompt && this.state.workflow);
  }

  async stopNow() {
    if (this.canStopNow) await post("/interrupt", { prompt_id: this.state.prompt });
  }
}
