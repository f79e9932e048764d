// Says on the canvas which plugins were left out, and why: their nodes would only show as missing.
import { app } from "../../../scripts/app.js";
import { ask } from "./monitor/run.js";
import { translate } from "./monitor/texts.js";
import { toast } from "./monitor/toast.js";

app.registerExtension({
  name: "musubi.left_out",
  async setup() {
    const { told } = await ask("/musubi/plugins");
    for (const [plugin, { error }] of Object.entries(told?.left_out ?? {}))
      toast("warn", translate("The plugin {} was left out: {}", plugin, error), 0);
  },
});
