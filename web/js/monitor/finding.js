// Which run belongs to which trainer's node on the canvas. What runs is read from the run folders.
import { app } from "../../../../scripts/app.js";

const root = () => app.rootGraph ?? app.graph;

/** By the type of an input: categories and names come in the page's language. */
export function isTrainer(node) {
  const { required, optional } = node.constructor.nodeData?.input ?? {};
  return Object.values({ ...required, ...optional }).some(([type]) => type === "MUSUBI_TRAINING");
}

/** Whether a node is part of the open workflow: a node of the one before may still name its graph, which is used again. */
export function isThere(node) {
  const { graph } = node;
  if (!graph || (graph !== root() && root().subgraphs?.get(graph.id) !== graph)) return false;
  return graph.getNodeById(node.id) === node;
}

/** "12", or "12:5" for a node inside the subgraph node 12. */
export function nodeOf(id) {
  let [graph, node] = [root(), null];
  for (const each of id.split(":")) {
    node = graph?.getNodeById(each) ?? graph?.getNodeById(Number(each));
    graph = node?.subgraph;
  }
  return node ?? null;
}

/** Runs of other workflows have nodes of the same numbers. A run that was queued without a page has no workflow. */
const isHere = (run) => run.node && (run.workflow ? run.workflow === root()?.id : run.status === "running");

/** A node that was moved into a subgraph, or out of one, keeps its number there. */
const isMoved = (node, run) => run.workflow && run.node.split(":").at(-1) === String(node.id);

/** What narrows a list of runs to those that may be shown: other runs, however many, push none of them out. */
export function wantedRuns(trainers) {
  const classes = new Set([...trainers].map((node) => node.comfyClass));
  return [["workflow", root()?.id ?? ""], ...[...classes].map((name) => ["class", name])];
}

/** The newest run of each node; `runs` are given newest first. */
export function runsByNode(runs, trainers) {
  const found = new Map();
  const give = (node, run) => node && !found.has(node) && found.set(node, run);
  const fits = (node, run) => node?.comfyClass === run.class && trainers.has(node);
  const here = runs.filter(isHere);
  const lost = here.filter((run) => !fits(nodeOf(run.node), run));
  for (const run of here) if (!lost.includes(run)) give(nodeOf(run.node), run);
  const free = (run) => [...trainers].find((node) => !found.has(node) && fits(node, run) && isMoved(node, run));
  for (const run of lost) give(free(run), run);
  return found;
}
