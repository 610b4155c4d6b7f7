// Shows the texts of a failure: addresses as links, commands as blocks that can be copied.
"use strict";

const shown = new Map(); // texts, by the element's id

// An address in a text is a link: of a server that wants a login, say.
function linked(text) {
  const parts = text.split(/(https?:\/\/[^\s<>]+[^\s<>.,;:)])/);
  return parts.map((part, at) => (at % 2 ? linkTo(part) : part));
}

function setLinked(id, text) {
  if (isNew(id, text)) element(id).replaceChildren(...linked(text));
}

// Whether the element's text is not `text` yet, which it then should get.
function isNew(id, text) {
  if (shown.get(id) === text) return false;
  shown.set(id, text);
  return true;
}

// A line that begins with spaces is a command (see server/errors.py).
function showRemedy(text) {
  if (!isNew("remedy", text)) return;
  const lines = text.split("\n").filter((line) => line.trim());
  element("remedy").replaceChildren(...lines.map((line) =>
    (line.startsWith("    ") ? commandOf(line.trim()) : paragraphOf(line))));
}

function paragraphOf(line) {
  const paragraph = document.createElement("p");
  paragraph.append(...linked(line));
  return paragraph;
}

function commandOf(text) {
  const block = element("command").content.firstElementChild.cloneNode(true);
  block.querySelector("pre").textContent = text;
  const button = block.querySelector("button");
  button.addEventListener("click", () => copy(button, block.querySelector("pre")));
  return block;
}

async function copy(button, block) {
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(block.textContent);
  } catch {
    // Without HTTPS there is no clipboard. What is selected can be copied all the same.
    getSelection().selectAllChildren(block);
    isCopied = document.execCommand("copy");
  }
  button.textContent = isCopied ? "Copied" : "Selected";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function linkTo(address) {
  const link = document.createElement("a");
  Object.assign(link, { href: address, target: "_blank", rel: "noreferrer", textContent: address });
  return link;
}
