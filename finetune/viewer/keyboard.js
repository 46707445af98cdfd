// Work with the keyboard alone, for which Bokeh and jsPanel make no provision.

// Keys of plots and images: Bokeh's tools need a pointer.
const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}
const ZOOMS = {"+": 0.8, "=": 0.8, "-": 1.25}
const STEP = 0.1 // of the visible width or height

function ranges(scales, {start, end}, step, zoom) {
  const shift = step * (end - start), center = (start + end) / 2 + shift, half = (end - start) / 2 * zoom
  return new Map([...scales.values()].map(scale => {
    const [first, last] = scale.r_invert(center - half, center + half)
    return [scale.source_range, {start: first, end: last}]
  }))
}

function plotOf(element) {
  for (const view of Bokeh.index.query(view => view.canvas_view?.events_el === element)) return view
}

document.addEventListener("keydown", event => {
  const known = event.key in MOVES || event.key in ZOOMS || event.key === "0"
  if (!known || event.ctrlKey || event.metaKey || event.altKey) return
  const plot = plotOf(event.composedPath()[0])
  if (!plot) return
  event.preventDefault()
  if (event.key === "0") return plot.reset_range()
  const {frame} = plot, {left, right, top, bottom} = frame.bbox
  const [x, y] = MOVES[event.key] ?? [0, 0], zoom = ZOOMS[event.key] ?? 1
  const xrs = ranges(frame.x_scales, {start: left, end: right}, STEP * x, zoom)
  const yrs = ranges(frame.y_scales, {start: top, end: bottom}, STEP * y, zoom)
  plot.update_range({xrs, yrs}, {scrolling: true})
  plot.trigger_ranges_update_event()
})

// A panel that is moved or resized is built again: the focus returns to the button that was pressed.
function* all(selector, root = document) {
  for (const element of root.querySelectorAll("*")) {
    if (element.matches(selector)) yield element
    if (element.shadowRoot) yield* all(selector, element.shadowRoot)
  }
}

function headingOf(panel) {
  for (const heading of all("h2", panel.shadowRoot)) return heading.innerText
}

document.addEventListener("click", event => {
  const path = event.composedPath(), label = path[0].innerText
  const panel = path.find(element => element.classList?.contains("window"))
  if (event.detail || !panel || !path[0].matches("button")) return // a mouse needs no focus
  const heading = headingOf(panel), end = performance.now() + 3000
  const timer = setInterval(() => {
    if (performance.now() > end) return clearInterval(timer)
    if (path[0].isConnected || document.activeElement !== document.body) return
    for (const built of all(".window")) {
      if (headingOf(built) !== heading) continue
      for (const button of all("button", built.shadowRoot)) {
        if (button.innerText === label) button.focus(), clearInterval(timer)
      }
    }
  }, 50)
})

new MutationObserver(() => { // floating panels are dialogs, which jsPanel does not tell screen readers
  for (const panel of document.querySelectorAll("body > .jsPanel:not([role])")) {
    panel.setAttribute("role", "dialog")
    panel.setAttribute("aria-label", panel.querySelector(".jsPanel-title").innerText)
  }
}).observe(document.body, {childList: true})
