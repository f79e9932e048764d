// Keeps the page's own widgets (line of text, upload button, previews) out of saved workflows: the frontend saves their
// values at the end, and a widget that a later release adds there would take one for its own (frontend 1.27.10).
import { app } from "../../../scripts/app.js";

const SEED_CONTROL = "control_after_generate";

app.registerExtension({
  name: "musubi.own_values",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("MusubiTuner_")) return;
    const { required, optional } = node.constructor.nodeData?.input ?? {};
    const declared = new Set([...Object.keys(required ?? {}), ...Object.keys(optional ?? {}), SEED_CONTROL]);
    declared.delete("upload"); // the page itself adds it to the declaration
    const serialized = node.onSerialize;
    node.onSerialize = function (data) {
      serialized?.call(this, data);
      if (!Array.isArray(data.widgets_values)) return;
      const last = this.widgets?.findLastIndex((widget) => declared.has(widget.name)) ?? -1;
      data.widgets_values.length = Math.min(data.widgets_values.length, last + 1);
    };
  },
});
