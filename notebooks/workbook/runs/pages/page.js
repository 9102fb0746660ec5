// One button opens or closes all code; without scripts it stays hidden and each piece of code opens by itself.
const button = document.getElementById("all-code");
const pieces = document.querySelectorAll("details.code");
if (button && pieces.length) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = button.textContent.startsWith("Show");
    pieces.forEach((piece) => { piece.open = open; });
    button.textContent = open ? "Hide all code" : "Show all code";
  });
}
