// Hides advanced widgets in the classic canvas: it has "Show Advanced" in the node's menu, but sets
// widget.options.advanced and reads widget.advanced (frontend 1.27.10 and 1.58.1). Vue nodes hide them by themselves.
import { app } from "../../../scripts/app.js";

const HIDDEN = () => [0, -4]; // cancels the gap that the canvas leaves below each widget

function hide(node, widget) {
  let own = widget.computeSize;
  widget.advanced = true;
  // Read anew at each layout: Vue nodes and loaded workflows set node.showAdvanced without calling toggleAdvanced.
  Object.defineProperty(widget, "computeSize", {
    configurable: true,
    enumerable: true,
    get: () => (node.showAdvanced ? own : HIDDEN),
    set: (other) => (own = other),
  });
}

function fit(node) {
  node.setSize([node.size[0], node.computeSize()[1]]);
  node.setDirtyCanvas(true, true);
}

app.registerExtension({
  name: "musubi.advanced",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("MusubiTuner_")) return;
    const advanced = node.widgets?.filter((widget) => widget.options?.advanced) ?? [];
    if (!advanced.length) return;
    for (const widget of advanced) hide(node, widget);
    node.toggleAdvanced = function () {
      if (this.flags.collapsed) this.collapse(); // a collapsed node has no visible widget, so no height to fit
      this.showAdvanced = !this.showAdvanced;
      fit(this);
    };
    fit(node);
  },
});
