// The panels that nodes have: one a node, as a widget of it.
import { Panel } from "./panel.js";
import { Run } from "./run.js";

export const panels = new Map(); // node -> panel

export async function show(node, name) {
  if (panels.get(node)?.run.name === name) return;
  const run = new Run(name);
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

export function remove(node) {
  const panel = panels.get(node);
  if (!panel) return;
  forget(node);
  const at = node.widgets?.indexOf(panel.widget) ?? -1;
  if (at >= 0) node.widgets.splice(at, 1);
  panel.widget.onRemove?.();
  node.setSize([node.size[0], Math.max(node.size[1] - panel.height, node.computeSize()[1])]);
}

/** For a node that leaves the graph with its widgets. */
export function forget(node) {
  panels.get(node)?.end();
  panels.delete(node);
}
