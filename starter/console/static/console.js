// The console works without this file. It keeps live parts of a page current, and saves a few keystrokes.
"use strict";

// A part of a page that the server renders again and again: <div data-live="/periods/2022-05/live">.
function follow(part, note) {
  const source = new EventSource(part.dataset.live);
  source.addEventListener("open", () => note?.remove());
  source.addEventListener("part", (event) => {
    if (!part.contains(document.activeElement) || document.activeElement === document.body) {
      part.innerHTML = event.data;  // rendered by our server, which escapes all values
    }
  });
  source.addEventListener("end", () => source.close());
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {  // else the browser asks again by itself
      askLater(part, note);
    }
  });
  addEventListener("pagehide", () => source.close());
}

// After an answer that ends the stream, such as 503: ask until there is another. 204: no room; 401: nobody is signed in.
function askLater(part, note) {
  if (!note?.isConnected) {
    note = document.createElement("p");
    note.className = "quiet";
    note.setAttribute("role", "status");
    note.textContent = "This part stands still for now.";
    part.before(note);
  }
  setTimeout(async () => {
    const asking = new AbortController();
    const answer = await fetch(part.dataset.live, { signal: asking.signal }).catch(() => null);
    asking.abort();
    if (answer?.status === 200) {
      follow(part, note);
    } else if (answer?.status !== 204 && answer?.status !== 401) {
      askLater(part, note);
    }
  }, 5000);
}

document.querySelectorAll("[data-live]").forEach((part) => follow(part));

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
