// What a node says: while it runs in ComfyUI's own line, afterwards in a text of ours, and in neither beside a panel that
// tells the same. Newer pages take their line away when a run ends, and Nodes 2.0 reads it as Markdown (frontend 1.58.1).
import { forwardToCanvas, keepWheel } from "./canvas.js";
import { panels } from "./panels.js";

const LINE = "$$node-text-preview";
const TEXT = "musubi_text";
const HEIGHT = 68;
const NO_ROOM = () => [0, -4]; // frontend 1.27.10 leaves the room of what is hidden, and a gap below each widget
const ends = new WeakMap(); // node -> what it has said at its end, and in which prompt
let executed = ""; // the prompt that is executed; after a reload a run in progress tells it

/** Before a run has begun, and where none is needed, the panel knows of an earlier one only. */
const tells = ({ run }) => run.running || Boolean(executed && run.state.prompt === executed);

export function begin(prompt) {
  executed = prompt;
  arrangePanels();
}

/** The page makes its line of it, perhaps after this. */
export function speaks(node) {
  ends.delete(node);
  queueMicrotask(() => arrange(node));
}

export function hasEnded(node, texts) {
  ends.set(node, { prompt: executed, texts });
  arrange(node);
}

export const arrangePanels = () => panels.forEach((_, node) => arrange(node));

function arrange(node) {
  const [end, panel] = [ends.get(node), panels.get(node)];
  if (panel?.run.running) executed ||= panel.run.state.prompt ?? "";
  const told = Boolean(panel && tells(panel));
  panel?.showEnd(end && end.prompt === panel.run.state.prompt ? end.texts : []);
  hide(node, widgetOf(node, LINE), told || Boolean(end));
  const shown = Boolean(end?.texts.length) && !told;
  if (shown) place(node).element.textContent = end.texts.join("\n");
  hide(node, widgetOf(node, TEXT), !shown);
}

const widgetOf = (node, name) => node.widgets?.find((widget) => widget.name === name);

/** The classic canvas looks at the widget, Vue nodes at its options when its list of widgets changes. */
function hide(node, widget, hidden) {
  if (!widget || Boolean(widget.hidden) === hidden) return;
  widget.hidden = widget.options.hidden = hidden;
  if (hidden) widget.computeSize = NO_ROOM;
  else delete widget.computeSize;
  const all = [...node.widgets];
  node.widgets = all.filter((each) => each !== widget);
  node.widgets = all;
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  node.setDirtyCanvas(true, true);
}

/** A node gets one, which stays. */
function place(node) {
  const known = widgetOf(node, TEXT);
  if (known) return known;
  const element = document.createElement("div");
  element.className = "musubi-end";
  forwardToCanvas(element);
  keepWheel(element);
  const height = () => HEIGHT;
  const options = { serialize: false, hideOnZoom: false, margin: 4, getMinHeight: height, getMaxHeight: height };
  return node.addDOMWidget(TEXT, "MUSUBI_TEXT", element, options);
}
