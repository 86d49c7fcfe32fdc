(what) => {
  const name = (each) => {
    const path = [];
    for (let node = each; node && node !== document.body; node = node.parentElement) {
      path.unshift(`${node.tagName.toLowerCase()}:${[...node.parentElement.children].indexOf(node)}`);
    }
    return `${path.join(">")} ${(each.textContent || each.name || "").trim().slice(0, 30)}`;
  };
  if (what === "controls") {
    return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
      .filter((each) => each.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && !each.disabled)
      .map(name);
  }
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const style = getComputedStyle(focused);
  const box = focused.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const onScreen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  return { name: name(focused), visible: (outlined || style.boxShadow !== "none") && onScreen };
}
