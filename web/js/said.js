// Keeps what a node has said when it has run, and keeps it once: see monitor/said.js.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodeOf } from "./monitor/finding.js";
import { begin, hasEnded, speaks } from "./monitor/said.js";

const isOurs = (node) => node?.comfyClass?.startsWith("MusubiTuner_");

app.registerExtension({
  name: "musubi.said",
  setup() {
    api.addEventListener("execution_start", ({ detail }) => begin(detail.prompt_id));
    api.addEventListener("progress_text", ({ detail }) => {
      const node = nodeOf(String(detail.nodeId));
      if (isOurs(node)) speaks(node);
    });
  },
  nodeCreated(node) {
    if (!isOurs(node)) return;
    const executed = node.onExecuted;
    node.onExecuted = function (output) {
      executed?.apply(this, arguments);
      hasEnded(this, output?.text ?? []);
    };
  },
});
