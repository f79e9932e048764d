// Says on the canvas which plugins were left out, and why: their nodes would only show as missing.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

app.registerExtension({
  name: "musubi.left_out",
  async setup() {
    const answer = await api.fetchApi("/musubi/plugins").catch(() => null);
    if (!answer?.ok) return;
    const { left_out } = await answer.json();
    for (const [plugin, reason] of Object.entries(left_out)) {
      const detail = `The plugin ${plugin} was left out: ${reason}`;
      app.extensionManager?.toast?.add({ severity: "warn", summary: "Musubi Nodes", detail });
    }
  },
});
