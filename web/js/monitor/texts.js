// The panel's words in the page's language; each {} is filled in order. A text without a translation stays English.
import { app } from "../../../../scripts/app.js";
import { JAPANESE } from "./japanese.js";

export function translate(text, ...values) {
  const japanese = (app.extensionManager?.setting?.get("Comfy.Locale") ?? "").startsWith("ja");
  return values.reduce((told, value) => told.replace("{}", () => value), (japanese && JAPANESE[text]) || text);
}
