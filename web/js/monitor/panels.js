// The panels that nodes have. A node gets one widget, which stays: the page's Vue nodes do not show another in its place.
import { forwardToCanvas } from "./canvas.js";
import { isThere } from "./finding.js";
import { Panel } from "./panel.js";
import { Run } from "./run.js";

export const panels = new Map(); // node -> panel
const places = new WeakMap(); // node -> the element of its widget

/** Whether the run is known: it is shown then, unless the node has left the graph meanwhile. */
export async function show(node, name) {
  if (panels.get(node)?.run.name === name) return true;
  const run = new Run(name);
  if (!(await run.poll())) return false;
  if (!isThere(node)) return true;
  const before = panels.get(node)?.height ?? 0;
  forget(node);
  const panel = new Panel(run);
  panels.set(node, panel);
  placeOf(node).append(panel.element);
  grow(node, panel.height - before);
  return true;
}

/** Shows what the run tells now. Where its folder is gone, the panel says so, and is left alone. */
export async function refresh(node, panel) {
  const known = await panel.run.poll();
  if (panels.get(node) !== panel) return known;
  const before = panel.height;
  panel.show();
  if (panel.height !== before) grow(node, panel.height - before);
  return known;
}

function grow(node, by) {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1] + by, height)]);
  node.setDirtyCanvas(true, true);
}

/** For a run that is replaced, and a node that leaves the graph. */
export function forget(node) {
  panels.get(node)?.end();
  panels.delete(node);
}

function placeOf(node) {
  if (places.has(node)) return places.get(node);
  const element = document.createElement("div");
  element.className = "musubi-run";
  forwardToCanvas(element);
  places.set(node, element);
  node.addDOMWidget("musubi_run", "MUSUBI_RUN", element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => panels.get(node)?.height ?? 0,
  });
  return element;
}
