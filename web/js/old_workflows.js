// Puts the values of an older workflow in their places: it holds them by position, with the widgets' names beside them.
import { app } from "../../../scripts/app.js";
import { translate } from "./monitor/texts.js";
import { toast } from "./monitor/toast.js";

const SEED_CONTROLS = ["fixed", "increment", "decrement", "randomize"];

const isOurs = (type) => type?.startsWith("MusubiTuner_");
const declared = ({ nodeData }) => ({ ...nodeData?.input?.required, ...nodeData?.input?.optional });
const saved = (node) => node.widgets?.filter((widget) => widget.serialize !== false) ?? [];

app.registerExtension({
  name: "musubi.old_workflows",
  nodeCreated(node) {
    if (!isOurs(node.comfyClass)) return;
    const configure = node.configure;
    node.configure = function (info) {
      return configure.call(this, inPlace(this, info));
    };
  },
});

/** What was saved of a node, its values in the order that the node's widgets have now. */
function inPlace(node, info) {
  const names = (info.inputs ?? []).filter(({ widget }) => widget).map(({ widget }) => widget.name);
  const now = saved(node).map(({ name }) => name);
  const values = info.widgets_values;
  const declaredNow = now.filter((name) => name in declared(node.constructor));
  if (!Array.isArray(values) || names.every((name, place) => name === declaredNow[place])) return info;
  const [named, controls] = byName(names, values);
  const seed = (place) => controls[now[place - 1]];
  tell(node, Object.entries(named).filter(([name]) => !now.includes(name)));
  return {
    ...info,
    widgets_values: saved(node).map((widget, place) => named[widget.name] ?? seed(place) ?? widget.value),
  };
}

/** The values, and the page's own "control after generate" that follows a seed, by the widget's name. */
function byName(names, values) {
  const [named, controls] = [{}, {}];
  let place = 0;
  for (const name of names) {
    named[name] = values[place++];
    if (typeof named[name] === "number" && SEED_CONTROLS.includes(values[place])) controls[name] = values[place++];
  }
  return [named, controls];
}

/** Each value that this node no longer has, where the only other node with that widget would have another by default. */
function tell(node, gone) {
  const told = {};
  for (const [name, value] of gone) {
    const homes = Object.values(LiteGraph.registered_node_types).filter(
      (type) => isOurs(type.comfyClass) && name in declared(type),
    );
    const home = homes.length === 1 ? homes[0] : undefined;
    if (home && declared(home)[name][1]?.default === value) continue;
    (told[home?.title ?? ""] ??= []).push(`${name} ${value}`);
  }
  for (const [home, each] of Object.entries(told)) {
    const lost = each.join(", ");
    const text = home
      ? translate("{}: add {} to this workflow and set {}", node.title, home, lost)
      : translate("{} no longer has {}", node.title, lost);
    toast("warn", text, 0);
  }
}
