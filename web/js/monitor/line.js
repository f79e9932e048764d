// ComfyUI's own line of text in a node: it gives way to the panel of the run that it speaks of, which tells the same.
import { panels } from "./panels.js";

const NAME = "$$node-text-preview";
const ends = new WeakMap(); // node -> what it said at its end, and in which prompt
let executed = ""; // the prompt that is executed; not known after a reload until the next one begins

/** Before a run has begun, and where none is needed, the line is all that there is. */
const tells = ({ run }) => run.running || Boolean(executed && run.state.prompt === executed);

export function giveWay() {
  for (const [node, panel] of panels) {
    const { prompt, texts } = ends.get(node) ?? {};
    panel.showEnd(prompt && prompt === panel.run.state.prompt ? texts : []);
    const line = node.widgets?.find(({ name }) => name === NAME);
    if (line && Boolean(line.hidden) !== tells(panel)) hide(node, line, tells(panel));
  }
}

export function begin(prompt) {
  executed = prompt;
  giveWay();
}

export function end(node, texts) {
  ends.set(node, { prompt: executed, texts });
  giveWay();
}

/** The classic canvas looks at the widget, Vue nodes at its options. */
function hide(node, line, hidden) {
  line.hidden = line.options.hidden = hidden;
  node.setDirtyCanvas(true, true);
}
