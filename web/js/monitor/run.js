// One run as the server tells it: the first answer brings all points, later ones only what came since.
import { api } from "../../../../scripts/api.js";

export const fileURL = ({ filename, subfolder, type, size }) =>
  api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type, ...(size && { v: size }) })}`);

export async function newestRuns(count) {
  const answer = await api.fetchApi(`/musubi/runs?newest=${count}`).catch(() => null);
  return answer?.ok ? (await answer.json()).runs : [];
}

export class Run {
  constructor(name) {
    this.name = name;
    this.state = null;
    this.kept = []; // points that stay; the last one is told anew each time
    this.column = {};
  }

  get points() {
    return this.state?.last ? [...this.kept, this.state.last] : this.kept;
  }

  get running() {
    return !this.state || this.state.status === "running";
  }

  /** Whether there is an answer; a run whose folder is gone has none. */
  async poll() {
    const since = this.kept.at(-1)?.[0] ?? -1;
    const query = this.state ? `?after=${since}&version=${this.state.version}` : "";
    const answer = await api.fetchApi(`/musubi/runs/${this.name}${query}`).catch(() => null);
    if (answer?.status === 404 && this.state) this.state.status = "unknown"; // its folder is gone
    if (!answer?.ok) return false;
    const state = await answer.json();
    if (state.whole) this.kept = [];
    this.kept.push(...state.points);
    this.column = Object.fromEntries(state.columns.map((name, index) => [name, index]));
    this.state = { ...this.state, ...state };
    return true;
  }

  async stopAfterSave() {
    const headers = { "Content-Type": "application/json" };
    const answer = await api.fetchApi(`/musubi/runs/${this.name}/stop`, { method: "POST", headers, body: "{}" });
    if (!answer.ok) throw new Error((await answer.json()).error ?? answer.statusText);
  }

  async stopNow() {
    await api.interrupt(this.state?.prompt || null);
  }
}
