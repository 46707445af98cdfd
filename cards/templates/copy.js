"use strict";
// Buttons that copy code and quotations.
(() => {
  for (const box of document.querySelectorAll("pre, blockquote")) {
    const frame = Object.assign(document.createElement("div"), { className: "copyable" });
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
    box.replaceWith(frame);
    frame.append(box, button);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(box.textContent.trim());
        button.textContent = "Copied";
      } catch { // a browser that gives no access to the clipboard
        getSelection().selectAllChildren(box);
        button.textContent = "Selected: press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 3000);
    });
  }
})();
