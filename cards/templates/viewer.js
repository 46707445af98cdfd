"use strict";
// Test images of report.html: opens one at full size with the outlines of reference and prediction.
(() => {
  const data = JSON.parse(document.getElementById("previews").textContent);
  const table = document.getElementById("images");
  const buttons = new Map([...table.querySelectorAll("button[data-image]")].map((button) => [+button.dataset.image, button]));
  const dialog = document.getElementById("viewer");
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);
  const canvases = [...dialog.querySelectorAll("canvas")]; // before, after
  const show = { reference: true, prediction: true, errors: false, both: false, stage: 1 };
  const view = { scale: 1, x: 0, y: 0 }; // shared by both canvases, so that their zoom is linked
  const STAGES = ["before", "after"];
  const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  const [REFERENCE, PREDICTION, ...ERRORS] = data.colors.map(rgb); // errors: missed, spurious, outline
  let current = null, layers = null;

  const load = (source) => new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = failed;
    image.src = source;
  });

  function pixels(image) {
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  }

  // A transparent layer with the pixels that `color` returns a color for.
  function layer({ width, height, data: rgba }, color) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    const out = context.createImageData(width, height);
    const id = (i) => rgba[4 * i] + 256 * rgba[4 * i + 1];
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const rgb = color(i, x, y, id, rgba);
        if (rgb) out.data.set([...rgb, 255], 4 * i);
      }
    }
    context.putImageData(out, 0, 0);
    return canvas;
  }

  // Pixels of an instance with a neighbor outside it.
  const outlines = (labels, rgb) => layer(labels, (i, x, y, id) => {
    const own = id(i), { width, height } = labels;
    if (!own) return null;
    if (data.filled) return rgb;
    const edge = (x > 0 && id(i - 1) !== own) || (x < width - 1 && id(i + 1) !== own)
      || (y > 0 && id(i - width) !== own) || (y < height - 1 && id(i + width) !== own);
    return edge ? rgb : null;
  });
  const errors = (labels) => layer(labels, (i, x, y, id, rgba) => ERRORS[rgba[4 * i + 2] - 1]);

  async function open(index) {
    const preview = data.images[index];
    const [picture, reference, ...predictions] = await Promise.all(
      [preview.picture, preview.reference, ...STAGES.map((stage) => preview[stage]?.labels)]
        .map((source) => source && load(source)));
    layers = { picture, reference: outlines(pixels(reference), REFERENCE), stages: predictions.map((image) => image && {
      prediction: outlines(pixels(image), PREDICTION), errors: errors(pixels(image)) }) };
    current = index;
    fillSnippets(buttons.get(index).dataset);
    if (!layers.stages[show.stage]) show.stage = 1;
    if (!dialog.open) dialog.showModal();
    fit();
  }

  const stages = () => (show.both ? [0, 1] : [show.stage]).filter((stage) => layers.stages[stage]);

  function fit() {
    draw(); // shows the canvases, whose size is known afterwards
    const box = canvases[stages()[0]];
    view.scale = Math.min(box.clientWidth / layers.picture.width, box.clientHeight / layers.picture.height);
    view.x = (box.clientWidth - view.scale * layers.picture.width) / 2;
    view.y = (box.clientHeight - view.scale * layers.picture.height) / 2;
    draw();
  }

  function draw() {
    const visible = stages(), dots = window.devicePixelRatio || 1;
    canvases.forEach((canvas, stage) => {
      canvas.parentElement.hidden = !visible.includes(stage);
      if (canvas.parentElement.hidden) return;
      canvas.width = canvas.clientWidth * dots;
      canvas.height = canvas.clientHeight * dots;
      const context = canvas.getContext("2d"), { prediction, errors } = layers.stages[stage];
      const zoom = view.scale * dots;
      context.setTransform(zoom, 0, 0, zoom, view.x * dots, view.y * dots);
      context.imageSmoothingEnabled = view.scale < 1;
      context.filter = `brightness(${part("brightness").value}) contrast(${part("contrast").value})`;
      context.drawImage(layers.picture, 0, 0);
      context.filter = "none";
      if (show.errors) context.drawImage(errors, 0, 0);
      if (show.reference) context.drawImage(layers.reference, 0, 0);
      if (show.prediction) context.drawImage(prediction, 0, 0);
    });
    describe(visible);
  }

  function describe(visible) {
    part("name").textContent = buttons.get(current).dataset.title;
    for (const key of ["reference", "prediction", "errors", "both"]) {
      part(key).setAttribute("aria-pressed", show[key]);
    }
    const switchable = layers.stages[0] && layers.stages[1];
    part("stage").hidden = part("both").hidden = !switchable;
    part("stage").textContent = show.stage ? "Show before (B)" : "Show after (B)";
    part("legend").hidden = !show.errors;
    const { factor, pixelSize } = data.images[current], size = pixelSize ?? 1, unit = pixelSize ? "µm" : "px";
    // Length of the scale bar: a round number, about a fifth of the width.
    const wide = (canvases[visible[0]].clientWidth / 5 / view.scale / factor) * size;
    const power = 10 ** Math.floor(Math.log10(wide)), round = ([5, 2].find((step) => step * power <= wide) ?? 1) * power;
    part("bar").style.width = `${(round / size) * view.scale * factor}px`;
    part("length").textContent = `${Number(round.toPrecision(1))} ${unit}`;
    part("tolerance").textContent = pixelSize ? ` (${short(data.tolerance * pixelSize)} µm)` : "";
    part("pixel").textContent = pixelSize ? `, in µm: a pixel is ${short(pixelSize)} µm wide` : ", in pixels";
    part("distances").replaceChildren(...visible.map((stage) => histogram(STAGES[stage])));
  }

  const short = (length) => Number(length.toPrecision(2)); // two significant digits

  // Names of the bins: whole pixels, or lengths in µm where the size of a pixel is known.
  function bins(pixelSize) {
    if (pixelSize) {
      const limits = data.bins.map((limit) => short(limit * pixelSize));
      return [...limits.map((limit, i) => `${i ? limits[i - 1] : 0} to ${limit} µm`), `> ${limits.at(-1)} µm`];
    }
    const limits = data.bins.map(Math.floor);
    return [...limits.map((limit, i) => {
      const first = i ? limits[i - 1] + 1 : 0;
      return first === limit ? `${limit} px` : `${first} to ${limit} px`;
    }), `> ${limits.at(-1)} px`];
  }

  function histogram(stage) {
    const counts = data.images[current][stage].distances, total = counts.reduce((sum, count) => sum + count, 0);
    const names = bins(data.images[current].pixelSize);
    const list = document.createElement("dl");
    counts.forEach((count, i) => {
      const share = total ? (100 * count) / total : 0;
      const name = Object.assign(document.createElement("dt"), { textContent: names[i] });
      const bar = Object.assign(document.createElement("dd"), { textContent: `${share.toFixed(1)} %` });
      bar.style.setProperty("--share", `${share}%`);
      list.append(name, bar);
    });
    const box = document.createElement("div");
    box.append(Object.assign(document.createElement("h4"), { textContent: stage }), list);
    return box;
  }

  // Text constants of each language; a name is never taken for code.
  const escaped = (text) => text.replace(/[\\']/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r");
  const QUOTED = {
    shell: (text) => (/^[\w./+][\w./+-]*$/.test(text) ? text : `'./${text.replaceAll("'", "'\\''")}'`),
    python: JSON.stringify,
    macro: JSON.stringify,
    groovy: (text) => `'${escaped(text)}'`,
  };
  const snippets = [...part("open").querySelectorAll("code")].map((code) => [code, code.textContent]);

  function fillSnippets({ file, reference, stem }) {
    part("open").hidden = !file;
    if (!file) return;
    const names = { image: file, reference, prediction: `predicted/${stem}.tif`, rois: `predicted/rois/${stem}_RoiSet.zip`,
      objects: `predicted/geojson/${stem}.geojson` };
    for (const [code, template] of snippets) {
      const lines = template.split("\n").filter((line) => reference || !line.includes("{reference}"));
      const quote = QUOTED[code.dataset.language];
      code.textContent = lines.join("\n").replace(/\{(\w+)\}/g, (all, name) => quote(names[name]));
    }
  }

  function step(direction) { // in the order of the table on all its pages, as it is sorted and filtered
    const rows = table.shownRows?.() ?? [...table.querySelectorAll("tbody tr")];
    const shown = rows.flatMap((row) => [...row.querySelectorAll("button[data-image]")]);
    const next = shown[shown.indexOf(buttons.get(current)) + direction];
    if (next) open(+next.dataset.image);
  }

  function zoom(factor, x, y) {
    view.x = x - (x - view.x) * factor;
    view.y = y - (y - view.y) * factor;
    view.scale *= factor;
    draw();
  }

  function move(right, down) {
    view.x += right;
    view.y += down;
    draw();
  }

  const actions = {
    r: () => { show.reference = !show.reference; draw(); },
    p: () => { show.prediction = !show.prediction; draw(); },
    e: () => { show.errors = !show.errors; draw(); },
    b: () => { if (layers.stages[1 - show.stage]) { show.stage = 1 - show.stage; draw(); } },
    s: () => { if (layers.stages[0]) { show.both = !show.both; fit(); } },
    0: fit,
    "+": () => zoom(1.25, canvases[stages()[0]].clientWidth / 2, canvases[stages()[0]].clientHeight / 2),
    "-": () => zoom(0.8, canvases[stages()[0]].clientWidth / 2, canvases[stages()[0]].clientHeight / 2),
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
  };
  const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.type === "range" && event.key.startsWith("Arrow")) return; // moves the slider
    const direction = event.shiftKey && moves[event.key];
    const action = direction ? () => move(...direction.map((sign) => 60 * sign)) : actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  dialog.addEventListener("click", (event) => {
    const key = event.target.closest("button[data-key]")?.dataset.key;
    if (key === "Escape") dialog.close();
    else if (key) actions[key]();
  });
  dialog.addEventListener("input", draw);
  window.addEventListener("resize", () => { if (dialog.open) fit(); });
  for (const canvas of canvases) {
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      move(event.movementX, event.movementY);
    });
  }
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-image]");
    if (button) open(+button.dataset.image);
  });
  for (const [index, button] of buttons) {
    button.prepend(Object.assign(new Image(), { src: data.images[index].picture, alt: "" }));
  }
})();
