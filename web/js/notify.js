// Tells by a notification of the browser that a long run has ended; only where the user has switched it on.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { clock } from "./monitor/numbers.js";
import { newestRuns } from "./monitor/run.js";
import { translate } from "./monitor/texts.js";
import { toast } from "./monitor/toast.js";

const SETTING = "musubi.notify";
const LONG = 60; // seconds
const [ALL, NEWEST] = [100, 20];
const told = new Set(); // names of runs that have ended
let looked = false;

const on = () => app.extensionManager.setting.get(SETTING) && globalThis.Notification?.permission === "granted";
const titleOf = (run) => globalThis.LiteGraph?.registered_node_types?.[run.class]?.title ?? run.class;

function tell(run) {
  const body = [clock(run.time - run.started), run.error.split("\n")[0]].filter(Boolean).join(" · ");
  const shown = new Notification(`${titleOf(run)}: ${translate(run.status)}`, { body, tag: run.name });
  shown.onclick = () => window.focus();
}

/** Called when the page hears of the server: a timer would sleep in a tab that is not seen. */
async function look() {
  if (!on()) return;
  const [first, runs] = [!looked, await newestRuns(looked ? NEWEST : ALL)];
  if (!runs) return;
  looked = true;
  for (const run of runs.filter(({ status, name }) => status !== "running" && !told.has(name))) {
    told.add(run.name);
    if (!first && run.time - run.started >= LONG) tell(run);
  }
}

async function switched(value, before) {
  if (!value || before === undefined) return; // it is told at the page's start too
  const answer = (await globalThis.Notification?.requestPermission()) ?? "denied";
  if (answer === "granted") return look();
  const why = "The browser does not allow notifications of this page. Allow them in the browser's settings of this site.";
  toast("warn", translate(why), 8);
}

app.registerExtension({
  name: "musubi.notify",
  settings: [
    {
      id: SETTING,
      category: ["Musubi Nodes", "Training", "Notify"],
      name: "Notify when a run of over a minute ends",
      tooltip: "A browser notification: which node, how it ended, and how long it took.",
      type: "boolean",
      defaultValue: false,
      onChange: (value, before) => switched(value, before).catch(() => {}),
    },
  ],
  async setup() {
    for (const event of ["status", "executing"]) api.addEventListener(event, () => look());
    await look();
  },
});
