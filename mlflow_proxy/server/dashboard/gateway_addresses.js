// Part of every dashboard page, before MLflow's own scripts. MLflow's page of a gateway endpoint takes
// for the server's address what stands before the first slash ("https://hub.example.org"), where Jupyter
// or its hub is. In what it shows, copies and requests, the address becomes the dashboard's.
"use strict";

const gatewayAddresses = (() => {
  const IN_A_NOTEBOOK =
    "In a notebook of this Jupyter server, use os.environ[\"MLFLOW_GATEWAY_URI\"] in place of what stands " +
    "before “/gateway”; it needs no API key. ";
  const ELSEWHERE =
    "Other programs send a Jupyter token, as the API key or in the header “Authorization: Bearer …”.";

  const { base, gateway, hasLocalAddress } = document.currentScript.dataset;
  const dashboard = new URL(base, location.href);
  const wrong = `${location.origin}/${gateway}`;
  const right = `${dashboard.origin}${dashboard.pathname}${gateway}`;
  const correct = (text) => text.replaceAll(wrong, right);
  // Elsewhere, such an address is a user's text.
  const isGatewayPage = () => `${location.hash}/`.startsWith(`#/${gateway}`);
  const corrected = (text) => (isGatewayPage() ? correct(text) : text);

  function correctTexts(root) {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text = root.nodeType === Node.TEXT_NODE ? root : texts.nextNode(); text; text = texts.nextNode()) {
      if (text.data.includes(wrong)) text.data = correct(text.data);
      if (text.data.includes(right)) explain(text.parentElement.closest("pre"));
    }
  }

  // Programs need a credential, of which MLflow, which has no login, says nothing.
  function explain(code) {
    if (!code || code.parentElement.querySelector("[data-gateway-note]")) return;
    const note = document.createElement("p");
    note.setAttribute("data-gateway-note", "");
    note.style.cssText = "margin: 0; padding: 4px 16px 12px; opacity: 0.75; font-size: 12px";
    note.textContent = (hasLocalAddress ? IN_A_NOTEBOOK : "") + ELSEWHERE;
    code.after(note);
  }

  function onChange(changes) {
    if (!isGatewayPage()) return;
    for (const { addedNodes, target, type } of changes) {
      if (type === "characterData") correctTexts(target);
      else addedNodes.forEach(correctTexts);
    }
  }

  // For `navigator.clipboard` and, where there is none (plain HTTP), a text area with the text.
  const { clipboard } = navigator;
  if (clipboard) {
    const { writeText } = clipboard;
    clipboard.writeText = (text) => writeText.call(clipboard, corrected(String(text)));
  }
  document.addEventListener("copy", ({ target }) => {
    if (target instanceof HTMLTextAreaElement && target.value.includes(wrong)) {
      target.value = corrected(target.value);
      target.select();
    }
  }, true);
  new MutationObserver(onChange).observe(document, { characterData: true, childList: true, subtree: true });

  return {
    // The address that a request to `target` is for.
    correct: (target) => (typeof target === "string" ? correct(target) : target),
  };
})();
