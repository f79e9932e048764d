// Tells the user something in a corner of the page, for some seconds; with 0 until it is closed.
import { app } from "../../../../scripts/app.js";

export function toast(severity, detail, seconds = 5) {
  const life = seconds ? seconds * 1000 : undefined;
  app.extensionManager?.toast?.add({ severity, summary: "Musubi Nodes", detail, life });
}
