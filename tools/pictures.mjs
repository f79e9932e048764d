// Thumbnails of the example workflows, taken in a running ComfyUI that has this pack in custom_nodes:
//
//     npm install playwright-core
//     node tools/pictures.mjs http://127.0.0.1:8188 /usr/bin/chromium [name ...]
//
// Each workflow is opened in the page, checked, and photographed into example_workflows/<name>.jpg. The checks: nothing
// overlaps, no node is smaller than its content, the page saves the same nodes and links as the file, and queues what the
// API file says. A path of a model that this ComfyUI does not have is no fault.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const EXAMPLES = join(dirname(fileURLToPath(import.meta.url)), "..", "example_workflows");
const [url, browserPath, ...wanted] = process.argv.slice(2);
const SIZE = { width: 1600, height: 900 };
const read = (...parts) => JSON.parse(readFileSync(join(EXAMPLES, ...parts), "utf-8"));

// In the page: open the workflow, and say what is wrong with how it looks.
async function open({ canvas, size, margin }) {
  const { app } = window;
  await app.loadGraphData(canvas, true, true);
  await new Promise((done) => setTimeout(done, 1500));
  const faults = [];
  const nodes = app.graph.nodes;
  const box = (node) => [node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30];
  for (const node of nodes) {
    const least = node.computeSize();
    if (node.size[1] + 1 < least[1]) faults.push(`${node.title} is ${node.size[1]} high and needs ${least[1]}`);
    if (node.size[0] + 1 < least[0]) faults.push(`${node.title} is ${node.size[0]} wide and needs ${least[0]}`);
    const saved = canvas.nodes.find((each) => each.id === node.id);
    if (saved.size.some((value, n) => Math.abs(value - node.size[n]) > 1))
      faults.push(`${node.title} is saved with ${saved.size} and opens with ${[...node.size]}`);
    for (const other of nodes) {
      const [a, b] = [box(node), box(other)];
      const apart = a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
      if (node.id < other.id && !apart) faults.push(`${node.title} and ${other.title} overlap`);
    }
  }
  const boxes = [...nodes.map(box), ...app.graph.groups.map((group) => [...group.pos, ...group.size])];
  const left = Math.min(...boxes.map((b) => b[0])) - margin, right = Math.max(...boxes.map((b) => b[0] + b[2])) + margin;
  const top = Math.min(...boxes.map((b) => b[1])) - margin, bottom = Math.max(...boxes.map((b) => b[1] + b[3])) + margin;
  const scale = Math.min(size.width / (right - left), size.height / (bottom - top), 1.25);
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset[0] = (size.width / scale - left - right) / 2;
  app.canvas.ds.offset[1] = (size.height / scale - top - bottom) / 2;
  app.canvas.deselectAll();
  app.canvas.show_info = false;
  app.canvas.min_font_size_for_lod = 0; // text is drawn at any zoom
  const { x, y } = app.canvas.canvas.getBoundingClientRect();
  const corner = { x: Math.max(x, 70), y: Math.max(y, 90) }; // right of and below the bars that lie over the canvas
  app.canvas.ds.offset[0] += (corner.x - x) / scale;
  app.canvas.ds.offset[1] += (corner.y - y) / scale;
  app.canvas.setDirty(true, true);
  await new Promise((done) => setTimeout(done, 800));
  const prompt = (await app.graphToPrompt()).output;
  return { faults, ratio: (right - left) / (bottom - top), scale, saved: app.graph.serialize(), prompt, corner };
}

function differences(canvas, saved) {
  const faults = [];
  const sockets = (list) => JSON.stringify((list ?? []).map(({ name, type, link, links }) => [name, type, link ?? links ?? null]));
  for (const node of canvas.nodes) {
    const other = saved.nodes.find((each) => each.id === node.id);
    for (const key of ["inputs", "outputs"])
      if (sockets(node[key]) !== sockets(other[key])) faults.push(`${node.type} ${key}: ${sockets(node[key])} ${sockets(other[key])}`);
    if (JSON.stringify(node.widgets_values) !== JSON.stringify(other.widgets_values))
      faults.push(`${node.type} widgets: ${JSON.stringify(node.widgets_values)} ${JSON.stringify(other.widgets_values)}`);
  }
  return faults;
}

function otherPrompt(api, prompt) {
  const faults = [];
  for (const [id, { class_type, inputs }] of Object.entries(api)) {
    if (prompt[id]?.class_type !== class_type) faults.push(`node ${id} is not queued as ${class_type}`);
    for (const [name, value] of Object.entries(inputs))
      if (JSON.stringify(prompt[id]?.inputs[name]) !== JSON.stringify(value)) faults.push(`node ${id} queues another ${name}`);
  }
  return faults;
}

const names = readdirSync(EXAMPLES).filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));
const BARS = { width: 150, height: 150 }; // room for the page's own bars around the canvas
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: SIZE.width + BARS.width, height: SIZE.height + BARS.height }, deviceScaleFactor: 0.8 });
await page.goto(url);
await page.waitForFunction(() => window.app?.graph && window.app?.canvas);
await page.waitForTimeout(4000);
await page.evaluate(() => window.app.extensionManager.setting.set("Comfy.Workflow.ShowMissingModelsWarning", false));
await page.addStyleTag({ content: "[class*=minimap] { display: none !important }" });
await page.keyboard.press("Escape"); // the templates, which a ComfyUI shows at its first start
await page.waitForTimeout(1000);
let wrong = 0;
for (const name of wanted.length ? wanted : names) {
  const canvas = read(`${name}.json`);
  const { faults, ratio, scale, saved, prompt, corner } = await page.evaluate(open, { canvas, size: SIZE, margin: 24 });
  faults.push(...differences(canvas, saved), ...otherPrompt(read("api", `${name}.json`), prompt));
  await page.screenshot({ path: join(EXAMPLES, `${name}.jpg`), type: "jpeg", quality: 85, clip: { ...corner, ...SIZE } });
  console.log(`${name}: ${ratio.toFixed(2)} wide, scale ${scale.toFixed(2)}${faults.map((fault) => `\n  ${fault}`).join("")}`);
  wrong += faults.length;
}
await browser.close();
process.exit(wrong ? 1 : 0);
