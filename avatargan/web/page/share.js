// Links and pictures for other people.
import { button, h, toast } from "./dom.js";
import { text } from "./language.js";
import { fileStem } from "./recipes.js";

export const canCopyPictures = () => Boolean(navigator.clipboard?.write) && typeof ClipboardItem !== "undefined";

export function canShareFiles() {
  try {
    return Boolean(navigator.canShare?.({ files: [new File([], "a.png", { type: "image/png" })] }));
  } catch {
    return false;
  }
}

export function addressOf(context, picture) {
  const link = context.studio.linkOf(picture);
  if (link === null) return null;
  const address = new URL(document.location.href);
  address.hash = link;
  return address.href;
}

export async function copyLink(context, picture) {
  const address = addressOf(context, picture);
  if (address === null) return toast(text("link_too_long"));
  try {
    await navigator.clipboard.writeText(address);
    toast(text("link_copied"));
  } catch {
    showLink(context, address); // a page that is not secure may not write there
  }
}

function showLink(context, address) {
  const field = h("input", { type: "text", readonly: true, value: address, "aria-label": text("copy_link"), class: "link-field" });
  context.dialog({
    name: "link",
    title: text("copy_link"),
    content: [h("p", {}, text("link_by_hand")), field],
    opened: () => field.select(),
  });
}

export async function copyPicture(picture) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": picture.png })]);
    // Browsers take the picture apart: what is pasted has no recipe.
    toast(text("picture_copied"));
  } catch {
    toast(text("copy_failed"));
  }
}

export async function sharePicture(context, picture) {
  const file = new File([picture.png], `${fileStem(picture.recipe)}.png`, { type: "image/png" });
  try {
    await navigator.share({ files: [file], title: "avatargan" });
  } catch (error) {
    if (error.name !== "AbortError") toast(text("copy_failed"));
  }
}
