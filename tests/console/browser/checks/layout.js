() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll("body *")]
      .filter((each) => each.getBoundingClientRect().right > root.clientWidth + 1)
      .slice(0, 5)
      .map((each) => `${each.tagName.toLowerCase()}.${each.className} ${each.textContent.trim().slice(0, 40)}`);
    faults.push(`scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}: ${wide.join("; ")}`);
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
    .filter((each) => each.checkVisibility())
    .map((each) => Number(each.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`headings: ${levels.join(" ")}`);
  levels.forEach((level, place) => {
    if (level > (levels[place - 1] ?? 0) + 1) faults.push(`heading ${place + 1} skips a level: ${levels.join(" ")}`);
  });
  if (document.querySelectorAll("main").length !== 1) faults.push("there is no single main");
  return faults;
}
