// The console works without this file. It keeps live parts of a page current, and saves a few keystrokes.
"use strict";

// A part of a page that the server renders again and again: <div data-live="/periods/2022-05/live">.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  source.addEventListener("part", (event) => {
    if (!part.contains(document.activeElement) || document.activeElement === document.body) {
      part.innerHTML = event.data;  // rendered by our server, which escapes all values
    }
  });
  source.addEventListener("end", () => source.close());
  addEventListener("pagehide", () => source.close());
}

// "/" goes to the search box, as on many sites.
addEventListener("keydown", (event) => {
  const busy = event.target.closest("input, textarea, select");
  const search = document.getElementById("search");
  if (event.key === "/" && !busy && !event.ctrlKey && !event.metaKey && search) {
    event.preventDefault();
    search.select();
  }
});

// A form is sent once.
addEventListener("submit", (event) => {
  if (event.target.method === "post") {
    for (const button of event.target.querySelectorAll("button")) {
      setTimeout(() => { button.disabled = true; });
    }
  }
});
