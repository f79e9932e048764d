// Keeps a node's line of text out of saved workflows: the frontend saves it as one more widget value at the end, and a
// widget that a later release adds there would take it for its own (frontend 1.27.10).
import { app } from "../../../scripts/app.js";

const LINE = "$$node-text-preview";

app.registerExtension({
  name: "musubi.text_line",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("MusubiTuner_")) return;
    const serialized = node.onSerialize;
    node.onSerialize = function (data) {
      serialized?.call(this, data);
      const index = this.widgets?.findIndex((widget) => widget.name === LINE) ?? -1;
      if (index >= 0 && Array.isArray(data.widgets_values)) data.widgets_values.splice(index, 1);
    };
  },
});
