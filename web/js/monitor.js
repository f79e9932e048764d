// Shows a training in its node: while it runs, afterwards, and after a reload. What runs is read from the run folders.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { Panel } from "./monitor/panel.js";
import { newestRuns, Run } from "./monitor/run.js";

const SECOND = 1000;
const NEWEST = 50;
const panels = new Map(); // node -> panel
let busy = false; // whether the server's queue holds anything
let unread = true; // whether nodes came that may have a run
let timer = 0;
let looking = false;

function isTrainer(node) {
  const { category, output } = node.constructor.nodeData ?? {};
  return category === "MusubiTuner/Training" && Boolean(output?.includes("MUSUBI_RUN"));
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

async function show(node, found) {
  const known = panels.get(node);
  if (known?.run.name === found.name) return;
  const run = new Run(found.name);
  if (!(await run.poll()) || !node.graph) return;
  remove(node);
  const panel = new Panel(run);
  const widget = node.addDOMWidget("musubi_run", "MUSUBI_RUN", panel.element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => panel.height,
  });
  panel.widget = widget;
  panels.set(node, panel);
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1] + panel.height, height)]);
  node.setDirtyCanvas(true, true);
}

function remove(node) {
  const panel = panels.get(node);
  if (!panel) return;
  panels.delete(node);
  const at = node.widgets?.indexOf(panel.widget) ?? -1;
  if (at >= 0) node.widgets.splice(at, 1);
  panel.widget.onRemove?.();
  panel.end();
  node.setSize([node.size[0], Math.max(node.size[1] - panel.height, node.computeSize()[1])]);
}

async function findRuns() {
  unread = false;
  const seen = new Set();
  for (const run of await newestRuns(NEWEST)) {
    const node = run.node && nodeOf(run.node);
    if (!node || seen.has(node) || node.comfyClass !== run.class || !isTrainer(node) || !isHere(run)) continue;
    seen.add(node);
    await show(node, run);
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
    panels.get(this)?.end();
    panels.delete(this);
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
      if (busy) wake();
    });
    document.addEventListener("visibilitychange", () => wake());
  },
  nodeCreated(node) {
    if (isTrainer(node)) watch(node);
  },
  afterConfigureGraph() {
    unread = true;
    wake();
  },
});
