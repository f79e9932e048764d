// Shows a training in its node: while it runs, afterwards, and after a reload. What runs is read from the run folders.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { forget, panels, show } from "./monitor/panels.js";
import { newestRuns } from "./monitor/run.js";

const SECOND = 1000;
const NEWEST = 50;
let busy = false; // whether the server's queue holds anything
let unread = true; // whether there may be runs that are not shown yet
let timer = 0;
let looking = false;

/** By the type of an input: categories and names come in the page's language. */
function isTrainer(node) {
  const { required, optional } = node.constructor.nodeData?.input ?? {};
  return Object.values({ ...required, ...optional }).some(([type]) => type === "MUSUBI_TRAINING");
}

/** "12", or "12:5" for a node inside the subgraph node 12. */
function nodeOf(id) {
  let [graph, node] = [app.rootGraph ?? app.graph, null];
  for (const each of String(id).split(":")) {
    node = graph?.getNodeById(each) ?? graph?.getNodeById(Number(each));
    graph = node?.subgraph;
  }
  return node ?? null;
}

/** Runs of other workflows have nodes of the same numbers. A run that was queued without a page has no workflow. */
function isHere(run) {
  const own = (app.rootGraph ?? app.graph)?.id;
  return run.workflow ? run.workflow === own : run.status === "running";
}

async function findRuns() {
  unread = false;
  const seen = new Set();
  for (const run of await newestRuns(NEWEST)) {
    const node = run.node && nodeOf(run.node);
    if (!node || seen.has(node) || node.comfyClass !== run.class || !isTrainer(node) || !isHere(run)) continue;
    seen.add(node);
    await show(node, run.name);
  }
}

const running = () => [...panels.values()].filter((panel) => panel.run.running);
const trainersThere = () => trainers.size > 0;
const trainers = new Set();

async function refresh(panel) {
  await panel.run.poll(); // also where its folder is gone: then the panel says so, and is left alone
  panel.show();
}

async function look() {
  timer = 0;
  if (looking || document.hidden) return;
  looking = true;
  try {
    if (trainersThere() && (unread || (busy && !running().length))) await findRuns();
    await Promise.all(running().map(refresh));
  } finally {
    looking = false;
  }
  if (running().length || (trainersThere() && (busy || unread))) timer ||= setTimeout(look, SECOND);
}

/** The page tells of no removal where a workflow with subgraphs is replaced by another: their nodes only go out of use. */
function leaveOut() {
  const root = app.rootGraph ?? app.graph;
  for (const node of trainers) {
    if (node.graph === root || (node.graph && root.subgraphs?.get(node.graph.id) === node.graph)) continue;
    trainers.delete(node);
    forget(node);
  }
}

function wake(delay = 0) {
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

app.registerExtension({
  name: "musubi.monitor",
  setup() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./monitor/monitor.css", import.meta.url).href;
    document.head.append(style);
    api.addEventListener("status", ({ detail }) => {
      busy = (detail?.exec_info?.queue_remaining ?? 0) > 0;
      unread = true; // also at the end: a short run may have begun since the last look
      wake();
    });
    document.addEventListener("visibilitychange", () => wake());
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
