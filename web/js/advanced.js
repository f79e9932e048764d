// Hides advanced widgets in the classic canvas: it has "Show Advanced" in the node's menu, but sets
// widget.options.advanced and reads widget.advanced (frontend 1.27.10 and 1.58.1). Vue nodes hide them by themselves.
import { app } from "../../../scripts/app.js";

const HIDDEN_HEIGHT = -4; // cancels the gap that the canvas leaves below each widget

function layout(node) {
  for (const widget of node.widgets.filter((each) => each.advanced)) {
    if (node.showAdvanced) delete widget.computeSize;
    else widget.computeSize = () => [0, HIDDEN_HEIGHT];
  }
}

function fit(node) {
  node.setSize([node.size[0], node.computeSize()[1]]);
  node.setDirtyCanvas(true, true);
}

app.registerExtension({
  name: "musubi.advanced",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("MusubiTuner_") || !node.widgets) return;
    for (const widget of node.widgets) if (widget.options?.advanced) widget.advanced = true;
    if (!node.widgets.some((widget) => widget.advanced)) return;
    node.toggleAdvanced = function () {
      if (this.flags.collapsed) this.collapse(); // a collapsed node has no visible widget, so no height to fit
      this.showAdvanced = !this.showAdvanced;
      layout(this);
      fit(this);
    };
    const configured = node.onConfigure;
    node.onConfigure = function (data) {
      configured?.call(this, data);
      this.showAdvanced = data.showAdvanced;
      layout(this);
    };
    layout(node);
    fit(node);
  },
});
