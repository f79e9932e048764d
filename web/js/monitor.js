// Shows a training in its node: while it runs, afterwards, and after a reload. What runs is read from the run folders.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { isThere, isTrainer, runsByNode, wantedRuns } from "./monitor/finding.js";
import { forget, panels, refresh, show } from "./monitor/panels.js";
import { ask, newestRuns } from "./monitor/run.js";
import { arrangePanels } from "./monitor/said.js";

const SECOND = 1000;
const LONGEST_PAUSE = 30 * SECOND;
const NEWEST = 50;
let busy = null; // whether the server's queue holds anything; as long as it is not known, it may
let unread = true; // whether there may be runs that are not shown yet
let timer = 0;
let pause = SECOND; // until the next look; longer after each one that got no answer
let looking = false;

async function findRuns() {
  unread = false;
  const runs = await newestRuns(NEWEST, wantedRuns(trainers));
  if (!runs) unread = true; // no answer, or a cut one: the next look asks again
  for (const [node, run] of runsByNode(runs ?? [], trainers)) unread = !(await show(node, run.name)) || unread;
}

const running = () => [...panels].filter(([, panel]) => panel.run.running);
const trainersThere = () => [...trainers].some(isThere);
const trainers = new Set();

async function look() {
  timer = 0;
  if (looking || document.hidden) return;
  looking = true;
  let answered = false;
  try {
    forgetGone();
    if (trainersThere() && (unread || (busy !== false && !running().length))) await findRuns();
    const known = await Promise.all(running().map(([node, panel]) => refresh(node, panel)));
    arrangePanels();
    answered = known.length ? known.some(Boolean) : !unread;
  } finally {
    looking = false;
    pause = answered ? SECOND : Math.min(2 * pause, LONGEST_PAUSE);
    if (running().length || (trainersThere() && (busy !== false || unread))) timer ||= setTimeout(look, pause);
  }
}

/** What runs tells of itself more often than is asked for. */
function hear({ nodeId, text }) {
  const [, panel] = running().find(([, { run }]) => run.state.prompt && run.state.node === String(nodeId)) ?? [];
  panel?.run.hear(text);
  panel?.show();
}

/** Nothing tells of the removal of a node inside a subgraph when another workflow is opened. */
function leaveOut() {
  for (const node of trainers) if (!isThere(node)) trainers.delete(node);
  forgetGone();
}

/** Nor when its subgraph is deleted. While a workflow is being opened, nodes are not there yet: they stay known. */
function forgetGone() {
  for (const node of panels.keys()) if (!isThere(node)) forget(node);
}

function wake(delay = 0) {
  pause = SECOND;
  clearTimeout(timer);
  timer = setTimeout(look, delay);
}

/** A copied node is made once more than it comes onto the graph, so that it counts only when it is there. */
function watch(node) {
  const added = node.onAdded;
  node.onAdded = function () {
    added?.apply(this, arguments);
    trainers.add(this);
    unread = true;
    wake(200);
  };
  const removed = node.onRemoved;
  node.onRemoved = function () {
    removed?.apply(this, arguments);
    trainers.delete(this);
    forget(this);
  };
  const serialized = node.onSerialize;
  node.onSerialize = function (data) {
    serialized?.call(this, data);
    const panel = panels.get(this); // a saved workflow opens without a run: the node is as high as without it
    if (panel) data.size = [data.size[0], data.size[1] - panel.height];
  };
}

/** Events tell of changes only: where the queue was at work before the page was there, none may come for long. */
async function askQueue() {
  const { told } = await ask("/prompt");
  if (told) busy ??= hasWork(told);
  wake();
}

const hasWork = (told) => (told?.exec_info?.queue_remaining ?? 0) > 0;

app.registerExtension({
  name: "musubi.monitor",
  setup() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./monitor/monitor.css", import.meta.url).href;
    document.head.append(style);
    api.addEventListener("status", ({ detail }) => {
      busy = hasWork(detail);
      unread = true; // also at the end: a short run may have begun since the last look
      wake();
    });
    api.addEventListener("progress_text", ({ detail }) => hear(detail));
    document.addEventListener("visibilitychange", () => wake());
    askQueue();
  },
  nodeCreated(node) {
    if (isTrainer(node)) watch(node);
  },
  afterConfigureGraph() {
    leaveOut();
    unread = true;
    wake();
  },
});
