// Shows the texts of a failure: addresses as links, commands as blocks that can be copied.
"use strict";

// An address in a text is a link: of a server that wants a login, say.
function linked(text) {
  const parts = text.split(/(https?:\/\/[^\s<>]+[^\s<>.,;:)])/);
  const link = (href) => Object.assign(document.createElement("a"), {
    href, target: "_blank", rel: "noreferrer", textContent: href,
  });
  return parts.map((part, at) => (at % 2 ? link(part) : part));
}

// Whether nothing but another configuration of Jupyter helps.
function needsRestart(remedy) {
  return /restart Jupyter/.test(remedy) && !/\b(Or|If) /.test(remedy);
}

// A line that begins with spaces is a command (see server/errors.py).
function showRemedy(text) {
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
